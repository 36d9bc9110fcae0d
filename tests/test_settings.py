"""The configuration file: what is refused, and in which words."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from bedside import settings
from bedside.errors import SettingsError
from tests.readme import README


def written(folder: Path, text: str) -> Path:
    path = folder / "bedside.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_everything_has_a_default() -> None:
    loaded = settings.load()
    assert loaded.broker.port == 1883
    assert loaded.limits.asystole_s == 4.0


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, "[broker]\nhost = 'pi.local'\n[limits]\ntachy_bpm = 130\n")
    loaded = settings.load(path)
    assert loaded.broker.host == "pi.local"
    assert loaded.limits.tachy_bpm == 130
    assert loaded.limits.brady_bpm == 50


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_BROKER__HOST", "127.0.0.9")
    path = written(tmp_path, "[broker]\nhost = 'pi.local'\nport = 1884\n")
    loaded = settings.load(path)
    assert (loaded.broker.host, loaded.broker.port) == ("127.0.0.9", 1884)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[broker]\nhots = 'x'\n", "broker.host"),
        ("[recording]\nsync_every_ms = 10\n", "recording.sync_every_s"),
        ("[limits]\nasystole_ms = 4000\n", "limits.asystole_s"),
        ("[recording]\nsync_every_s = '10 min'\n", "recording.sync_every_s"),
        ("[limits]\ntachy_bpm = '2 Hz'\n", "limits.tachy_bpm"),
        ("[limits]\nasystole_s = -1\n", "limits.asystole_s"),
        ("[limits]\nasystole_s = inf\n", "limits.asystole_s"),
        ("[broker]\nport = 99999\n", "broker.port"),
        ("[screen]\nglyphs = 'emoji'\n", "screen.glyphs"),
        ("[brokr]\nhost = 'x'\n", "broker"),
        ("broker = 3\n", "broker"),
        ("[limits]\ntachy_bpm = 130\nbrady_bpm = 150\n", "limits"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_in_one_sentence(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        settings.load(written(tmp_path, text))
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith((".", "?"))


@pytest.mark.parametrize("content", [b"[broker\n", b"\xff\xfe", b"a = = 1"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bedside.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="not valid TOML"):
        settings.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load(tmp_path / "nowhere.toml")


def test_a_demo_is_not_led_astray_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDSIDE_BROKER__HOST", "hospital")
    assert settings.Settings().broker.host == "127.0.0.1"


def test_a_senseless_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDSIDE_BROKER", "foo")
    with pytest.raises(SettingsError):
        settings.load()


def test_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    path = written(tmp_path, f"[broker]\npassword_file = '{secret}'\n")
    with pytest.raises(SettingsError, match="chmod 600") as refusal:
        settings.load(path).broker.password()
    assert "hunter2" not in str(refusal.value)
    secret.chmod(0o600)
    assert settings.load(path).broker.password() == "hunter2"


def test_the_readme_shows_every_setting_and_what_it_shows_is_one(tmp_path: Path) -> None:
    blocks = README.read_text(encoding="utf-8").split("```toml\n")[1:]
    shown: dict[str, set[str]] = {}
    for text in (block.partition("```")[0] for block in blocks):
        settings.load(written(tmp_path, text))
        for section, keys in tomllib.loads(text).items():
            shown.setdefault(section, set()).update(keys)
    sections = {
        name: field.annotation.model_fields.keys()
        for name, field in settings.Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    missing = [(name, key) for name, keys in sections.items() for key in keys - shown[name]]
    assert missing == []

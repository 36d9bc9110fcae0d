"""What a user gets wrong ends in one sentence, exit code 2 and no traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bedside.anomaly.autoencoder import Autoencoder
from bedside.errors import ModelError
from tests.conftest import PROJECT
from tests.e2e.test_demo import bedside


def one_sentence(*arguments: str, cwd: Path = PROJECT) -> str:
    done = bedside(*arguments, cwd=cwd)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    said = done.stderr.strip().splitlines()
    assert len(said) == 1, done.stderr
    assert said[0].startswith("bedside: ")
    return said[0]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("command", [("analyze",), ("demo", "--headless", "--record")])
def test_a_missing_record(command: tuple[str, ...], tmp_path: Path) -> None:
    assert "nowhere" in one_sentence(*command, str(tmp_path / "nowhere"))


def test_a_record_that_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "junk.hea").write_bytes(bytes(range(256)))
    one_sentence("analyze", str(tmp_path / "junk"))


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    from tests.records import BUNDLED

    (tmp_path / "file").write_text("in the way")
    assert "--out" in one_sentence("analyze", str(BUNDLED), "--out", str(tmp_path / "file"))


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--headless"),
        ("simulate", "bed-1"),
        ("bed", "list"),
        ("bed", "admit", "bed-1"),
        ("alarms", "ack"),
    ],
)
def test_a_broker_that_is_away(command: tuple[str, ...], closed_port: int, tmp_path: Path) -> None:
    config = tmp_path / "bedside.toml"
    config.write_text(
        f"[broker]\nport = {closed_port}\n[station]\ndata_dir = '{tmp_path / 'data'}'\n"
    )
    assert str(closed_port) in one_sentence(*command, "--config", str(config))


def test_a_service_waits_for_a_broker_that_is_away(closed_port: int, tmp_path: Path) -> None:
    config = tmp_path / "bedside.toml"
    config.write_text(
        f"[broker]\nport = {closed_port}\n[station]\ndata_dir = '{tmp_path / 'data'}'\n"
    )
    arguments = ("--headless", "--unattended", "--seconds", "1", "--config", str(config))
    done = bedside("run", *arguments)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    config = tmp_path / "bedside.toml"
    config.write_text("[broker]\nhots = 'pi'\n")
    assert "did you mean broker.host?" in one_sentence("run", "--config", str(config))


def test_a_file_is_called_as_it_was_named(tmp_path: Path) -> None:
    (tmp_path / "bedside.toml").write_text("[broker]\nhots = 'pi'\n")
    said = one_sentence("run", "--config", "bedside.toml", cwd=tmp_path)
    assert said.startswith("bedside: bedside.toml: ")


def test_a_setting_in_the_wrong_unit(tmp_path: Path) -> None:
    config = tmp_path / "bedside.toml"
    config.write_text("[recording]\nsync_every_s = '10 ms'\n")
    assert "sync_every_s" in one_sentence("run", "--config", str(config))


def test_a_rhythm_that_nobody_has() -> None:
    assert "sinus" in one_sentence("simulate", "bed-1", "--rhythm", "tango")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 500])
def test_a_corrupt_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "autoencoder.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as refusal:
        Autoencoder.load(path)
    assert "\n" not in str(refusal.value)

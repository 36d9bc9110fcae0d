"""The files of the kiosk, checked by those who will read them where they are here."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bedside.errors import SettingsError
from bedside.installation.kiosk import (
    FOLDER,
    SERVICE,
    Kiosk,
    check_configuration,
    kiosk_removal,
    write,
)

UNIT = Path("/etc/systemd/system") / SERVICE


def kiosk(root: Path) -> Kiosk:
    return Kiosk(Path("/usr/bin/python3"), Path("/etc/bedside/kiosk.toml"), 155.0, 16.0, root)


def test_systemd_finds_nothing_to_say_of_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    text, _ = kiosk(tmp_path).files()[UNIT]
    # What is only on the target machine is replaced by what is here.
    unit = tmp_path / SERVICE
    unit.write_text(text.replace("/usr/bin/labwc", "/bin/true").replace("bedside-screen", "root"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if SERVICE in line]
    assert ours == []
    assert done.returncode == 0


def test_a_finger_is_a_mouse_and_no_key_leads_out(tmp_path: Path) -> None:
    text, _ = kiosk(tmp_path).files()[FOLDER / "labwc" / "rc.xml"]
    root = ET.fromstring(text)
    touch = root.find("touch")
    assert touch is not None
    assert touch.get("mouseEmulation") == "yes"
    assert root.find("keyboard/keybind") is None
    assert root.find("mouse/context") is None


def test_the_session_is_a_shell_script_that_starts_the_screen_again(tmp_path: Path) -> None:
    write(kiosk(tmp_path))
    session = tmp_path / "etc/bedside-kiosk/session"
    assert session.stat().st_mode & 0o111
    assert subprocess.run(["sh", "-n", str(session)], check=False).returncode == 0
    text = session.read_text()
    assert "BEDSIDE_SCREEN__KIOSK=true BEDSIDE_SCREEN__WIDTH_MM=155" in text
    assert "-m bedside screen --config /etc/bedside/kiosk.toml" in text


def test_removal_leaves_nothing_of_the_kiosk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.installation.kiosk.booted", lambda: False)
    write(kiosk(tmp_path))
    assert (tmp_path / UNIT.relative_to("/")).exists()
    steps = kiosk_removal(kiosk(tmp_path))
    assert not steps[1].taken()
    steps[1].take()
    assert steps[1].taken()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_screen_without_a_configuration_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="bedside broker add-screen"):
        check_configuration(kiosk(tmp_path))

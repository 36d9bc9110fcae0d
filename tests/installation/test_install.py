"""`bedside install` before anything is done, and what it writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bedside import settings
from bedside.errors import SettingsError
from bedside.installation.steps import System, check, steps
from tests.e2e.test_demo import bedside


def test_a_dry_run_names_every_step_and_takes_none() -> None:
    done = bedside("install", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would make the user bedside" in done.stdout
    assert not Path("/etc/bedside").exists()


def test_what_it_configures_is_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.chown", lambda *_: None)
    system = System(Path("/opt/bedside/bin/python"), ("pi.local",), "ward-3", tmp_path)
    by_words = {step.words: step for step in steps(system)}
    for words, step in by_words.items():
        if words.startswith(("set the broker up", f"write {system.configuration_file}")):
            assert not step.taken()
            step.take()
            assert step.taken()
    loaded = settings.load(system.at(system.configuration_file))
    assert (loaded.station.name, loaded.broker.username, loaded.broker.port) == (
        "ward-3",
        "ward-3",
        8883,
    )
    assert system.at(system.folder).stat().st_mode & 0o077 == 0


def test_a_service_cannot_run_from_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda *_: "/usr/bin/systemctl")
    with pytest.raises(SettingsError, match="/opt/bedside"):
        check(System(Path("/home/pi/venv/bin/python"), ()))

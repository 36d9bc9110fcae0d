"""The alarm sound on real programs: who plays, what happens when nobody can."""

from __future__ import annotations

import queue
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bedside.alarms.sounds import wav
from bedside.events import Priority
from bedside.sounder import Sounder


def player(folder: Path, name: str, script: str) -> None:
    """A program in the path that does what a player does, and writes down that it did."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $1" >> {folder}/played\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def played(folder: Path) -> list[str]:
    lines = (folder / "played").read_text().splitlines()
    return [f"{line.split()[0]} {Path(line.split()[1]).stem}" for line in lines]


def test_the_first_player_that_exists_plays_the_melody_from_a_file(folder: Path) -> None:
    player(folder, "second", f"cp $1 {folder}/heard.wav")
    player(folder, "third", "true")
    sounder = Sounder(("first-of-none", "second", "third"), folder / "no-terminal")
    assert sounder.sound(Priority.HIGH) == "second"
    assert played(folder) == ["second high"]
    assert (folder / "heard.wav").read_bytes() == wav(Priority.HIGH)
    sounder.stop()


def test_a_player_that_fails_leaves_it_to_the_next_and_at_last_to_the_bell(folder: Path) -> None:
    player(folder, "broken", "exit 1")
    player(folder, "working", "true")
    terminal = folder / "terminal"
    terminal.touch()
    for players, priority, by in (
        (("broken", "working"), Priority.LOW, "working"),
        (("broken",), Priority.MEDIUM, "the terminal's bell"),
    ):
        sounder = Sounder(players, terminal)
        assert sounder.sound(priority) == by
        sounder.stop()
    assert terminal.read_bytes() == b"\a" * 3


def test_that_nothing_can_be_heard_is_told_at_once_and_when_a_burst_fails(folder: Path) -> None:
    told: queue.Queue[tuple[bool, str]] = queue.Queue()
    silent = Sounder((), folder / "no-terminal")
    silent.start(lambda ok, detail: told.put((ok, detail)))
    assert told.get(timeout=60)[0] is False
    silent.stop()
    player(folder, "broken", "exit 1")
    sounder = Sounder(("broken",), folder / "no-terminal")
    sounder.start(lambda ok, detail: told.put((ok, detail)))
    sounder.play(Priority.HIGH)
    assert told.get(timeout=60) == (False, "broken fails: check the loudspeaker")
    player(folder, "broken", "true")
    sounder.play(Priority.HIGH)
    assert told.get(timeout=60) == (True, "")
    sounder.stop()


def test_playing_never_waits_and_a_graver_burst_cuts_a_lesser_one_off(folder: Path) -> None:
    player(folder, "slow", "exec sleep 60")
    told: queue.Queue[tuple[bool, str]] = queue.Queue()
    sounder = Sounder(("slow",), folder / "no-terminal")
    sounder.start(lambda ok, detail: told.put((ok, detail)))
    started_s = time.monotonic()
    sounder.play(Priority.LOW)
    assert time.monotonic() - started_s < 5  # the player takes a minute
    while not (folder / "played").exists():
        assert time.monotonic() - started_s < 60
    sounder.play(Priority.HIGH)
    assert told.get(timeout=60) == (True, "")
    while len(played(folder)) < 2:
        assert time.monotonic() - started_s < 60
    assert played(folder) == ["slow low", "slow high"]
    sounder.stop()


def test_a_graver_burst_cuts_off_one_whose_player_only_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player(folder, "slow", "exec sleep 60")
    told: queue.Queue[tuple[bool, str]] = queue.Queue()
    sounder = Sounder(("slow",), folder / "no-terminal")
    starting, start = threading.Event(), subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = start(*arguments, **options)
        if not starting.is_set():
            starting.set()
            assert due.wait(60)
        return process

    due = threading.Event()
    monkeypatch.setattr("bedside.sounder.subprocess.Popen", popen)
    sounder.start(lambda ok, detail: told.put((ok, detail)))
    sounder.play(Priority.LOW)
    assert starting.wait(60)
    sounder.play(Priority.HIGH)
    due.set()
    assert told.get(timeout=60) == (True, "")
    sounder.stop()

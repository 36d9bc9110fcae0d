"""Plays the alarm sound on this machine's loudspeaker, in a thread of its own.

The first of pw-play, paplay and aplay that exists plays it; when none does, or they fail, the
terminal's bell has to do. When nothing can be heard, that is told as the health of `sound`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from bedside.alarms import sounds
from bedside.events import Priority
from bedside.worker import Worker

PLAYERS = ("pw-play", "paplay", "aplay")
TERMINAL = Path("/dev/tty")
LONGEST_S = 8.0
"""A player that takes longer than this for a burst of at most 3.4 s hangs."""

_RANK = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


class Sounder:
    """Takes bursts and plays them; a graver one cuts a lesser one off."""

    def __init__(self, players: tuple[str, ...] = PLAYERS, terminal: Path = TERMINAL) -> None:
        """With the programs to try, in this order, and the terminal whose bell is the last."""
        self._found = [path for name in players if (path := shutil.which(name))]
        self._terminal = terminal
        self._folder = tempfile.TemporaryDirectory(prefix="bedside-sounds-")
        self._files: dict[Priority, Path] = {}
        for priority in Priority:
            self._files[priority] = Path(self._folder.name) / f"{priority.value}.wav"
            self._files[priority].write_bytes(sounds.wav(priority))
        self._tell: Callable[[bool, str], None] = lambda ok, detail: None
        self._playing: tuple[Priority, subprocess.Popen[bytes]] | None = None
        self._asked = Priority.LOW
        """The burst that was asked for last."""
        self._worker = Worker[Priority]("sound", self._play, capacity=2)

    def start(self, tell: Callable[[bool, str], None]) -> None:
        """Begin; `tell` hears whether sounds can be heard, and why not, on any thread."""
        self._tell = tell
        self._worker.start()
        if not self._found and not self._has_terminal():
            self._tell(False, f"install one of {', '.join(PLAYERS)}")

    def stop(self) -> None:
        """Cut off what plays, and end."""
        self._cut_off()
        self._worker.stop()
        self._folder.cleanup()

    def play(self, priority: Priority) -> None:
        """A burst is due. Never blocks; a burst that finds graver ones waiting is left out."""
        self._asked = priority
        playing = self._playing
        if playing is not None and _RANK[priority] < _RANK[playing[0]]:
            self._cut_off()
        self._worker.put(priority)

    def sound(self, priority: Priority) -> str:
        """Play one burst now and wait for its end; what played it, empty when nothing could."""
        for path in self._found:
            if self._run(path, priority):
                return Path(path).name
        return "the terminal's bell" if self._bell(priority) else ""

    def _play(self, priority: Priority) -> None:
        if self.sound(priority):
            self._tell(True, "")
        elif self._found:
            self._tell(False, f"{Path(self._found[0]).name} fails: check the loudspeaker")
        else:
            self._tell(False, f"install one of {', '.join(PLAYERS)}")

    def _run(self, path: str, priority: Priority) -> bool:
        """Whether a player played the burst, or was cut off by a graver one."""
        try:
            process = subprocess.Popen(
                [path, str(self._files[priority])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return False
        self._playing = (priority, process)
        # A graver burst that was due while the player started found none to cut off.
        if _RANK[self._asked] < _RANK[priority]:
            process.terminate()
        try:
            ended = process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
        finally:
            self._playing = None
        return ended <= 0  # below 0: it was cut off

    def _cut_off(self) -> None:
        playing = self._playing
        if playing is not None:
            playing[1].terminate()

    def _has_terminal(self) -> bool:
        return self._ring(b"")

    def _bell(self, priority: Priority) -> bool:
        return self._ring(b"\a" * len(sounds.pulses(priority)))

    def _ring(self, bells: bytes) -> bool:
        try:
            descriptor = os.open(self._terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                os.write(descriptor, bells)
            finally:
                os.close(descriptor)
        except OSError:
            return False
        return True

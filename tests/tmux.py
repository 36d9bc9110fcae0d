"""A program in tmux: a real pseudo-terminal whose screen can be read and typed at."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pytest


class Tmux:
    """One program in a terminal of its own, on a tmux server of its own, while a `with` lasts."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int,
        rows: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = list(command)
        self._size = (columns, rows)
        self._environment = dict(environment or {})
        self._folder = tempfile.TemporaryDirectory(prefix="bedside-tmux-")
        self._socket = str(Path(self._folder.name) / "socket")
        self._output = Path(self._folder.name) / "output"

    def __enter__(self) -> Tmux:
        if shutil.which("tmux") is None:
            pytest.skip("needs tmux: apt install tmux")
        environment = {**os.environ, "COLORTERM": "truecolor", **self._environment}
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        line = shlex.join(["env", *variables, *self._command]) if variables else None
        self._run(
            *("new-session", "-d", "-x", str(self._size[0]), "-y", str(self._size[1])),
            line or shlex.join(self._command),
            environment=environment,
        )
        self._run("set-option", "-g", "status", "off")
        self._run("set-option", "-g", "remain-on-exit", "on")
        self._run("pipe-pane", "-O", f"cat > {shlex.quote(str(self._output))}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        subprocess.run(
            ["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True
        )
        self._folder.cleanup()

    @property
    def bytes_written(self) -> int:
        """How much the program has written to its terminal."""
        return self._output.stat().st_size if self._output.exists() else 0

    @property
    def pid(self) -> int:
        """The program's process."""
        return int(self._run("display-message", "-p", "#{pane_pid}"))

    def ended(self) -> bool:
        """Whether the program has ended."""
        return self._run("display-message", "-p", "#{pane_dead}").strip() == "1"

    def wait_until_ended(self, timeout_s: float = 120.0) -> None:
        """Wait for the program's end. Raises TimeoutError."""
        give_up_s = time.monotonic() + timeout_s
        while not self.ended():
            if time.monotonic() > give_up_s:
                raise TimeoutError(f"it did not end:\n{self.text()}")
            time.sleep(0.05)

    def text(self, escapes: bool = False) -> str:
        """What stands on the screen."""
        return self._run("capture-pane", "-p", *(["-e"] if escapes else []))

    def keys(self, *keys: str) -> None:
        """Type, in tmux's names of keys."""
        self._run("send-keys", *keys)

    def click(self, column: int, row: int) -> None:
        """Tap a cell, counted from 0, as a mouse or an emulated touch would."""
        for ending in "Mm":
            self._run("send-keys", "-l", f"\x1b[<0;{column + 1};{row + 1}{ending}")

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def wait_for(self, seen: Callable[[str], bool] | str, timeout_s: float = 120.0) -> str:
        """Read the screen until it shows something; returns it. Raises TimeoutError."""
        give_up_s = time.monotonic() + timeout_s
        while True:
            shown = self.text()
            if seen in shown if isinstance(seen, str) else seen(shown):
                return shown
            if time.monotonic() > give_up_s or self.ended():
                raise TimeoutError(f"{seen!r} never stood on the screen:\n{shown}")
            time.sleep(0.05)

    def _run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        return subprocess.run(
            ["tmux", "-S", self._socket, "-f", "/dev/null", *command],
            check=True,
            capture_output=True,
            text=True,
            env=None if environment is None else dict(environment),
        ).stdout

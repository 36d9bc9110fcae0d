"""The C++ virtual node as a process whose events a test can wait for."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from bedside.simulator.native_node import piece_bytes
from bedside.simulator.source import Source


class NativeNode:
    """A running program; a context manager that kills what has not ended by itself."""

    def __init__(
        self,
        program: Path,
        source: Source,
        folder: Path,
        port: int,
        *options: str,
        name: str = "bed-1",
        speed: float = 10.0,
    ) -> None:
        pieces = folder / f"{name}.pieces"
        pieces.write_bytes(b"".join(map(piece_bytes, source.pieces())))
        self.events: list[dict[str, Any]] = []
        self._news = threading.Condition()
        scale = ("--rate-mhz", str(source.rate_mhz), "--nv-per-lsb", str(source.nv_per_lsb))
        broker = ("--port", str(port), "--name", name, "--speed", str(speed))
        self._process = subprocess.Popen(
            [str(program), "--pieces", str(pieces), *scale, *broker, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> NativeNode:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(60)
        self._reader.join(60)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def wait_for(self, event: str, timeout_s: float = 60) -> dict[str, Any]:
        """The first event of this name since the last call that waited for one."""

        def found() -> dict[str, Any] | None:
            return next((each for each in self.events if each["event"] == event), None)

        with self._news:
            happened = self._news.wait_for(lambda: found() is not None, timeout_s)
            assert happened, f"no {event} among {self.events}"
            first = found()
            assert first is not None
            del self.events[: self.events.index(first) + 1]
            return first

    def wait_until_ended(self, timeout_s: float = 180) -> int:
        """The program's exit status: 0 when the bedside has everything."""
        return self._process.wait(timeout_s)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()

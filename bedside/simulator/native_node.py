"""The C++ virtual node as a process: the firmware's core, fed with a source's samples.

`firmware/host` builds it. Broker, store, acknowledgements and timing are the program's own; only
the samples come from here, through its standard input.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import struct
import subprocess
import threading
from pathlib import Path

from bedside.errors import BedsideError
from bedside.simulator.source import Piece, Source

PROGRAM = "bedside-node"
BUILD_FOLDER = Path(__file__).parents[2] / "build" / "firmware"

_HEAD = struct.Struct("<HHI")
_LEAVES_IN_S = 5.0

_log = logging.getLogger(__name__)


def find_program() -> Path:
    """The program on PATH, or where a checkout builds it. Raises BedsideError."""
    on_path = shutil.which(PROGRAM)
    if on_path is not None:
        return Path(on_path)
    built = BUILD_FOLDER / PROGRAM
    if not built.exists():
        raise BedsideError(
            "The native node is not built: run cmake -S firmware/tests -B build/firmware and "
            f"cmake --build build/firmware --target {PROGRAM} in a checkout, or put {PROGRAM} on "
            "PATH."
        )
    return built


def piece_bytes(piece: Piece) -> bytes:
    """A piece as the program reads it: u16 count, u16 flags, u32 skipped, i16 × count."""
    head = _HEAD.pack(len(piece.samples), int(piece.flags), piece.skipped)
    return head + piece.samples.astype("<i2").tobytes()


class NativeNode:
    """A running program; a context manager that ends it.

    Takes what `VirtualNode` takes, a password as the file whose first line it is.
    """

    def __init__(
        self,
        program: Path,
        source: Source,
        name: str,
        host: str,
        port: int,
        *,
        speed: float = 1.0,
        username: str = "",
        password_file: Path | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.name = name
        self._source = source
        self._command = [
            *(str(program), "--pieces", "-", "--name", name, "--speed", f"{speed:g}"),
            *("--host", host, "--port", str(port)),
            *("--rate-mhz", str(source.rate_mhz), "--nv-per-lsb", str(source.nv_per_lsb)),
            *(("--username", username) if username else ()),
            *(("--password-file", str(password_file)) if password_file else ()),
            *(("--ca-file", str(ca_file)) if ca_file else ()),
        ]

    def __enter__(self) -> NativeNode:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Connect and begin to sample."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._threads = [
            threading.Thread(target=target, name=f"{role}-{self.name}", daemon=True)
            for role, target in (("samples", self._feed), ("events", self._listen))
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Say offline and leave; what the bedside has not acknowledged is gone, as with a reset."""
        self._process.terminate()
        try:
            self._process.wait(_LEAVES_IN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(_LEAVES_IN_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def wait_until_sent(self, timeout_s: float) -> bool:
        """Wait until the source has ended and the bedside has acknowledged all of it.

        Raises BedsideError when the program has failed instead.
        """
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        if status != 0:
            raise BedsideError(
                f"The native node ended with status {status}: build it anew from this checkout."
            )
        return True

    def _feed(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            for piece in self._source.pieces():
                pipe.write(piece_bytes(piece))
            pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            level = logging.WARNING if event["event"] == "disconnected" else logging.INFO
            _log.log(level, "node %s: %s %s", self.name, event["event"], event["detail"])

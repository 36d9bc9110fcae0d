"""Batches that wait for the next sync, in memory that outlives the process.

A file system commits its own journal within seconds of any write, three blocks at least. Batches
that went into the recording as they come would so cost an SD card more than the signal itself.
They wait in `/dev/shm` instead, where a write costs the card nothing and a killed process loses
nothing; a power cut takes them, and their nodes, which had no acknowledgement, send them again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import struct
import zlib
from pathlib import Path

import numpy as np

from bedside.events import Batch, Flags
from bedside.recording.runs import Staged

MEMORY = Path("/dev/shm")

_HEADER = struct.Struct("<4sII32sHIIQqqII")
_MAGIC = b"STGD"
_log = logging.getLogger(__name__)


class Staging:
    """The staged batches of one recorder; without `/dev/shm` it keeps nothing and says so once."""

    def __init__(self, recordings: Path) -> None:
        """Open what a recorder of the folder `recordings` left."""
        self._file: int | None = None
        self._end = 0
        folder = MEMORY / f"bedside-{os.getuid()}"
        self._path = folder / hashlib.sha256(os.fsencode(recordings.resolve())).hexdigest()[:32]
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                raise PermissionError(f"{folder} belongs to somebody else")
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
        except OSError as error:
            _log.warning(
                "no memory that outlives this process (%s): what a kill takes of the last seconds "
                "has to come from the nodes again",
                error,
            )

    def left(self) -> list[Staged]:
        """What was staged and not cleared, as far as it is whole; new batches go behind it."""
        if self._file is None:
            return []
        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        found = []
        self._end = 0
        while entry := _unpack(content[self._end :]):
            staged, length = entry
            found.append(staged)
            self._end += length
        return found

    def add(self, staged: Staged) -> None:
        """Stage a batch; where memory is full, only this process has it."""
        if self._file is None:
            return
        entry = _pack(staged)
        with contextlib.suppress(OSError):
            os.pwrite(self._file, entry, self._end)
            self._end += len(entry)

    def clear(self) -> None:
        """Everything staged was synced, or was given up."""
        if self._file is not None and self._end:
            os.ftruncate(self._file, 0)
            self._end = 0

    def close(self) -> None:
        """Close the file; what is staged stays."""
        if self._file is not None:
            if self._end == 0:
                self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def _pack(staged: Staged) -> bytes:
    batch = staged.batch
    samples = batch.samples.astype("<i2").tobytes()
    body = (
        _HEADER.pack(
            _MAGIC,
            _HEADER.size + len(samples) + 4,
            batch.boot_id,
            batch.node.encode(),
            int(batch.flags),
            batch.sequence,
            len(batch.samples),
            batch.first_sample,
            batch.wall_us,
            staged.heard_wall_us,
            batch.rate_mhz,
            batch.nv_per_lsb,
        )
        + samples
    )
    return body + zlib.crc32(body).to_bytes(4, "little")


def _unpack(content: bytes) -> tuple[Staged, int] | None:
    if len(content) < _HEADER.size + 4:
        return None
    magic, length, boot_id, node, flags, sequence, count, first, wall_us, heard_us, rate, nv = (
        _HEADER.unpack_from(content)
    )
    body, crc = content[: length - 4], content[length - 4 : length]
    if magic != _MAGIC or length != _HEADER.size + 2 * count + 4 or len(content) < length:
        return None
    if zlib.crc32(body).to_bytes(4, "little") != crc:
        return None
    batch = Batch(
        node=node.rstrip(b"\0").decode("ascii", "replace"),
        flags=Flags(flags),
        boot_id=boot_id,
        sequence=sequence,
        first_sample=first,
        wall_us=wall_us,
        rate_mhz=rate,
        nv_per_lsb=nv,
        dropped=0,
        lowest_held=0,
        samples=np.frombuffer(body, "<i2", count, _HEADER.size).astype(np.int16),
    )
    return Staged(batch, heard_us), length

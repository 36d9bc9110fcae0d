"""What a user deletes of a bed's recording: whole segments, never the one that is being written."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import RecordError
from bedside.recording.retention import STRIPS, OnDisk
from bedside.recording.spans import spans_of
from bedside.recording.stored_segment import StoredSegment


@dataclass(frozen=True, slots=True)
class Doomed:
    """A segment to delete; its times are 0 where no clock told them."""

    files: OnDisk
    from_wall_us: int
    to_wall_us: int
    strip: bool

    @property
    def size_bytes(self) -> int:
        """What it takes up on the disk."""
        return self.files.blocks_bytes()


def doomed(
    recordings: Path, bed: str, from_wall_us: int, to_wall_us: int, *, strips: bool
) -> list[Doomed]:
    """The segments of a bed that lie whole between two moments, and the strips where wanted.

    While a station runs, the segments that it writes are left out. Raises RecordError.
    """
    folder = recordings / bed
    if Path(bed).name != bed or not folder.is_dir():
        raise RecordError(f"There is no recording of bed {bed}: bedside records list shows them.")
    running = _station_runs(recordings)
    found = []
    for path in [*folder.glob("*.idx"), *((folder / STRIPS).glob("*.idx") if strips else ())]:
        try:
            stored = StoredSegment.open(path.with_suffix(""))
        except OSError:
            continue
        if stored is None or (running and not stored.journal.sealed):
            continue
        spans = spans_of(bed, [stored])
        first_us = min((span.from_wall_us for span in spans), default=0)
        last_us = max((span.to_wall_us for span in spans), default=0)
        if from_wall_us <= first_us and last_us <= to_wall_us:
            strip = path.parent.name == STRIPS
            found.append(Doomed(OnDisk(path.with_suffix("")), first_us, last_us, strip))
    return sorted(found, key=lambda each: each.from_wall_us)


def delete(segments: list[Doomed]) -> Iterator[Doomed]:
    """Delete segments, each one when it is asked for. Raises RecordError."""
    for each in segments:
        try:
            each.files.remove()
        except OSError as error:
            raise RecordError(
                f"{each.files.path} cannot be deleted ({error.strerror}): check its permissions."
            ) from error
        yield each


def _station_runs(recordings: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        lock = os.open(recordings / ".lock", os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
    return False

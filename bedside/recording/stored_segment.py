"""A segment as it lies on disk, for reading: by this program or beside a running station."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bedside.events import Int16Array
from bedside.recording.journal import (
    BeatTable,
    Journal,
    Records,
    SegmentFormat,
    read_journal,
    unpack_beats,
)
from bedside.recording.runs import INVALID_SAMPLE

SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True, eq=False)
class StoredSegment:
    """A segment's journal in memory, its samples on disk; `path` has no suffix."""

    path: Path
    journal: Journal

    @classmethod
    def open(cls, path: Path) -> StoredSegment | None:
        """The segment at `path`, or None where its journal is damaged. Raises OSError."""
        journal = read_journal(path.with_suffix(".idx").read_bytes())
        return None if journal is None else cls(path, journal)

    @property
    def format(self) -> SegmentFormat:
        """What its samples share."""
        return self.journal.format

    def samples(self, first: int, end: int) -> Int16Array:
        """Samples `first` up to `end` as stored, shape (end − first,), −32768 where none came.

        Raises OSError.
        """
        found = np.full(end - first, INVALID_SAMPLE, np.int16)
        start = self.format.start_sample
        begin, stop = max(first, start), min(end, self.format.end_sample)
        if begin < stop:
            with self.path.with_suffix(".dat").open("rb") as file:
                file.seek((begin - start) * SAMPLE_BYTES)
                content = file.read((stop - begin) * SAMPLE_BYTES)
            part = np.frombuffer(content, "<i2", len(content) // SAMPLE_BYTES)
            found[begin - first : begin - first + len(part)] = part
        return found

    def damaged(self) -> Records:
        """The rows whose samples are no longer what was written. Raises OSError."""
        content = self.path.with_suffix(".dat").read_bytes()
        return self.journal.rows[~vouched(self.journal.rows, self.format, memoryview(content))]

    def beats(self) -> BeatTable:
        """The beats found live in it."""
        return unpack_beats(self.journal.beats)


def vouched(rows: Records, form: SegmentFormat, samples: memoryview) -> NDArray[np.bool_]:
    """Which rows' checksums fit the bytes of a segment's samples, shape (rows,)."""
    firsts = rows["first_sample"].astype(np.int64) - form.start_sample
    begins = np.clip(firsts, 0, form.length) * SAMPLE_BYTES
    ends = np.clip(firsts + rows["count"], 0, form.length) * SAMPLE_BYTES
    crcs = [
        zlib.crc32(samples[begin:end])
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    fits: NDArray[np.bool_] = rows["samples_crc"] == np.array(crcs, "<u4")
    return fits

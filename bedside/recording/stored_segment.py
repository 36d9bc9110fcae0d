"""A segment as it lies on disk, for reading: by this program or beside a running station."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bedside.events import Int16Array
from bedside.ranges import Ranges
from bedside.recording.journal import (
    RECORD_BYTES,
    BeatTable,
    Journal,
    Records,
    SegmentFormat,
    read_journal,
    unpack_beats,
)
from bedside.recording.runs import INVALID_SAMPLE

SAMPLE_BYTES = 2
_NAME = re.compile(r"([0-9a-f]{8})_(\d{4,})(?:_\d+)?")


@dataclass(frozen=True, slots=True, eq=False)
class StoredSegment:
    """A segment's journal in memory, its samples on disk; `path` has no suffix.

    `headless`: the journal's own first record is damaged, and its number is not known.
    """

    path: Path
    journal: Journal
    headless: bool = False

    @classmethod
    def open(cls, path: Path) -> StoredSegment | None:
        """The segment at `path`, or None where its journal is damaged. Raises OSError.

        A journal whose first record is damaged is read by what the WFDB header says instead.
        """
        content = path.with_suffix(".idx").read_bytes()
        journal = read_journal(content)
        if journal is not None:
            return cls(path, journal)
        told = _format_of_header(path)
        if told is not None:
            journal = read_journal(told.pack() + content[RECORD_BYTES:])
        return None if journal is None else cls(path, journal, headless=True)

    @property
    def format(self) -> SegmentFormat:
        """What its samples share."""
        return self.journal.format

    def samples(self, first: int, end: int) -> Int16Array:
        """Samples `first` up to `end`, shape (end − first,), −32768 where none came.

        So are those that are not what was written, by their row's checksum. Raises OSError.
        """
        found = self._as_stored(first, end)
        for begin, stop in self.damaged_within(first, end):
            found[max(begin - first, 0) : max(stop - first, 0)] = INVALID_SAMPLE
        return found

    def damaged_within(self, first: int, end: int) -> list[tuple[int, int]]:
        """Stretches that reach into `first` up to `end` and whose checksum does not hold."""
        rows = self.journal.rows
        start = self.format.start_sample
        begins = np.maximum(rows["first_sample"].astype(np.int64), start)
        ends = rows["first_sample"].astype(np.int64) + rows["count"]
        ends = np.minimum(ends, self.format.end_sample)
        touching = np.flatnonzero((begins < end) & (ends > first) & (begins < ends))
        if not len(touching):
            return []
        good, bad = Ranges(), Ranges()
        base = int(begins[touching].min())
        there = start + self.path.with_suffix(".dat").stat().st_size // SAMPLE_BYTES
        last = max(base, min(int(ends[touching].max()), there))
        content = memoryview(self._as_stored(base, last).tobytes())
        for row, begin, stop in zip(
            rows[touching], begins[touching].tolist(), ends[touching].tolist(), strict=True
        ):
            part = content[(begin - base) * SAMPLE_BYTES : (stop - base) * SAMPLE_BYTES]
            (good if zlib.crc32(part) == row["samples_crc"] else bad).add(begin, stop - 1)
        for begin, last in good if bad else ():
            bad.remove(begin, last)
        return [(begin, last + 1) for begin, last in bad]

    def _as_stored(self, first: int, end: int) -> Int16Array:
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


def _format_of_header(path: Path) -> SegmentFormat | None:
    """What the WFDB header and the name of an hour tell of it; None where they do not."""
    named = _NAME.fullmatch(path.name)
    if named is None:
        return None
    try:
        lines = path.with_suffix(".hea").read_text(encoding="ascii").splitlines()
        rate_hz = int(lines[0].split()[2])
        nv_per_lsb = round(1e6 / float(lines[1].split()[2].partition("(")[0]))
    except (OSError, ValueError, IndexError, ZeroDivisionError, OverflowError):
        return None
    hour = 3600 * rate_hz
    if not (0 < rate_hz < 10_000 and 0 < nv_per_lsb < 1 << 32):
        return None
    return SegmentFormat(int(named[1], 16), rate_hz, nv_per_lsb, int(named[2]) * hour, hour)

"""One hour of one boot of one node on disk: samples, journal and WFDB header.

While it grows the header names no length, because WFDB then takes it from the file's size; a WFDB
header cannot hold a start time without a length, so the start stands in a comment until the segment
is complete or sealed.

The disk's blocks for the whole hour are reserved at its beginning, beyond the end of the file,
which a reader does not see. So the file stays an append-only WFDB record of its true length, a full
disk shows at the beginning of an hour rather than in it, and a sync costs the file system one
commit of its smallest size.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bedside.events import Flags
from bedside.recording.beats import RecordedBeat
from bedside.recording.journal import (
    GROWTH_BYTES,
    RECORD_BYTES,
    Records,
    SegmentFormat,
    pack_beats,
    pack_keep,
    pack_row,
    pack_seal,
    read_journal,
)
from bedside.recording.runs import INVALID_SAMPLE, LAST_WALL_US, Run
from bedside.recording.stored_segment import SAMPLE_BYTES, vouched

_FILL = np.full(32_768, INVALID_SAMPLE, "<i2").tobytes()
_KEEP_SIZE = 1
_CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_libc = ctypes.CDLL(None, use_errno=True)


class Segment:
    """The open files of one segment. Raises OSError; what was written before stays valid."""

    def __init__(self, node: str, path: Path, segment: SegmentFormat) -> None:
        """Open the segment at `path` (no suffix), or begin it."""
        self.node = node
        self.path = path
        self.format = segment
        self._start_us: int | None = None
        self._synthetic = False
        self._sealed = False
        self._folder_changed = not path.with_suffix(".idx").exists()
        self._header_says: tuple[int | None, bool, int | None] | None = None
        with contextlib.ExitStack() as undo:
            self._samples = _open(path.with_suffix(".dat"))
            undo.callback(os.close, self._samples)
            self._journal = _open(path.with_suffix(".idx"))
            undo.callback(os.close, self._journal)
            self._samples_bytes = os.fstat(self._samples).st_size // SAMPLE_BYTES * SAMPLE_BYTES
            os.ftruncate(self._samples, self._samples_bytes)
            self._journal_end = 0
            self._read_back()
            if self._journal_end == 0:
                self._append(segment.pack())
            self._write_header()
            undo.pop_all()

    def reserve(self) -> None:
        """Have the disk's blocks for the whole segment."""
        result = _libc.fallocate(
            ctypes.c_int(self._samples),
            ctypes.c_int(_KEEP_SIZE),
            ctypes.c_long(0),
            ctypes.c_long(self.format.length * SAMPLE_BYTES),
        )
        number = ctypes.get_errno()
        if result != 0 and number not in _CANNOT_RESERVE:
            raise OSError(number, os.strerror(number))

    def write(self, run: Run) -> None:
        """Write the part of a run that lies in this segment, then its row.

        On failure both files keep the length that they had.
        """
        form = self.format
        first, samples = run.samples(form.start_sample, form.end_sample)
        offset = (first - form.start_sample) * SAMPLE_BYTES
        before = self._samples_bytes
        batch = run.first.batch
        try:
            while self._samples_bytes < offset:
                self._pwrite_samples(_FILL[: offset - self._samples_bytes], self._samples_bytes)
            self._pwrite_samples(samples, offset)
            self._append(
                pack_row(
                    flags=int(batch.flags),
                    batches=run.batches,
                    sequence=batch.sequence,
                    count=run.count,
                    first_sample=batch.first_sample,
                    wall_us=run.first.wall_us,
                    rate_mhz=batch.rate_mhz,
                    samples=samples,
                )
            )
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._samples, before)
                self._samples_bytes = before
            raise
        self._synthetic = self._synthetic or bool(batch.flags & Flags.SYNTHETIC)
        if self._start_us is None and batch.flags & Flags.CLOCK_SYNCED:
            self._anchor(batch.wall_us, batch.first_sample, batch.rate_mhz)
        self._write_header()

    def write_beats(self, beats: Sequence[RecordedBeat]) -> None:
        """Note beats that lie in this segment, in order of sample."""
        self._append(pack_beats(beats))

    def keep(self, from_sample: int, to_sample: int) -> None:
        """Note a stretch that outlives the segment."""
        self._append(pack_keep(from_sample, to_sample))

    def sync(self) -> None:
        """Bring everything written so far to the disk."""
        # The samples' file has grown and costs a commit, which brings the journal's times along.
        os.fdatasync(self._journal)
        os.fdatasync(self._samples)
        if self._folder_changed:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._folder_changed = False

    def seal(self) -> None:
        """After a sync of all that was written: nothing more comes, at least for now.

        Gives back what was reserved and not used. What was sealed may be opened and grow again.
        """
        self._append(pack_seal())
        self._sealed = True
        os.ftruncate(self._samples, self._samples_bytes)
        os.ftruncate(self._journal, self._journal_end)
        self._write_header()
        self.sync()

    def close(self) -> None:
        """Close the files, without a sync."""
        os.close(self._samples)
        os.close(self._journal)

    def verify(self) -> Records:
        """The rows whose samples lie intact in this segment; the others are struck out."""
        content = os.pread(self._journal, self._journal_end, 0)
        journal = read_journal(content)
        assert journal is not None
        samples = memoryview(os.pread(self._samples, self._samples_bytes, 0))
        rows = journal.rows
        fits = vouched(rows, self.format, samples)
        for row in rows[~fits]:
            at = content.find(row.tobytes(), RECORD_BYTES)
            _pwrite_whole(self._journal, bytes(RECORD_BYTES), at)
        intact: Records = rows[fits]
        return intact

    def strike_out(self, first: int, end: int) -> bytes:
        """Make samples missing ones; returns what stood there."""
        offset = (first - self.format.start_sample) * SAMPLE_BYTES
        length = min((end - first) * SAMPLE_BYTES, self._samples_bytes - offset)
        found = os.pread(self._samples, max(length, 0), offset)
        missing = np.full(len(found) // SAMPLE_BYTES, INVALID_SAMPLE, "<i2").tobytes()
        _pwrite_whole(self._samples, missing, offset)
        return found

    def _read_back(self) -> None:
        content = os.pread(self._journal, os.fstat(self._journal).st_size, 0)
        journal = read_journal(content)
        if journal is None:
            os.ftruncate(self._journal, 0)
            return
        self._journal_end = journal.end_bytes
        rows = journal.rows
        self._synthetic = bool((rows["flags"] & Flags.SYNTHETIC).any())
        with_clock = rows[rows["flags"] & Flags.CLOCK_SYNCED != 0]
        if len(with_clock):
            first = with_clock[0]
            self._anchor(int(first["wall_us"]), int(first["first_sample"]), int(first["rate_mhz"]))

    def _pwrite_samples(self, data: bytes, offset: int) -> None:
        _pwrite_whole(self._samples, data, offset)
        self._samples_bytes = max(self._samples_bytes, offset + len(data))

    def _append(self, records: bytes) -> None:
        size = before = os.fstat(self._journal).st_size
        self._sealed = False
        try:
            while size < self._journal_end + len(records):
                _pwrite_whole(self._journal, bytes(GROWTH_BYTES), size)
                size += GROWTH_BYTES
            _pwrite_whole(self._journal, records, self._journal_end)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._journal, before)
                _pwrite_whole(self._journal, bytes(before - self._journal_end), self._journal_end)
            raise
        self._journal_end += len(records)

    def _anchor(self, wall_us: int, sample: int, rate_mhz: int) -> None:
        """Take the segment's start from a sample whose wall time is known."""
        since_start = sample - self.format.start_sample
        start_us = wall_us - round(since_start * 1e9 / rate_mhz)
        if 0 < start_us < LAST_WALL_US:
            self._start_us = start_us

    def _write_header(self) -> None:
        length = self._samples_bytes // SAMPLE_BYTES
        complete = self._sealed or length == self.format.length
        says = (self._start_us, self._synthetic, length if complete else None)
        if says == self._header_says:
            return
        header = self._header_text(says[2]).encode()
        path = self.path.with_suffix(".hea")
        if not path.exists() or path.read_bytes() != header:
            # A reader never sees half a header: the new one takes the old one's place at once.
            new = self.path.with_suffix(".hea.new")
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                _pwrite_whole(descriptor, header, 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            new.replace(path)
            self._folder_changed = True
        self._header_says = says

    def _header_text(self, length: int | None) -> str:
        name, form = self.path.name, self.format
        record = f"{name} 1 {form.rate_hz}" + (f" {length}" if length else "")
        comments = [f"node: {self.node}", f"boot id: {form.boot_id:08x}"]
        if self._start_us is not None:
            start = datetime.fromtimestamp(self._start_us / 1e6, UTC)
            if length:
                record += f" {start:%H:%M:%S.%f %d/%m/%Y}"
            comments.append(f"start: {start:%Y-%m-%dT%H:%M:%S.%fZ}")
        if self._synthetic:
            comments.append("synthetic: parts of this signal were simulated")
        gain = 1e6 / form.nv_per_lsb
        signal = f"{name}.dat 16 {gain:.10g}(0)/mV 16 0 0 0 0 ECG"
        return "\n".join([record, signal, *(f"# {comment}" for comment in comments)]) + "\n"


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _pwrite_whole(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written

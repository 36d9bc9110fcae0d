"""One hour of one boot of one node on disk: samples, journal and WFDB header.

While it grows the header names no length, because WFDB then takes it from the file's size; a WFDB
header cannot hold a start time without a length, so the start stands in a comment until the hour
is complete.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bedside.events import Batch, Flags
from bedside.recording.journal import RECORD_BYTES, Rows, SegmentFormat, pack_row, unpack_rows

INVALID_SAMPLE = -32768
"""WFDB's mark of a missing sample in 16-bit files; a real one this low is stored as −32767."""

SAMPLE_BYTES = 2
_YEAR_2100_US = 4_102_444_800_000_000
_FILL = np.full(32_768, INVALID_SAMPLE, "<i2").tobytes()


class Segment:
    """The open files of one segment. Raises OSError; what was written before stays valid."""

    def __init__(self, node: str, path: Path, segment: SegmentFormat) -> None:
        """Open the segment at `path` (no suffix), or begin it."""
        self.node = node
        self.path = path
        self.format = segment
        self._start_us: int | None = None
        self._synthetic = False
        self._folder_changed = not path.with_suffix(".idx").exists()
        self._header_says: tuple[int | None, bool, bool] | None = None
        with contextlib.ExitStack() as undo:
            self._samples = _open(path.with_suffix(".dat"))
            undo.callback(os.close, self._samples)
            self._journal = _open(path.with_suffix(".idx"))
            undo.callback(os.close, self._journal)
            self._repair()
            self._samples_bytes = os.fstat(self._samples).st_size
            self._journal_bytes = os.fstat(self._journal).st_size
            if self._journal_bytes == 0:
                self._append_record(segment.pack())
            self._write_header()
            undo.pop_all()

    def write(self, batch: Batch) -> None:
        """Write the part of `batch` that lies in this segment, then its journal row.

        On failure both files keep the length that they had.
        """
        first = max(batch.first_sample, self.format.start_sample)
        end = min(batch.end_sample, self.format.end_sample)
        part = batch.samples[first - batch.first_sample : end - batch.first_sample]
        samples = np.maximum(part, INVALID_SAMPLE + 1).astype("<i2").tobytes()
        offset = (first - self.format.start_sample) * SAMPLE_BYTES
        before = self._samples_bytes
        try:
            while self._samples_bytes < offset:
                self._pwrite_samples(_FILL[: offset - self._samples_bytes], self._samples_bytes)
            self._pwrite_samples(samples, offset)
            self._append_record(pack_row(batch, samples))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._samples, before)
                self._samples_bytes = before
            raise
        self._synthetic = self._synthetic or bool(batch.flags & Flags.SYNTHETIC)
        if self._start_us is None and batch.flags & Flags.CLOCK_SYNCED:
            self._anchor(batch.wall_us, batch.first_sample, batch.rate_mhz)
        self._write_header()

    def sync(self) -> None:
        """Bring everything written so far to the disk."""
        os.fdatasync(self._samples)
        os.fdatasync(self._journal)
        if self._folder_changed:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._folder_changed = False

    def close(self) -> None:
        """Close the files, without a sync."""
        os.close(self._samples)
        os.close(self._journal)

    def rows(self) -> Rows:
        """The rows whose samples lie intact in this segment, in the order of writing."""
        journal = os.pread(self._journal, self._journal_bytes, 0)[RECORD_BYTES:]
        rows, intact = unpack_rows(journal)
        rows = rows[intact]
        samples = memoryview(os.pread(self._samples, self._samples_bytes, 0))
        start, length = self.format.start_sample, self.format.length
        firsts = rows["first_sample"].astype(np.int64) - start
        begins = np.clip(firsts, 0, length) * SAMPLE_BYTES
        ends = np.clip(firsts + rows["count"], 0, length) * SAMPLE_BYTES
        crcs = [
            zlib.crc32(samples[begin:end])
            for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        ]
        vouched: Rows = rows[rows["samples_crc"] == np.array(crcs, "<u4")]
        return vouched

    def _repair(self) -> None:
        samples_bytes = os.fstat(self._samples).st_size
        os.ftruncate(self._samples, samples_bytes - samples_bytes % SAMPLE_BYTES)
        journal = os.pread(self._journal, os.fstat(self._journal).st_size, 0)
        if len(journal) < RECORD_BYTES:
            os.ftruncate(self._journal, 0)
            return
        rows, intact = unpack_rows(journal[RECORD_BYTES:])
        kept = int(np.flatnonzero(intact)[-1]) + 1 if intact.any() else 0
        os.ftruncate(self._journal, (1 + kept) * RECORD_BYTES)
        rows = rows[intact]
        self._synthetic = bool((rows["flags"] & Flags.SYNTHETIC).any())
        with_clock = rows[rows["flags"] & Flags.CLOCK_SYNCED != 0]
        if len(with_clock):
            first = with_clock[0]
            self._anchor(int(first["wall_us"]), int(first["first_sample"]), int(first["rate_mhz"]))

    def _pwrite_samples(self, data: bytes, offset: int) -> None:
        _pwrite_whole(self._samples, data, offset)
        self._samples_bytes = max(self._samples_bytes, offset + len(data))

    def _append_record(self, record: bytes) -> None:
        try:
            _pwrite_whole(self._journal, record, self._journal_bytes)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._journal, self._journal_bytes)
            raise
        self._journal_bytes += len(record)

    def _anchor(self, wall_us: int, sample: int, rate_mhz: int) -> None:
        """Take the segment's start from a sample whose wall time is known."""
        since_start = sample - self.format.start_sample
        start_us = wall_us - round(since_start * 1e9 / rate_mhz)
        if 0 < start_us < _YEAR_2100_US:
            self._start_us = start_us

    def _write_header(self) -> None:
        complete = self._samples_bytes == self.format.length * SAMPLE_BYTES
        says = (self._start_us, self._synthetic, complete)
        if says == self._header_says:
            return
        header = self._header_text(complete).encode()
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

    def _header_text(self, complete: bool) -> str:
        name, form = self.path.name, self.format
        record = f"{name} 1 {form.rate_hz}"
        comments = [f"node: {self.node}", f"boot id: {form.boot_id:08x}"]
        if self._start_us is not None:
            start = datetime.fromtimestamp(self._start_us / 1e6, UTC)
            if complete:
                record += f" {form.length} {start:%H:%M:%S.%f %d/%m/%Y}"
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

"""The journal beside a segment's samples: one fixed-size row for every batch that was written.

A file of 36-byte records, little-endian, each ending with the CRC-32 of what stands before it. The
first record describes the segment, every later one a batch (`ROW`).

A row is written after its samples and names the CRC of those samples, so that a row that reached
the disk without them does not count. A batch that straddles two segments has its row in both, and
counts as stored when both are intact.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.events import Batch

Rows = NDArray[np.void]
"""Rows of a journal, shape (n,), with the fields of `ROW`."""

ROW = np.dtype(
    [
        ("sequence", "<u4"),
        ("flags", "<u2"),
        ("count", "<u2"),
        ("first_sample", "<u8"),
        ("wall_us", "<i8"),
        ("rate_mhz", "<u4"),
        ("samples_crc", "<u4"),
        ("crc", "<u4"),
    ]
)
"""A batch as the node sent it; `samples_crc` is of the samples that lie in this segment."""

RECORD_BYTES = ROW.itemsize
_SEGMENT = struct.Struct("<8sIIIQ4x")
_MAGIC = b"BEDIDX\x00\x01"


@dataclass(frozen=True, slots=True)
class SegmentFormat:
    """What all samples of a segment share."""

    boot_id: int
    rate_hz: int
    nv_per_lsb: int
    start_sample: int

    @property
    def length(self) -> int:
        """How many samples the segment may hold: one hour's."""
        return 3600 * self.rate_hz

    @property
    def end_sample(self) -> int:
        """The index just after the last sample that the segment may hold."""
        return self.start_sample + self.length

    def pack(self) -> bytes:
        """The journal's first record."""
        return _sealed(
            _SEGMENT.pack(_MAGIC, self.boot_id, self.rate_hz, self.nv_per_lsb, self.start_sample)
        )

    @classmethod
    def unpack(cls, record: bytes) -> SegmentFormat | None:
        """The format in a journal's first record, or None where it is damaged."""
        if record != _sealed(record[:-4]) or len(record) != RECORD_BYTES:
            return None
        magic, *fields = _SEGMENT.unpack(record[:-4])
        return cls(*fields) if magic == _MAGIC else None


def pack_row(batch: Batch, samples: bytes) -> bytes:
    """The row of `batch`, of which `samples` (int16, little-endian) lie in this segment."""
    row = np.array(
        (
            batch.sequence,
            int(batch.flags),
            len(batch.samples),
            batch.first_sample,
            batch.wall_us,
            batch.rate_mhz,
            zlib.crc32(samples),
            0,
        ),
        ROW,
    )
    return _sealed(row.tobytes()[:-4])


def unpack_rows(records: bytes) -> tuple[Rows, NDArray[np.bool_]]:
    """The rows of a journal without its first record, and which of them are intact; shape (n,)."""
    rows = np.frombuffer(records, ROW, count=len(records) // RECORD_BYTES)
    view, body = memoryview(records), RECORD_BYTES - 4
    crcs = [
        zlib.crc32(view[at : at + body]) for at in range(0, len(rows) * RECORD_BYTES, RECORD_BYTES)
    ]
    return rows, rows["crc"] == np.array(crcs, "<u4")


def _sealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "little")

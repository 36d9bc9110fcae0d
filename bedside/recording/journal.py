"""The journal beside a segment's samples: which batches they came in, their beats, what is kept.

A file of 44-byte records, little-endian, each ending with the CRC-32 of what stands before it. The
first one describes the segment (`SegmentFormat`); the kind of each later one is its first byte:

- 1, a run of batches (`ROW`): consecutive batches with one set of flags and one course of the
  clock, of which `samples_crc` vouches for the samples, so that a row that reached the disk without
  them does not count. A run lies in one segment; a batch that straddles two is a run of its own in
  both, and counts as stored when both are intact.
- 2, up to five beats (`BEATS`), as they were found live.
- 3, a stretch to keep (`KEEP`), because something alarmed in it.
- 4, the seal (`SEAL`): where it is the last record, everything before it was synced, and a restart
  need not read the samples.

The file grows by zeros (`GROWTH_BYTES`) before records take their place, so that a sync of it need
not change its length. Zeros, torn records and records of an unknown kind are passed over.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.events import BeatClass, Float64Array
from bedside.recording.beats import RecordedBeat

Records = NDArray[np.void]
"""Records of one kind, shape (n,), with the fields of `ROW`, `BEATS` or `KEEP`."""

ROW = np.dtype(
    [
        ("kind", "u1"),
        ("", "u1"),
        ("flags", "<u2"),
        ("batches", "<u4"),
        ("sequence", "<u4"),
        ("count", "<u4"),
        ("first_sample", "<u8"),
        ("wall_us", "<i8"),
        ("rate_mhz", "<u4"),
        ("samples_crc", "<u4"),
        ("crc", "<u4"),
    ]
)
"""`sequence` and `wall_us` are those of the first of `batches`, which hold `count` samples.

`samples_crc` is of those samples that lie in this segment. `wall_us` is Unix time by the node's
clock where `flags` say that it is synced, else by the station's when the batch came (0: unknown).
"""

BEATS = np.dtype(
    [
        ("kind", "u1"),
        ("beats", "u1"),
        ("", "<u2"),
        ("first_sample", "<u8"),
        ("beat", [("after", "<u2"), ("error", "<f2"), ("what", "u1")], (5,)),
        ("", "u1", (3,)),
        ("crc", "<u4"),
    ]
)
"""R peaks from `first_sample` on, each `after` the one before it; `error` NaN: not scored.

The low two bits of `what` are the class (N, S, V, Q), the third is set when the beat was abnormal.
"""

KEEP = np.dtype(
    [
        ("kind", "u1"),
        ("", "u1", (3,)),
        ("from_sample", "<u8"),
        ("to_sample", "<u8"),
        ("", "u1", (20,)),
        ("crc", "<u4"),
    ]
)
"""Samples `from_sample` up to `to_sample` outlive their segment; either may lie outside of it."""

SEAL = np.dtype([("kind", "u1"), ("", "u1", (39,)), ("crc", "<u4")])

RECORD_BYTES = ROW.itemsize
GROWTH_BYTES = 16_384
_ROW, _BEATS, _KEEP, _SEAL = 1, 2, 3, 4
_SEGMENT = struct.Struct("<8sIIIQII4x")
_MAGIC = b"BEDIDX\x00\x02"
CLASSES = (
    BeatClass.NORMAL,
    BeatClass.SUPRAVENTRICULAR,
    BeatClass.VENTRICULAR,
    BeatClass.UNKNOWN,
)
_ABNORMAL = 4
_BEATS_PER_RECORD = 5
_LONGEST_STEP = 65_535
_SAMPLES = 1 << 48


@dataclass(frozen=True, slots=True)
class SegmentFormat:
    """What all samples of a segment share.

    `length` is how many samples it may hold; `number` counts a node's segments in the order in
    which they were begun, whatever the clock says.
    """

    boot_id: int
    rate_hz: int
    nv_per_lsb: int
    start_sample: int
    length: int
    number: int = 0

    @property
    def end_sample(self) -> int:
        """The index just after the last sample that the segment may hold."""
        return self.start_sample + self.length

    def pack(self) -> bytes:
        """The journal's first record."""
        return _sealed(
            _SEGMENT.pack(
                _MAGIC,
                self.boot_id,
                self.rate_hz,
                self.nv_per_lsb,
                self.start_sample,
                self.length,
                self.number,
            )
        )

    @classmethod
    def unpack(cls, record: bytes) -> SegmentFormat | None:
        """The format in a journal's first record, or None where it is damaged."""
        if len(record) != RECORD_BYTES or record != _sealed(record[:-4]):
            return None
        magic, *fields = _SEGMENT.unpack(record[:-4])
        form = cls(*fields)
        usable = magic == _MAGIC and form.rate_hz > 0 and form.nv_per_lsb > 0
        return form if usable else None


@dataclass(frozen=True, slots=True, eq=False)
class BeatTable:
    """Beats as arrays of shape (n,) in order of `sample`.

    `beat_class` indexes `CLASSES`; `error` is in units of its threshold's scale, NaN: not scored.
    """

    sample: NDArray[np.int64]
    beat_class: NDArray[np.uint8]
    error: Float64Array
    abnormal: NDArray[np.bool_]

    def within(self, first: int, end: int) -> BeatTable:
        """The beats from `first` up to `end`."""
        part = slice(*np.searchsorted(self.sample, [first, end]))
        return BeatTable(
            self.sample[part], self.beat_class[part], self.error[part], self.abnormal[part]
        )

    def beats(self, boot_id: int) -> list[RecordedBeat]:
        """One object a beat."""
        return [
            RecordedBeat(boot_id, sample, CLASSES[kind], None if np.isnan(error) else error, odd)
            for sample, kind, error, odd in zip(
                self.sample.tolist(),
                self.beat_class.tolist(),
                self.error.tolist(),
                self.abnormal.tolist(),
                strict=True,
            )
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Journal:
    """What a segment's journal holds; `end_bytes` is where the next record goes.

    `damaged` counts the records that are not as they were written.
    """

    format: SegmentFormat
    rows: Records
    beats: Records
    keeps: Records
    sealed: bool
    end_bytes: int
    damaged: int = 0


def read_journal(content: bytes) -> Journal | None:
    """The intact records of a journal's file, or None where its first record is damaged."""
    form = SegmentFormat.unpack(content[:RECORD_BYTES])
    if form is None:
        return None
    body = content[RECORD_BYTES:]
    count = len(body) // RECORD_BYTES
    records = np.frombuffer(body, SEAL, count=count)
    written = np.flatnonzero(records["kind"])
    view, checked = memoryview(body), RECORD_BYTES - 4
    starts = (written * RECORD_BYTES).tolist()
    crcs = [zlib.crc32(view[at : at + checked]) for at in starts]
    intact = written[records["crc"][written] == np.array(crcs, "<u4")]
    kinds = records["kind"][intact]
    rows = records[intact[kinds == _ROW]].view(ROW)
    last = int(intact[-1]) if len(intact) else -1
    return Journal(
        form,
        rows[(rows["rate_mhz"] > 0) & (rows["first_sample"] < _SAMPLES)],
        records[intact[kinds == _BEATS]].view(BEATS),
        records[intact[kinds == _KEEP]].view(KEEP),
        bool(len(intact)) and int(records["kind"][last]) == _SEAL,
        (last + 2) * RECORD_BYTES,
        len(written) - len(intact),
    )


def pack_row(
    *,
    flags: int,
    batches: int,
    sequence: int,
    count: int,
    first_sample: int,
    wall_us: int,
    rate_mhz: int,
    samples: bytes,
) -> bytes:
    """The row of a run, of which `samples` (int16, little-endian) lie in this segment."""
    row = np.zeros((), ROW)
    row["kind"], row["flags"], row["batches"] = _ROW, flags, batches
    row["sequence"], row["count"], row["first_sample"] = sequence, count, first_sample
    row["wall_us"], row["rate_mhz"], row["samples_crc"] = wall_us, rate_mhz, zlib.crc32(samples)
    return _sealed(row.tobytes()[:-4])


def pack_beats(beats: Sequence[RecordedBeat]) -> bytes:
    """Records of beats of one boot in order of sample."""
    records, part = b"", list[RecordedBeat]()
    for beat in beats:
        far = bool(part) and not 0 <= beat.sample - part[-1].sample <= _LONGEST_STEP
        if far or len(part) == _BEATS_PER_RECORD:
            records += _beats_record(part)
            part = []
        part.append(beat)
    return records + (_beats_record(part) if part else b"")


def unpack_beats(records: Records) -> BeatTable:
    """The beats of records, in order of sample."""
    beat = records["beat"]
    valid = np.arange(_BEATS_PER_RECORD) < records["beats"][:, np.newaxis]
    after = np.cumsum(beat["after"].astype(np.int64), axis=1)
    samples = (records["first_sample"].astype(np.int64)[:, np.newaxis] + after)[valid]
    order = np.argsort(samples, kind="stable")
    what = beat["what"][valid][order]
    return BeatTable(
        samples[order],
        (what & 3).astype(np.uint8),
        beat["error"][valid][order].astype(np.float64),
        (what & _ABNORMAL) > 0,
    )


def pack_keep(from_sample: int, to_sample: int) -> bytes:
    """The record of a stretch to keep."""
    keep = np.zeros((), KEEP)
    keep["kind"], keep["from_sample"], keep["to_sample"] = _KEEP, from_sample, to_sample
    return _sealed(keep.tobytes()[:-4])


def pack_seal() -> bytes:
    """The record that says that all before it was synced."""
    return _sealed(bytes([_SEAL]) + bytes(RECORD_BYTES - 5))


def _beats_record(beats: Sequence[RecordedBeat]) -> bytes:
    record = np.zeros((), BEATS)
    record["kind"], record["beats"], record["first_sample"] = _BEATS, len(beats), beats[0].sample
    before = beats[0].sample
    for number, beat in enumerate(beats):
        error = np.nan if beat.error is None else min(beat.error, 65_000.0)
        what = CLASSES.index(beat.beat_class) | (_ABNORMAL if beat.abnormal else 0)
        record["beat"][number] = (beat.sample - before, error, what)
        before = beat.sample
    return _sealed(record.tobytes()[:-4])


def _sealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "little")

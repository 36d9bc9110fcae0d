"""The unbroken stretches of a recording, and how their samples lie in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bedside.events import Flags, Float64Array
from bedside.recording.journal import Records, SegmentFormat
from bedside.recording.stored_segment import StoredSegment

LONGEST_HOLE_S = 10.0
"""A longer hole in the samples ends a span."""

CLOCK_STEP_S = 2.5
"""A clock that jumps further ends a span."""

STEADY_S = 600.0
"""From here on a span's own clock tells its rate better than the node's measurement."""


@dataclass(frozen=True, slots=True)
class Span:
    """Samples of one boot of a node without a long hole; `rate_hz` is the true one."""

    bed: str
    boot_id: int
    first_sample: int
    end_sample: int
    from_wall_us: int
    rate_hz: float
    nominal_rate_hz: int
    nv_per_lsb: int
    synthetic: bool
    clock_synced: bool

    @property
    def to_wall_us(self) -> int:
        """The moment of its end."""
        return self.wall_us(self.end_sample)

    def wall_us(self, sample: int) -> int:
        """The moment of a sample."""
        return self.from_wall_us + round((sample - self.first_sample) / self.rate_hz * 1e6)

    def sample_at(self, wall_us: int) -> int:
        """The sample at a moment, within the span."""
        sample = self.first_sample + round((wall_us - self.from_wall_us) * 1e-6 * self.rate_hz)
        return min(max(sample, self.first_sample), self.end_sample)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of one boot in order of sample, each as far as its segment holds it; shape (n,).

    A row without a clock has its time from the row before that had one, or else the first.
    """

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    walls_us: Float64Array
    records: Records

    def part(self, left: int, right: int) -> _Rows:
        cut = slice(left, right)
        return _Rows(self.begins[cut], self.ends[cut], self.walls_us[cut], self.records[cut])


def spans_of(bed: str, segments: Sequence[StoredSegment]) -> tuple[Span, ...]:
    """The spans of segments of one boot that share rate and gain; at least one segment.

    There are none where no clock ever told when the boot was.
    """
    rows = _rows(segments)
    if not np.isfinite(rows.walls_us).any():
        return ()
    form = segments[0].format
    broken = rows.begins[1:] - rows.ends[:-1] > LONGEST_HOLE_S * form.rate_hz
    elapsed_s = np.diff(rows.begins) * 1e3 / rows.records["rate_mhz"][:-1]
    broken |= np.abs(np.diff(rows.walls_us) / 1e6 - elapsed_s) > CLOCK_STEP_S
    edges = [0, *(np.flatnonzero(broken) + 1).tolist(), len(rows.begins)]
    return tuple(_span(bed, form, rows.part(left, right)) for left, right in pairwise(edges))


def _rows(segments: Sequence[StoredSegment]) -> _Rows:
    records = np.concatenate([segment.journal.rows for segment in segments])
    counts = [len(segment.journal.rows) for segment in segments]
    starts = np.repeat([segment.format.start_sample for segment in segments], counts)
    stops = np.repeat([segment.format.end_sample for segment in segments], counts)
    firsts = records["first_sample"].astype(np.int64)
    begins = np.maximum(firsts, starts)
    ends = np.minimum(firsts + records["count"], stops)
    walls_us = records["wall_us"].astype(np.float64)
    walls_us[walls_us == 0] = np.nan
    walls_us += (begins - firsts) * 1e9 / records["rate_mhz"]
    order = np.argsort(begins, kind="stable")
    order = order[(begins < ends)[order]]
    begins, walls_us, records = begins[order], walls_us[order], records[order]
    known = np.isfinite(walls_us)
    source = np.maximum.accumulate(np.where(known, np.arange(len(begins)), -1))
    source[source < 0] = np.argmax(known) if len(known) else 0
    walls_us = walls_us[source] + (begins - begins[source]) * 1e9 / records["rate_mhz"][source]
    return _Rows(begins, np.maximum.accumulate(ends[order]), walls_us, records)


def _span(bed: str, form: SegmentFormat, rows: _Rows) -> Span:
    begins, walls_us = rows.begins, rows.walls_us
    rate_hz = float(np.median(rows.records["rate_mhz"])) / 1e3
    lasted_s = float(walls_us[-1] - walls_us[0]) / 1e6
    if lasted_s > STEADY_S:
        measured_hz = float(begins[-1] - begins[0]) / lasted_s
        if abs(measured_hz / rate_hz - 1) < 0.005:
            rate_hz = measured_hz
    flags = rows.records["flags"]
    return Span(
        bed=bed,
        boot_id=form.boot_id,
        first_sample=int(begins[0]),
        end_sample=int(rows.ends[-1]),
        from_wall_us=round(float(walls_us[0])),
        rate_hz=rate_hz,
        nominal_rate_hz=form.rate_hz,
        nv_per_lsb=form.nv_per_lsb,
        synthetic=bool((flags & Flags.SYNTHETIC).any()),
        clock_synced=bool((flags & Flags.CLOCK_SYNCED).any()),
    )

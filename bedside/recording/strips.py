"""A strip of ECG as a page for a printer: SVG at true scale, 25 mm/s and 10 mm/mV.

A4, landscape, its lengths in millimetres: printed at 100 % a ruler can be laid on it. Ten seconds a
row, on a grid of 1 and 5 mm, each row begun by a pulse of 1 mV and 0.2 s. Rows are as high as the
signal needs; what exceeds ±4.5 mV is cut, and the page says so. The signal is filtered forwards and
backwards (0.5 to 40 Hz, no delay) or drawn as it was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import numpy as np

from bedside.events import Float64Array
from bedside.recording.export.piece import Piece, active_s, onset_s

MM_PER_S = 25.0
MM_PER_MV = 10.0
ROW_S = 10.0
HIGH_PASS_HZ = 0.5
LOW_PASS_HZ = 40.0

_PAGE_MM = 297.0, 210.0
_LEFT_MM, _TOP_MM = 30.0, 20.0
_ROWS_MM = 180.0
_ROW_HEIGHTS_MM = (30.0, 45.0, 60.0, 90.0)
_PULSE_MM = 5.0
_SHORTEST_FILTERED = 64
_LABEL_LINES = 3


@dataclass(frozen=True, slots=True)
class _Row:
    """Where one row of the page begins: seconds of the piece, mm from the top to 0 mV."""

    from_s: float
    zero_mm: float
    high_mm: float

    def x_mm(self, at_s: float) -> float:
        return _LEFT_MM + (at_s - self.from_s) * MM_PER_S

    def holds(self, at_s: float) -> bool:
        return self.from_s <= at_s < self.from_s + ROW_S


def band_passed(samples_mv: Float64Array, rate_hz: float) -> Float64Array:
    """The signal from 0.5 to 40 Hz without delay, shape (n,); holes stay NaN."""
    # Not at the start of a station, which it would make half a second longer.
    from scipy import signal

    sections = signal.butter(2, [HIGH_PASS_HZ, LOW_PASS_HZ], "bandpass", fs=rate_hz, output="sos")
    result = np.full(len(samples_mv), np.nan)
    for first, end in _runs(samples_mv):
        part = samples_mv[first:end]
        long = len(part) >= _SHORTEST_FILTERED
        padding = min(len(part) - 1, round(3 * rate_hz))
        result[first:end] = (
            signal.sosfiltfilt(sections, part, padlen=padding) if long else part - np.mean(part)
        )
    return result


def pages(piece: Piece, *, filtered: bool = True) -> list[str]:
    """The piece as SVG documents, a minute a page."""
    samples_mv = piece.samples_mv
    finite = samples_mv[np.isfinite(samples_mv)]
    if filtered:
        samples_mv = band_passed(samples_mv, piece.rate_hz)
    elif len(finite):
        samples_mv = samples_mv - np.median(finite)
    finite = samples_mv[np.isfinite(samples_mv)]
    reach_mm = float(np.percentile(np.abs(finite), 99.9)) * MM_PER_MV if len(finite) else 0.0
    row_mm = next((high for high in _ROW_HEIGHTS_MM if reach_mm <= high / 2), _ROW_HEIGHTS_MM[-1])
    length_s = len(samples_mv) / piece.rate_hz
    starts = np.arange(0.0, length_s, ROW_S * (_ROWS_MM // row_mm))
    return [
        _page(piece, samples_mv, _Layout(float(start), row_mm, number + 1, len(starts)), filtered)
        for number, start in enumerate(starts)
    ]


@dataclass(frozen=True, slots=True)
class _Layout:
    """A page: seconds of the piece at its beginning, the height of its rows, its number."""

    from_s: float
    row_mm: float
    number: int
    of: int

    def rows(self, length_s: float) -> list[_Row]:
        return [
            _Row(
                self.from_s + ROW_S * row,
                _TOP_MM + self.row_mm * (row + 0.5),
                self.row_mm,
            )
            for row in range(round(_ROWS_MM // self.row_mm))
            if self.from_s + ROW_S * row < length_s
        ]


def _page(piece: Piece, samples_mv: Float64Array, layout: _Layout, filtered: bool) -> str:
    rows = layout.rows(len(samples_mv) / piece.rate_hz)
    wide, high = _PAGE_MM
    grid_high = layout.row_mm * len(rows)
    limit_mv = layout.row_mm / 2 / MM_PER_MV
    beyond = np.abs(samples_mv[np.isfinite(samples_mv)]) > limit_mv
    cut = f" CUT at ±{limit_mv:g} mV." if beyond.any() else ""
    band = f"{HIGH_PASS_HZ:g}–{LOW_PASS_HZ:g} Hz" if filtered else "as sent, no filter"
    simulated = "   SYNTHETIC" if piece.stretch.span.synthetic else ""
    clock = "" if piece.stretch.span.clock_synced else " (by arrival: the node had no clock)"
    began = datetime.fromtimestamp(
        piece.stretch.from_wall_us / 1e6 + layout.from_s, UTC
    ).astimezone()
    body = [
        f'<text x="{_LEFT_MM:g}" y="9" class="title">Bed {escape(piece.bed)}{simulated}</text>',
        f'<text x="{_LEFT_MM:g}" y="14">{began:%Y-%m-%d %H:%M:%S %Z}{clock} · one lead · '
        f"{MM_PER_S:g} mm/s · {MM_PER_MV:g} mm/mV · {band} · {piece.rate_hz:.2f} Hz</text>",
        f'<text x="{wide - 17:g}" y="9" class="right">bedside · not a medical device</text>',
        f'<text x="{wide - 17:g}" y="14" class="right">page {layout.number} of {layout.of} · '
        "print at 100 %</text>",
        f'<text x="{_LEFT_MM:g}" y="{_TOP_MM + grid_high + 4:g}">Beats: N normal, S '
        "supraventricular, V ventricular, Q unknown, * high reconstruction error. Dotted: an "
        f"alarm's cause began; dashed: it alarmed.{cut}</text>",
        f'<rect x="{_LEFT_MM:g}" y="{_TOP_MM:g}" width="{ROW_S * MM_PER_S:g}" '
        f'height="{grid_high:g}" fill="url(#grid)" class="frame"/>',
    ]
    for row in rows:
        body += _row(piece, samples_mv, row)
    content = "\n".join(body)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}mm" height="{high:g}mm" \
viewBox="0 0 {wide:g} {high:g}">
<style>
text {{ font: 3px sans-serif; }} .title {{ font: bold 4px sans-serif; }}
.right {{ text-anchor: end; }} .beat {{ font-size: 2.4px; text-anchor: middle; }}
.time {{ font-size: 2.6px; text-anchor: end; }} .alarm {{ font-weight: bold; }}
.trace {{ fill: none; stroke: #000; stroke-width: 0.25; stroke-linejoin: round; }}
.thin {{ fill: none; stroke: #f2b8b8; stroke-width: 0.1; }}
.thick {{ fill: none; stroke: #e08080; stroke-width: 0.25; }}
.frame {{ stroke: #e08080; stroke-width: 0.25; }}
.mark {{ stroke: #000; stroke-width: 0.3; stroke-dasharray: 1 0.7; }}
.onset {{ stroke: #000; stroke-width: 0.2; stroke-dasharray: 0.3 0.9; }}
</style>
<defs><pattern id="grid" width="5" height="5" x="{_LEFT_MM:g}" y="{_TOP_MM:g}" \
patternUnits="userSpaceOnUse">
<rect width="5" height="5" fill="#fff"/>
<path class="thin" d="M1 0V5M2 0V5M3 0V5M4 0V5M0 1H5M0 2H5M0 3H5M0 4H5"/>
<path class="thick" d="M0 0V5M0 0H5"/>
</pattern></defs>
<rect width="{wide:g}" height="{high:g}" fill="#fff"/>
{content}
</svg>
"""


def _row(piece: Piece, samples_mv: Float64Array, row: _Row) -> list[str]:
    moment = datetime.fromtimestamp(piece.stretch.from_wall_us / 1e6 + row.from_s, UTC).astimezone()
    left = _LEFT_MM - _PULSE_MM - 6
    drawn = [
        f'<text x="{left + 4:g}" y="{row.zero_mm - 11.5:g}" class="time">{moment:%H:%M:%S}</text>',
        f'<path class="trace calibration" d="M{left:g} {row.zero_mm:g}h3v{-MM_PER_MV:g}'
        f'h{_PULSE_MM:g}v{MM_PER_MV:g}h3"/>',
    ]
    first = round(row.from_s * piece.rate_hz)
    part = samples_mv[first : first + round(ROW_S * piece.rate_hz)]
    limit = row.high_mm / 2 / MM_PER_MV
    for begin, end in _runs(part):
        seconds = (first + np.arange(begin, end)) / piece.rate_hz
        heights = row.zero_mm - np.clip(part[begin:end], -limit, limit) * MM_PER_MV
        points = " ".join(
            f"{row.x_mm(at):.2f},{y:.2f}" for at, y in zip(seconds, heights, strict=True)
        )
        drawn.append(f'<polyline class="trace" points="{points}"/>')
    top = row.zero_mm - row.high_mm / 2
    for beat in piece.stretch.beats:
        at_s = piece.seconds(beat.sample)
        if row.holds(at_s):
            odd = "*" if beat.abnormal else ""
            drawn.append(
                f'<text x="{row.x_mm(at_s):.2f}" y="{top + 2.8:g}" class="beat">'
                f"{beat.beat_class.value}{odd}</text>"
            )
    for number, event in enumerate(piece.events):
        began_s, at_s = onset_s(piece.stretch, event), active_s(piece.stretch, event)
        if row.holds(began_s):
            drawn.append(
                f'<path class="onset" d="M{row.x_mm(began_s):.2f} {top:g}v{row.high_mm:g}"/>'
            )
        if row.holds(at_s):
            x, y = row.x_mm(at_s), top + row.high_mm - 1 - 3.2 * (number % _LABEL_LINES)
            drawn.append(
                f'<path class="mark" d="M{x:.2f} {top:g}v{row.high_mm:g}"/>'
                f'<text x="{x + 0.7:.2f}" y="{y:g}" class="alarm">'
                f"{escape(f'{event.priority.mark} {event.text}')}</text>"
            )
    return drawn


def _runs(samples_mv: Float64Array) -> Sequence[tuple[int, int]]:
    """First and end of each run without a hole."""
    there = np.flatnonzero(np.isfinite(samples_mv))
    if len(there) == 0:
        return []
    cuts = np.flatnonzero(np.diff(there) > 1)
    return list(
        zip(
            there[np.r_[0, cuts + 1]].tolist(),
            (there[np.r_[cuts, len(there) - 1]] + 1).tolist(),
            strict=True,
        )
    )

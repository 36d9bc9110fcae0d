"""From millivolts to glyphs: pure numpy, no screen.

A trace is drawn per dot column as the envelope (least and greatest value) of its samples, joined
to the sample before, so that no R peak falls between two columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.events import Float32Array, Float64Array
from bedside.tui.glyphs import CodeArray, GlyphSet

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

SCALE_STEP_MV = 0.25
LEAST_SPAN_MV = 1.0
GREATEST_MV = 5.0
SHRINK_BELOW = 0.6


@dataclass(frozen=True, slots=True)
class Scale:
    """What the lowest and the highest dot row stand for, in mV."""

    low_mv: float = -0.5
    high_mv: float = 1.0

    @property
    def span_mv(self) -> float:
        """The height of the picture in mV."""
        return self.high_mv - self.low_mv

    def dot_rows(self, values_mv: Float64Array, dot_rows: int) -> IntArray:
        """The row of dots of each value, 0 at the top; beyond the scale is drawn at its edge."""
        rows = (self.high_mv - values_mv) / self.span_mv * (dot_rows - 1)
        clipped = np.clip(np.rint(rows), 0, dot_rows - 1)
        return np.where(np.isnan(clipped), 0, clipped).astype(np.int64)


def fit_scale(low_mv: float, high_mv: float) -> Scale:
    """The scale for values between two limits: steps of 0.25 mV, at least 1 mV, at most ±5 mV.

    A flat line therefore stays flat: its noise is never blown up to the height of a beat.
    """
    low = np.floor(max(low_mv, -GREATEST_MV) / SCALE_STEP_MV) * SCALE_STEP_MV
    high = np.ceil(min(high_mv, GREATEST_MV) / SCALE_STEP_MV) * SCALE_STEP_MV
    short = LEAST_SPAN_MV - (high - low)
    if short > 0:
        low -= np.floor(short / 3 / SCALE_STEP_MV) * SCALE_STEP_MV
        high = max(high, low + LEAST_SPAN_MV)
    return Scale(float(low), float(high))


def shifted_scale(span_mv: float, low_mv: float, high_mv: float) -> Scale:
    """A scale of a fixed span around values between two limits, moved in steps of 0.25 mV.

    The baseline stands at two fifths of the height as long as everything fits there.
    """
    low = -0.4 * span_mv
    if low_mv < low or high_mv > low + span_mv:
        middle = (low_mv + high_mv) / 2
        low = float(np.floor((middle - span_mv / 2) / SCALE_STEP_MV) * SCALE_STEP_MV)
    return Scale(low, low + span_mv)


def segments(
    samples_mv: Float32Array | Float64Array, before_mv: float
) -> tuple[Float64Array, Float64Array]:
    """Least and greatest value between each sample and the one before it, each of shape (n,).

    NaN samples give NaN; a sample after a NaN stands alone.
    """
    values = samples_mv.astype(np.float64)
    previous = np.concatenate(([before_mv], values[:-1]))
    missing = np.isnan(values)
    low = np.where(missing, np.nan, np.fmin(values, previous))
    high = np.where(missing, np.nan, np.fmax(values, previous))
    return low, high


def envelope(
    columns: IntArray, low: Float64Array, high: Float64Array
) -> tuple[IntArray, Float64Array, Float64Array]:
    """Least and greatest value per column.

    `columns` of shape (n,) does not decrease; the result has one entry for each different column.
    """
    starts = np.flatnonzero(np.diff(columns, prepend=columns[0] - 1))
    return columns[starts], np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)


def column_dots(
    low_mv: Float64Array, high_mv: Float64Array, scale: Scale, dot_rows: int
) -> BoolArray:
    """The dots of columns with these envelopes, shape (dot_rows, n); NaN columns are blank."""
    top = scale.dot_rows(high_mv, dot_rows)
    bottom = scale.dot_rows(low_mv, dot_rows)
    row = np.arange(dot_rows)[:, np.newaxis]
    return (row >= top) & (row <= bottom) & ~np.isnan(high_mv)


def glyph_codes(dots: BoolArray, glyphs: GlyphSet) -> CodeArray:
    """The code points of dots of shape (rows · dots_high, columns · dots_wide)."""
    high, wide = glyphs.dots_high, glyphs.dots_wide
    rows, columns = dots.shape[0] // high, dots.shape[1] // wide
    weights = 1 << np.arange(high * wide).reshape(high, wide)
    cells = dots.reshape(rows, high, columns, wide)
    patterns = np.einsum("rhcw,hw->rc", cells, weights)
    codes: CodeArray = glyphs.table[patterns]
    return codes


def text_of(codes: CodeArray) -> str:
    """Code points of shape (n,) as text."""
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def curve_dots(
    values_mv: Float32Array, scale: Scale, columns: int, rows: int, glyphs: GlyphSet
) -> BoolArray:
    """A curve stretched over columns × rows cells, as dots."""
    dot_columns, dot_rows = columns * glyphs.dots_wide, rows * glyphs.dots_high
    positions = np.linspace(0, len(values_mv) - 1, 4 * dot_columns)
    fine = np.interp(positions, np.arange(len(values_mv)), values_mv.astype(np.float64))
    low, high = segments(fine, float(fine[0]))
    _, low, high = envelope(np.repeat(np.arange(dot_columns), 4), low, high)
    return column_dots(low, high, scale, dot_rows)

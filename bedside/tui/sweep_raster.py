"""The sweep: a pen that runs from left to right over a ring of columns, erasing ahead of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from bedside.events import Float32Array
from bedside.tui.glyphs import SPACE, CodeArray, GlyphSet
from bedside.tui.raster import (
    SHRINK_BELOW,
    BoolArray,
    IntArray,
    Scale,
    column_dots,
    envelope,
    fit_scale,
    glyph_codes,
    segments,
    shifted_scale,
)

ERASE_CELLS = 3
RUN_GAP_CELLS = 4
GRID_MV = 0.5
"""The graticule's least height: 5 mm at the usual 10 mm/mV."""

LEAST_GRID_CELLS, LEAST_GRID_ROWS = 4, 2
"""Closer together than this, dots are no graticule but a veil: then every second one is left out.
"""

InkArray = NDArray[np.uint8]


class Ink(IntEnum):
    """What a cell shows, which decides its colour."""

    TRACE = 0
    GRID = 1
    GAP = 2
    LEAD_OFF = 3
    MARK = 4


_WRITTEN, _GAP, _OFF = 0, 1, 2
"""What is known of a dot column; a column that the pen has not reached is `_WRITTEN` and NaN."""


@dataclass(frozen=True, slots=True)
class Run:
    """Cells of one row that changed: from `first` up to, not including, `stop`."""

    row: int
    first: int
    stop: int


class SweepRaster:
    """The picture of a sweep as code points, `codes` and `inks` of shape (rows, columns).

    The top row holds the marks of R peaks, the rest the trace. `position` counts samples; the
    sample at `position` falls on the dot column `position / samples_across` of the way across,
    again and again. What was not received and what an electrode that is off left out are drawn as
    lines of their own. `grid_samples` sets the graticule's dots apart, 0 draws none; where they
    would lie too close, `grid_samples` and `grid_mv` are doubled.

    Scale: with `span_mv` it is fixed, and moves only where a beat would leave it. Without, it grows
    at once when a value would leave it, and shrinks at the left edge when the last screen would do
    with much less. `marked` counts the R peaks marked so far.
    """

    def __init__(
        self,
        columns: int,
        rows: int,
        glyphs: GlyphSet,
        samples_across: float,
        position: int = 0,
        *,
        span_mv: float = 0.0,
        grid_samples: float = 0.0,
    ) -> None:
        self.codes: CodeArray = np.full((rows, columns), SPACE, dtype=np.uint32)
        self.inks: InkArray = np.full((rows, columns), Ink.TRACE, dtype=np.uint8)
        self.inks[0] = Ink.MARK
        self.scale = shifted_scale(span_mv, 0.0, 0.0) if span_mv else Scale()
        self.position = position
        self.marked = 0
        self._span_mv = span_mv
        self._glyphs = glyphs
        self._trace_rows = rows - 1
        self._dot_columns = columns * glyphs.dots_wide
        self._per_sample = self._dot_columns / samples_across
        self._low = np.full(self._dot_columns, np.nan)
        self._high = np.full(self._dot_columns, np.nan)
        self._missing = np.full(self._dot_columns, _WRITTEN, dtype=np.uint8)
        self._marks: set[int] = set()
        self._oldest_column = 0
        self._last_mv = float("nan")
        self._grid_cells = np.zeros(columns, dtype=np.bool_)
        self.grid_samples, self.grid_mv = grid_samples, GRID_MV
        if grid_samples:
            while self.grid_samples < LEAST_GRID_CELLS * samples_across / columns:
                self.grid_samples *= 2
            at = np.arange(0.0, samples_across, self.grid_samples) * self._per_sample
            self._grid_cells[(at // glyphs.dots_wide).astype(np.int64) % columns] = True
        self._grid_rows = self._rows_of_grid()
        self._redraw(np.arange(columns))

    @property
    def dot_rows(self) -> int:
        """Rows of dots of the trace."""
        return self._trace_rows * self._glyphs.dots_high

    @property
    def clipped(self) -> bool:
        """Whether some of what is shown lies beyond the scale."""
        known = ~np.isnan(self._high)
        return bool(
            np.any(self._high[known] > self.scale.high_mv)
            or np.any(self._low[known] < self.scale.low_mv)
        )

    def draw(
        self,
        position: int,
        samples_mv: Float32Array,
        marks: Iterable[int] = (),
        lead_off: BoolArray | None = None,
    ) -> list[Run]:
        """Draw samples from `position` on and return the cells that changed.

        Samples between the pen and `position`, and NaN, were not received; where `lead_off` of
        shape (n,) is true, an electrode was off. `marks` are positions of R peaks; those not under
        the picture are left out.
        """
        end = position + len(samples_mv)
        first_column = self._absolute(self.position)
        touched = self._clear_ahead(first_column, end)
        if position > self.position:
            self._last_mv = float("nan")
            self._miss(self.position, position, _GAP)
        if len(samples_mv):
            self._write(position, samples_mv, lead_off)
            self._last_mv = float(samples_mv[-1])
        self.position = end
        if self._rescale(first_column):
            self._grid_rows = self._rows_of_grid()
            touched = np.arange(self.codes.shape[1])
        marked = self._mark(marks)
        return self._redraw(np.union1d(touched, marked))

    def _absolute(self, position: int) -> int:
        return int(position * self._per_sample)

    def _rows_of_grid(self) -> BoolArray:
        """Which rows of cells the graticule's dots lie on: every half millivolt, or more."""
        per_row_mv = self.scale.span_mv / self._trace_rows
        self.grid_mv = GRID_MV
        while self.grid_mv < LEAST_GRID_ROWS * per_row_mv:
            self.grid_mv *= 2
        first = np.ceil(self.scale.low_mv / self.grid_mv)
        steps = np.arange(first, np.floor(self.scale.high_mv / self.grid_mv) + 1) * self.grid_mv
        lines = np.zeros(self.codes.shape[0], dtype=np.bool_)
        rows = self.scale.dot_rows(steps, self.dot_rows) // self._glyphs.dots_high
        lines[rows + 1] = True
        return lines

    def _clear_ahead(self, first_column: int, end: int) -> IntArray:
        """Blank what the pen runs over and the erase bar; returns the cells that touches."""
        wide = self._glyphs.dots_wide
        last = self._absolute(max(end - 1, self.position))
        stop = (last // wide + 1 + ERASE_CELLS) * wide
        columns = np.arange(max(first_column, stop - self._dot_columns), stop)
        # The column under the pen already holds samples of the last call: they stay.
        fresh = columns[columns > first_column] % self._dot_columns
        self._low[fresh] = np.nan
        self._high[fresh] = np.nan
        self._missing[fresh] = _WRITTEN
        self._oldest_column = stop - self._dot_columns
        self._marks = {mark for mark in self._marks if self._is_shown(mark)}
        return np.unique(columns % self._dot_columns // wide)

    def _miss(self, start: int, stop: int, why: int) -> None:
        """Note that nothing can be drawn from one position up to another."""
        first = max(self._absolute(start), self._oldest_column)
        columns = np.arange(first, self._absolute(stop - 1) + 1)
        self._missing[columns % self._dot_columns] = why

    def _write(self, position: int, samples_mv: Float32Array, lead_off: BoolArray | None) -> None:
        low, high = segments(samples_mv, self._last_mv)
        absolute = ((position + np.arange(len(samples_mv))) * self._per_sample).astype(np.int64)
        if np.isnan(low).any():
            off = np.zeros(len(samples_mv), dtype=np.bool_) if lead_off is None else lead_off
            for reason, where in ((_GAP, np.isnan(low) & ~off), (_OFF, np.isnan(low) & off)):
                seen = absolute[where & (absolute >= self._oldest_column)]
                self._missing[seen % self._dot_columns] = reason
        columns, low, high = envelope(absolute, low, high)
        shown = columns >= self._oldest_column
        places = columns[shown] % self._dot_columns
        self._low[places] = np.fmin(self._low[places], low[shown])
        self._high[places] = np.fmax(self._high[places], high[shown])

    def _rescale(self, first_column: int) -> bool:
        if np.all(np.isnan(self._high)):
            return False
        low, high = float(np.nanmin(self._low)), float(np.nanmax(self._high))
        if self._span_mv:
            if self.scale.low_mv <= low and high <= self.scale.high_mv:
                return False
            before, self.scale = self.scale, shifted_scale(self._span_mv, low, high)
            return self.scale != before
        wanted = fit_scale(low, high)
        wrapped = (
            first_column // self._dot_columns != self._absolute(self.position) // self._dot_columns
        )
        clipped = wanted.low_mv < self.scale.low_mv or wanted.high_mv > self.scale.high_mv
        roomy = wrapped and wanted.span_mv < SHRINK_BELOW * self.scale.span_mv
        if not clipped and not roomy:
            return False
        self.scale = wanted if roomy else _union(wanted, self.scale)
        return True

    def _mark(self, marks: Iterable[int]) -> IntArray:
        fresh = {mark for mark in marks if self._is_shown(mark) and mark < self.position}
        fresh -= self._marks
        self._marks |= fresh
        self.marked += len(fresh)
        return np.array(sorted({self._cell(mark) for mark in fresh}), dtype=np.int64)

    def _is_shown(self, mark: int) -> bool:
        return self._absolute(mark) >= self._oldest_column

    def _cell(self, position: int) -> int:
        return self._absolute(position) % self._dot_columns // self._glyphs.dots_wide

    def _redraw(self, cells: IntArray) -> list[Run]:
        wide = self._glyphs.dots_wide
        dot_columns = (cells[:, np.newaxis] * wide + np.arange(wide)).ravel()
        dots = column_dots(
            self._low[dot_columns], self._high[dot_columns], self.scale, self.dot_rows
        )
        fresh = np.full((self.codes.shape[0], len(cells)), SPACE, dtype=np.uint32)
        inks = np.full(fresh.shape, Ink.TRACE, dtype=np.uint8)
        inks[0] = Ink.MARK
        fresh[1:] = glyph_codes(dots, self._glyphs)
        self._draw_missing(cells, fresh, inks)
        grid = (
            self._grid_rows[:, np.newaxis] & self._grid_cells[cells] & (fresh == SPACE)
        ) & ~self._is_erased(cells)
        fresh[grid], inks[grid] = ord(self._glyphs.grid), Ink.GRID
        marked = np.isin(cells, [self._cell(mark) for mark in self._marks])
        fresh[0, marked] = ord(self._glyphs.r_peak)
        changed = (fresh != self.codes[:, cells]) | (inks != self.inks[:, cells])
        self.codes[:, cells] = fresh
        self.inks[:, cells] = inks
        return [
            run
            for row in np.flatnonzero(changed.any(axis=1))
            for run in _runs(int(row), cells[changed[row]])
        ]

    def _draw_missing(self, cells: IntArray, fresh: CodeArray, inks: InkArray) -> None:
        """A line in the middle of cells of which no sample can be drawn."""
        wide = self._glyphs.dots_wide
        missing = self._missing.reshape(-1, wide)[cells].max(axis=1)
        blank = np.isnan(self._high.reshape(-1, wide)[cells]).all(axis=1)
        row = 1 + self._trace_rows // 2
        for reason, glyph, ink in (
            (_GAP, self._glyphs.gap, Ink.GAP),
            (_OFF, self._glyphs.lead_off, Ink.LEAD_OFF),
        ):
            here = blank & (missing == reason)
            fresh[row, here], inks[row, here] = ord(glyph), ink

    def _is_erased(self, cells: IntArray) -> BoolArray:
        """The cells of the erase bar, ahead of the pen."""
        pen = self._absolute(max(0, self.position - 1)) // self._glyphs.dots_wide
        ahead: IntArray = (cells - pen) % self.codes.shape[1]
        return np.asarray((ahead > 0) & (ahead <= ERASE_CELLS))


def _union(one: Scale, other: Scale) -> Scale:
    return Scale(min(one.low_mv, other.low_mv), max(one.high_mv, other.high_mv))


def _runs(row: int, cells: IntArray) -> list[Run]:
    """Runs of a row's changed cells; cells a few apart make one run: that is cheaper to send."""
    breaks = np.flatnonzero(np.diff(cells) > RUN_GAP_CELLS) + 1
    return [Run(row, int(part[0]), int(part[-1]) + 1) for part in np.split(cells, breaks)]

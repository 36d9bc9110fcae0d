"""The sweep: a pen that runs from left to right over a ring of columns, erasing ahead of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bedside.events import Float32Array
from bedside.tui.glyphs import SPACE, CodeArray, GlyphSet
from bedside.tui.raster import (
    SHRINK_BELOW,
    IntArray,
    Scale,
    column_dots,
    envelope,
    fit_scale,
    glyph_codes,
    segments,
)

ERASE_CELLS = 3
RUN_GAP_CELLS = 4


@dataclass(frozen=True, slots=True)
class Run:
    """Cells of one row that changed: from `first` up to, not including, `stop`."""

    row: int
    first: int
    stop: int


class SweepRaster:
    """The picture of a sweep as code points, `codes` of shape (rows, columns).

    The top row holds the marks of R peaks, the rest the trace. `position` counts samples; the
    sample at `position` falls on the dot column `position / samples_across` of the way across,
    again and again. Scale: it grows at once when a value would leave it, and shrinks at the left
    edge when the last screen would do with much less. `marked` counts the R peaks marked so far.
    """

    def __init__(
        self, columns: int, rows: int, glyphs: GlyphSet, samples_across: float, position: int = 0
    ) -> None:
        self.codes: CodeArray = np.full((rows, columns), SPACE, dtype=np.uint32)
        self.scale = Scale()
        self.position = position
        self.marked = 0
        self._glyphs = glyphs
        self._trace_rows = rows - 1
        self._dot_columns = columns * glyphs.dots_wide
        self._per_sample = self._dot_columns / samples_across
        self._low = np.full(self._dot_columns, np.nan)
        self._high = np.full(self._dot_columns, np.nan)
        self._marks: set[int] = set()
        self._oldest_column = 0
        self._last_mv = float("nan")

    @property
    def dot_rows(self) -> int:
        """Rows of dots of the trace."""
        return self._trace_rows * self._glyphs.dots_high

    def draw(self, position: int, samples_mv: Float32Array, marks: Iterable[int] = ()) -> list[Run]:
        """Draw samples from `position` on and return the cells that changed.

        Samples between the pen and `position` were not received and stay blank, as NaN does.
        `marks` are positions of R peaks; those not under the picture are left out.
        """
        end = position + len(samples_mv)
        first_column = self._absolute(self.position)
        touched = self._clear_ahead(first_column, end)
        if position > self.position:
            self._last_mv = float("nan")
        if len(samples_mv):
            self._write(position, samples_mv)
            self._last_mv = float(samples_mv[-1])
        self.position = end
        if self._rescale(first_column):
            touched = np.arange(self.codes.shape[1])
        marked = self._mark(marks)
        return self._redraw(np.union1d(touched, marked))

    def _absolute(self, position: int) -> int:
        return int(position * self._per_sample)

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
        self._oldest_column = stop - self._dot_columns
        self._marks = {mark for mark in self._marks if self._is_shown(mark)}
        return np.unique(columns % self._dot_columns // wide)

    def _write(self, position: int, samples_mv: Float32Array) -> None:
        low, high = segments(samples_mv, self._last_mv)
        absolute = ((position + np.arange(len(samples_mv))) * self._per_sample).astype(np.int64)
        columns, low, high = envelope(absolute, low, high)
        shown = columns >= self._oldest_column
        where = columns[shown] % self._dot_columns
        self._low[where] = np.fmin(self._low[where], low[shown])
        self._high[where] = np.fmax(self._high[where], high[shown])

    def _rescale(self, first_column: int) -> bool:
        if np.all(np.isnan(self._high)):
            return False
        wanted = fit_scale(float(np.nanmin(self._low)), float(np.nanmax(self._high)))
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
        fresh[1:] = glyph_codes(dots, self._glyphs)
        marked = np.isin(cells, [self._cell(mark) for mark in self._marks])
        fresh[0, marked] = ord(self._glyphs.r_peak)
        changed = fresh != self.codes[:, cells]
        self.codes[:, cells] = fresh
        return [
            run
            for row in np.flatnonzero(changed.any(axis=1))
            for run in _runs(int(row), cells[changed[row]])
        ]


def _union(one: Scale, other: Scale) -> Scale:
    return Scale(min(one.low_mv, other.low_mv), max(one.high_mv, other.high_mv))


def _runs(row: int, cells: IntArray) -> list[Run]:
    """Runs of a row's changed cells; cells a few apart make one run: that is cheaper to send."""
    breaks = np.flatnonzero(np.diff(cells) > RUN_GAP_CELLS) + 1
    return [Run(row, int(part[0]), int(part[-1]) + 1) for part in np.split(cells, breaks)]

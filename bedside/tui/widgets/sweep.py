"""The live trace: a sweep on Textual's Line API that repaints only the cells that changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from bedside.events import WINDOW_RATE_HZ
from bedside.feed import WaveSlice
from bedside.tui.glyphs import GlyphSet
from bedside.tui.pen import Pen
from bedside.tui.raster import glyph_codes, text_of
from bedside.tui.sweep_raster import Run, SweepRaster

GUTTER_CELLS = 2
LOOK_BACK_SAMPLES = 500
"""R peaks are found after their sample was drawn: marks of the last 2 s are asked for again."""

NOTICE_ROWS = 3


class Sweep(Widget):
    """A sweep of `seconds` across, with an erase bar, R marks, and a 1 mV bar at the left.

    Gaps are blank. A notice stands over the whole trace, which is dimmed while it does.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "sweep--trace",
        "sweep--old",
        "sweep--mark",
        "sweep--bar",
        "sweep--notice",
    }

    def __init__(self, glyphs: GlyphSet, seconds: float, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lead_off = False
        self._glyphs = glyphs
        self._seconds = seconds
        self._raster: SweepRaster | None = None
        self._pen = Pen(0, 0.0)
        self._bar: list[str] = []
        self._notice = ""

    def restart(self) -> None:
        """Forget the picture: the next frame draws a whole screen anew."""
        self._raster = None
        self.refresh()

    def on_resize(self) -> None:
        """A picture of another size is another picture."""
        self.restart()

    def set_notice(self, notice: str) -> None:
        """Put words over the whole trace, or take them away."""
        if notice != self._notice:
            self._notice = notice
            self.refresh()

    def follow(self, wave: Callable[[int], WaveSlice], now_s: float) -> bool:
        """Draw what is due at `now_s` of the samples that `wave(since)` gives.

        Returns whether an R peak was marked just now.
        """
        if self.size.width <= GUTTER_CELLS or self.size.height < 2:
            return False
        raster = self._raster
        since = max(0, raster.position - LOOK_BACK_SAMPLES) if raster else 0
        piece = wave(since)
        anew = raster is None or piece.newest < raster.position
        if raster is None or anew:
            raster = self._begin(piece, now_s)
        self.lead_off = piece.lead_off
        until = self._pen.advance(piece.newest, now_s)
        first = max(raster.position, piece.position)
        if until <= first and not piece.marks:
            return False
        samples = piece.samples_mv[first - piece.position : max(until, first) - piece.position]
        marked_before, scale_before = raster.marked, raster.scale
        runs = raster.draw(first, samples, piece.marks)
        if raster.scale != scale_before or not self._bar:
            self._bar = self._bar_lines(raster)
            self.refresh()
        elif runs:
            self.refresh(*map(_region, runs))
        return raster.marked > marked_before and not anew

    def _begin(self, piece: WaveSlice, now_s: float) -> SweepRaster:
        samples_across = self._seconds * WINDOW_RATE_HZ
        start = max(piece.position, piece.newest - int(samples_across))
        raster = SweepRaster(
            self.size.width - GUTTER_CELLS,
            self.size.height,
            self._glyphs,
            samples_across,
            start,
        )
        self._raster = raster
        self._bar = []
        self._pen = Pen(start, now_s)
        # What has been received already is drawn at once, not run through.
        self._pen.skip_to(piece.newest)
        return raster

    def _bar_lines(self, raster: SweepRaster) -> list[str]:
        """The bar of 1 mV as one cell column of text a row, upright in the middle."""
        dots = np.zeros((raster.dot_rows, self._glyphs.dots_wide), dtype=np.bool_)
        height = round(raster.dot_rows / raster.scale.span_mv)
        top = (raster.dot_rows - height) // 2
        dots[top : top + height, 0] = True
        dots[[top, top + height - 1], :] = True
        return [" ", *(text_of(row) for row in glyph_codes(dots, self._glyphs))]

    def render_line(self, y: int) -> Strip:
        """One row of the trace."""
        width = self.size.width
        if self._notice and abs(y - self.size.height // 2) <= NOTICE_ROWS // 2:
            words = self._notice if y == self.size.height // 2 else ""
            style = self.get_component_rich_style("sweep--notice")
            return Strip([Segment(words[:width].center(width), style)], width)
        raster = self._raster
        if raster is None or y >= raster.codes.shape[0] or not self._bar:
            return Strip.blank(width, self.rich_style)
        kind = "sweep--old" if self._notice else "sweep--trace" if y else "sweep--mark"
        return Strip(
            [
                Segment(f"{self._bar[y]} ", self.get_component_rich_style("sweep--bar")),
                Segment(text_of(raster.codes[y]), self.get_component_rich_style(kind)),
            ],
            width,
        )


def _region(run: Run) -> Region:
    return Region(run.first + GUTTER_CELLS, run.row, run.stop - run.first, 1)

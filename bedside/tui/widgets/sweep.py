"""The live trace: a sweep on Textual's Line API that repaints only the cells that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from bedside.events import WINDOW_RATE_HZ
from bedside.feed import WaveSlice
from bedside.tui.direct_paint import Cells, DirectPaint
from bedside.tui.glyphs import GlyphSet
from bedside.tui.paper import BOX_MM, Paper
from bedside.tui.pen import Pen
from bedside.tui.raster import glyph_codes, text_of
from bedside.tui.sweep_raster import Ink, Run, SweepRaster

GUTTER_CELLS = 2
LOOK_BACK_SAMPLES = 500
"""R peaks are found after their sample was drawn: marks of the last 2 s are asked for again."""

NOTICE_ROWS = 3

_INKS = {
    Ink.TRACE: "sweep--trace",
    Ink.GRID: "sweep--grid",
    Ink.GAP: "sweep--gap",
    Ink.LEAD_OFF: "sweep--lead-off",
    Ink.MARK: "sweep--mark",
}


class Sweep(Widget):
    """A sweep on `paper`, with an erase bar, R marks, graticule, and a 1 mV mark at the left.

    A notice stands over the whole trace, which is dimmed while it does.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *_INKS.values(),
        "sweep--old",
        "sweep--bar",
        "sweep--notice",
    }

    def __init__(self, glyphs: GlyphSet, paper: Paper, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lead_off = False
        self.paper = paper
        self._glyphs = glyphs
        self._raster: SweepRaster | None = None
        self._pen = Pen(0, 0.0)
        self._bar: list[str] = []
        self._notice = ""
        self._styles: dict[int, Style] = {}
        self._direct = DirectPaint(self)

    @property
    def seconds_across(self) -> float:
        """How long the pen takes from left to right."""
        columns = max(1, self.size.width - GUTTER_CELLS)
        return columns * self._cell_width_mm(columns) / self.paper.speed_mm_s

    @property
    def gain_mm_mv(self) -> float:
        """Millimetres that a millivolt is high now."""
        raster = self._raster
        if raster is None:
            return self.paper.gain_mm_mv
        return self._height_mm() / raster.scale.span_mv

    @property
    def grid(self) -> tuple[float, float]:
        """How far apart the graticule's dots are, in seconds and millivolts."""
        raster = self._raster
        return (raster.grid_samples / WINDOW_RATE_HZ, raster.grid_mv) if raster else (0.2, 0.5)

    @property
    def clipped(self) -> bool:
        """Whether beats are higher than the trace at this gain."""
        return self._raster is not None and self._raster.clipped

    @property
    def position(self) -> int:
        """Up to which sample the trace is drawn."""
        return 0 if self._raster is None else self._raster.position

    def _cell_width_mm(self, columns: int) -> float:
        return self.paper.cell_width_mm(self.app.size.width, columns)

    def _height_mm(self) -> float:
        width_mm = self._cell_width_mm(max(1, self.size.width - GUTTER_CELLS))
        height_mm = self.paper.cell_height_mm(self.app.size.height, width_mm)
        return max(1, self.size.height - 1) * height_mm

    def use(self, paper: Paper) -> None:
        """Draw on other paper from now on."""
        self.paper = paper
        self.restart()

    def restart(self) -> None:
        """Forget the picture: the next frame draws a whole screen anew."""
        self._raster = None
        self.refresh()

    def on_resize(self) -> None:
        """A picture of another size is another picture."""
        self.restart()

    def notify_style_update(self) -> None:
        """Another theme: other colours."""
        super().notify_style_update()
        self._styles.clear()
        self._direct.forget_styles()

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
        if len(piece.lead_off):
            self.lead_off = bool(piece.lead_off[-1])
        until = self._pen.advance(piece.newest, now_s)
        first = max(raster.position, piece.position)
        if until <= first and not piece.marks:
            return False
        due = slice(first - piece.position, max(until, first) - piece.position)
        marked_before, scale_before = raster.marked, raster.scale
        runs = raster.draw(first, piece.samples_mv[due], piece.marks, piece.lead_off[due])
        if raster.scale != scale_before or not self._bar:
            self._bar = self._bar_lines(raster)
            self.refresh()
        elif runs and not self._notice and self._direct.possible:
            self._direct.write(self._cells(raster, runs))
        elif runs:
            self.refresh(*map(_region, runs))
        return raster.marked > marked_before and not anew

    def _begin(self, piece: WaveSlice, now_s: float) -> SweepRaster:
        samples_across = self.seconds_across * WINDOW_RATE_HZ
        start = max(piece.position, piece.newest - int(samples_across))
        gain = self.paper.gain_mm_mv
        raster = SweepRaster(
            self.size.width - GUTTER_CELLS,
            self.size.height,
            self._glyphs,
            samples_across,
            start,
            span_mv=self._height_mm() / gain if gain else 0.0,
            grid_samples=BOX_MM / self.paper.speed_mm_s * WINDOW_RATE_HZ,
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
        height = min(raster.dot_rows, round(raster.dot_rows / raster.scale.span_mv))
        top = (raster.dot_rows - height) // 2
        dots[top : top + height, 0] = True
        dots[[top, top + height - 1], :] = True
        return [" ", *(text_of(row) for row in glyph_codes(dots, self._glyphs))]

    def _cells(self, raster: SweepRaster, runs: list[Run]) -> Iterator[Cells]:
        for run in runs:
            column = run.first + GUTTER_CELLS
            for text, style in self._inked(raster, run):
                yield column, run.row, text, style
                column += len(text)

    def _inked(self, raster: SweepRaster, run: Run) -> Iterator[tuple[str, Style]]:
        """The text of a run, cut where its ink changes."""
        codes = raster.codes[run.row, run.first : run.stop]
        inks = raster.inks[run.row, run.first : run.stop]
        edges = [0, *(np.flatnonzero(inks[1:] != inks[:-1]) + 1).tolist(), len(inks)]
        for start, stop in pairwise(edges):
            yield text_of(codes[start:stop]), self._style(int(inks[start]))

    def _style(self, ink: int) -> Style:
        style = self._styles.get(ink)
        if style is None:
            style = self._styles[ink] = self.get_component_rich_style(_INKS[Ink(ink)])
        return style

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
        gutter = Segment(f"{self._bar[y]} ", self.get_component_rich_style("sweep--bar"))
        if self._notice:
            old = self.get_component_rich_style("sweep--old")
            return Strip([gutter, Segment(text_of(raster.codes[y]), old)], width)
        whole = Run(y, 0, raster.codes.shape[1])
        return Strip([gutter, *(Segment(*inked) for inked in self._inked(raster, whole))], width)


def _region(run: Run) -> Region:
    return Region(run.first + GUTTER_CELLS, run.row, run.stop - run.first, 1)

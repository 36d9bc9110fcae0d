"""A stretch of a recording as a picture with two cursors, and what lies between them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from textual.content import Content

from bedside.events import WINDOW_RATE_HZ
from bedside.feed import View
from bedside.tui.glyphs import SPACE, GlyphSet
from bedside.tui.raster import text_of
from bedside.tui.sweep_raster import ERASE_CELLS, Ink, SweepRaster

GRID_S = 0.2

_INK = {
    Ink.TRACE: "$success",
    Ink.GRID: "$foreground 30%",
    Ink.GAP: "$warning",
    Ink.LEAD_OFF: "$warning",
    Ink.MARK: "$secondary",
}


def strip_picture(
    view: View, columns: int, rows: int, glyphs: GlyphSet, cursors_s: tuple[float, float]
) -> Content:
    """The trace over columns × rows cells, R marks above, the cursors through it."""
    # The sweep's pen erases ahead of it: its bar lies in columns that are cut off here.
    seen = columns + ERASE_CELLS + 1
    across = len(view.samples_mv) * seen / columns
    raster = SweepRaster(seen, rows, glyphs, across, grid_samples=GRID_S * WINDOW_RATE_HZ)
    raster.draw(0, view.samples_mv, view.marks)
    codes, inks = raster.codes[:, :columns].copy(), raster.inks[:, :columns].astype(np.int64)
    per_cell = len(view.samples_mv) / columns
    for mark in view.abnormal:
        codes[0, min(columns - 1, int(mark / per_cell))] = ord("!")
    for name, at_s in zip("AB", cursors_s, strict=True):
        column = min(columns - 1, max(0, int(at_s * WINDOW_RATE_HZ / per_cell)))
        line = codes[:, column]
        line[line == SPACE] = ord("|")
        line[0] = ord(name)
        inks[:, column] = len(Ink)
    styles = [*(_INK[ink] for ink in Ink), "bold $accent"]
    lines = []
    for row_codes, row_inks in zip(codes, inks, strict=True):
        edges = [0, *(np.flatnonzero(np.diff(row_inks)) + 1).tolist(), columns]
        parts = [
            (text_of(row_codes[first:stop]), styles[row_inks[first]])
            for first, stop in pairwise(edges)
        ]
        lines.append(Content.assemble(*parts))
    return Content("\n").join(lines)


def measured(view: View, cursors_s: tuple[float, float]) -> str:
    """What lies between the cursors: seconds, the rate they would be, and millivolts."""
    first_s, second_s = cursors_s
    seconds = abs(second_s - first_s)
    rate = f" = {60 / seconds:.0f}/min" if seconds >= 0.1 else ""
    values = [_at(view, at_s) for at_s in cursors_s]
    height = values[1] - values[0]
    words = "" if math.isnan(height) else f"  {height:+.2f} mV"
    return f"A to B: {seconds:.2f} s{rate}{words}"


def _at(view: View, at_s: float) -> float:
    index = min(len(view.samples_mv) - 1, max(0, round(at_s * WINDOW_RATE_HZ)))
    return float(view.samples_mv[index])

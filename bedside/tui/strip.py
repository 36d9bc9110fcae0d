"""A recorded strip as lines of text, for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from bedside.recording.export.piece import Piece
from bedside.recording.strips import band_passed
from bedside.tui.glyphs import GlyphSet
from bedside.tui.raster import (
    column_dots,
    envelope,
    fit_scale,
    glyph_codes,
    segments,
    text_of,
)

ROWS = 8
ROW_S = 6.0


def lines(piece: Piece, glyphs: GlyphSet, columns: int, *, filtered: bool = True) -> list[str]:
    """The piece, six seconds a band of rows, with the beats above and the alarms below."""
    samples_mv = piece.samples_mv
    if filtered:
        samples_mv = band_passed(samples_mv, piece.rate_hz)
    finite = samples_mv[np.isfinite(samples_mv)]
    if len(finite) == 0:
        return ["No signal here."]
    low, high = np.percentile(finite, [0.2, 99.8])
    scale = fit_scale(float(low), float(high))
    dots_wide, dot_rows = columns * glyphs.dots_wide, ROWS * glyphs.dots_high
    drawn = []
    length_s = len(samples_mv) / piece.rate_hz
    for from_s in np.arange(0.0, length_s, ROW_S).tolist():
        first = round(from_s * piece.rate_hz)
        part = samples_mv[first : first + round(ROW_S * piece.rate_hz)]
        at = (np.arange(len(part)) / piece.rate_hz / ROW_S * dots_wide).astype(np.int64)
        lows, highs = segments(part, float("nan"))
        used, lows, highs = envelope(np.minimum(at, dots_wide - 1), lows, highs)
        dots = np.zeros((dot_rows, dots_wide), dtype=np.bool_)
        dots[:, used] = column_dots(lows, highs, scale, dot_rows)
        moment = datetime.fromtimestamp(piece.stretch.from_wall_us / 1e6 + from_s, UTC)
        drawn.append(f"{moment.astimezone():%H:%M:%S}")
        drawn.append(_beats(piece, from_s, columns))
        drawn += [text_of(row).rstrip() for row in glyph_codes(dots, glyphs)]
        drawn += [
            " " * int((seconds - from_s) / ROW_S * columns) + f"^ {words}"
            for seconds, words in piece.marks()
            if 0 <= seconds - from_s < ROW_S
        ]
    return drawn


def _beats(piece: Piece, from_s: float, columns: int) -> str:
    """Letters over the R peaks."""
    line = [" "] * columns
    for beat in piece.stretch.beats:
        column = int((piece.seconds(beat.sample) - from_s) / ROW_S * columns)
        if 0 <= column < columns:
            line[column] = beat.beat_class.value
    return "".join(line).rstrip()

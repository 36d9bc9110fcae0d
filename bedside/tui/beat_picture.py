"""The reconstruction error as pictures: gauge, strip of beats, and why a beat stands out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from textual.content import Content

from bedside.feed import BedSnapshot, LastBeat
from bedside.tui.glyphs import SPACE, CodeArray, GlyphSet
from bedside.tui.raster import BoolArray, curve_dots, fit_scale, glyph_codes, text_of
from bedside.tui.words import UNKNOWN, calibration_words, clock

STRIP_ROWS = 2
ERROR_SHARE = 0.5

_CLASS_WORDS = {
    "N": "normal",
    "S": "supraventricular",
    "V": "ventricular",
    "Q": "unclassified",
}


@dataclass(frozen=True, slots=True, eq=False)
class BeatPicture:
    """A beat with its reconstruction over it.

    `codes` and `rebuilt_only` have shape (rows, columns): the glyphs of both curves, and the cells
    in which only the reconstruction runs. `error` of shape (columns,) marks where the two differ
    by at least half of their greatest difference.
    """

    codes: CodeArray
    rebuilt_only: BoolArray
    error: BoolArray


def beat_picture(beat: LastBeat, columns: int, rows: int, glyphs: GlyphSet) -> BeatPicture:
    """Both curves of a beat on one scale, columns × rows cells; the reconstruction is dotted."""
    both = np.concatenate((beat.window_mv, beat.reconstruction_mv))
    scale = fit_scale(float(np.min(both)), float(np.max(both)))
    measured = curve_dots(beat.window_mv, scale, columns, rows, glyphs)
    rebuilt = curve_dots(beat.reconstruction_mv, scale, columns, rows, glyphs)
    rebuilt[:, 1::2] = False
    per_cell = glyph_codes(measured, glyphs)
    difference = np.abs(beat.window_mv - beat.reconstruction_mv)
    edges = np.arange(columns) * len(difference) // columns
    greatest = np.maximum.reduceat(difference, edges)
    return BeatPicture(
        codes=glyph_codes(measured | rebuilt, glyphs),
        rebuilt_only=(per_cell == SPACE) & (glyph_codes(rebuilt, glyphs) != SPACE),
        error=greatest >= ERROR_SHARE * max(float(np.max(difference)), 1e-9),
    )


def why(snapshot: BedSnapshot, columns: int, rows: int, glyphs: GlyphSet) -> Content:
    """The panel of the last abnormal beat, or of the last beat while none was abnormal."""
    return why_beat(snapshot.last_abnormal or snapshot.last_beat, columns, rows, glyphs)


def why_beat(beat: LastBeat | None, columns: int, rows: int, glyphs: GlyphSet) -> Content:
    """A beat with its reconstruction, and where they differ."""
    if beat is None:
        return Content.styled("why: no beat has been scored yet", "$secondary")
    which = "why abnormal:" if beat.abnormal else "last beat"
    title = f"{which} {clock(beat.wall_us)} {_CLASS_WORDS.get(beat.beat_class, '')}".rstrip()
    picture = beat_picture(beat, columns, max(1, rows - 3), glyphs)
    lines = [Content.styled(title[:columns], "bold")]
    lines += [
        _coloured(codes, rebuilt)
        for codes, rebuilt in zip(picture.codes, picture.rebuilt_only, strict=True)
    ]
    where = "".join(glyphs.error if here else " " for here in picture.error)
    lines.append(Content.styled(where, "$warning"))
    lines.append(
        Content.assemble(
            ("measured", "$success"),
            " ",
            ("rebuilt ··", "$accent"),
            " ",
            (f"{glyphs.error} {beat.error:.3g}/{beat.threshold:.3g}", "$warning"),
        ).truncate(columns, ellipsis=True)
    )
    return Content("\n").join(lines)


def _coloured(codes: CodeArray, rebuilt_only: BoolArray) -> Content:
    breaks = np.flatnonzero(np.diff(rebuilt_only)) + 1
    starts = [0, *breaks.tolist()]
    return Content.assemble(
        *(
            (text_of(part), "$accent" if rebuilt_only[start] else "$success")
            for start, part in zip(starts, np.split(codes, breaks), strict=True)
        )
    )


def gauge(snapshot: BedSnapshot, width: int, glyphs: GlyphSet) -> Content:
    """The last beat's reconstruction error against the threshold, and the beats before it."""
    threshold = snapshot.gauge_threshold
    errors = snapshot.errors
    lines = [Content.styled("reconstruction error", "bold")]
    if threshold is None or not threshold > 0 or not errors:
        lines += [Content(""), Content.styled(f"{UNKNOWN}  no beat scored yet", "$secondary")]
    else:
        lines += _strip(errors, snapshot.abnormal, threshold, width, glyphs)
        abnormal = bool(snapshot.abnormal[-1])
        lines.append(_bar(errors[-1], threshold, width, glyphs, abnormal))
        lines.append(_numbers(errors[-1], threshold, abnormal, width))
    words = Content.styled(calibration_words(snapshot), "$secondary")
    return Content("\n").join([*lines, words])


def _numbers(error: float, threshold: float, abnormal: bool, width: int) -> Content:
    """Under the bar: the error, the threshold under its mark, and the verdict in a word."""
    limit = f"{threshold:.3g}"
    verdict = "abnormal" if abnormal else ""
    room = width - len(limit) - len(verdict) - 1
    number = f"{error:.3g}".ljust(max(0, min(width // 2 - len(limit) // 2, room)))
    gap = " " * max(1, width - len(number) - len(limit) - len(verdict))
    return Content.assemble(
        (number, "bold"), (limit, "$secondary"), gap, (verdict, "bold $warning")
    ).truncate(width)


def _strip(
    errors: tuple[float, ...],
    abnormal: tuple[bool, ...],
    threshold: float,
    width: int,
    glyphs: GlyphSet,
) -> list[Content]:
    """One dot column a beat, newest on the right; what reaches the upper row is over the limit."""
    shown = min(len(errors), width * glyphs.dots_wide)
    half = glyphs.dots_high
    dots = np.zeros((STRIP_ROWS * half, width * glyphs.dots_wide), dtype=np.bool_)
    for beat in range(shown):
        level = _level(errors[-1 - beat] / threshold, half)
        if level:
            dots[-level:, -1 - beat] = True
    codes = glyph_codes(dots, glyphs)
    marked = np.zeros(width * glyphs.dots_wide, dtype=np.bool_)
    marked[-shown:] = abnormal[-shown:]
    cells: BoolArray = np.any(marked.reshape(width, glyphs.dots_wide), axis=1)
    breaks = np.flatnonzero(np.diff(cells)) + 1
    starts = [0, *breaks.tolist()]
    return [
        Content.assemble(
            *(
                (text_of(part), "$warning" if cells[start] else "$success")
                for start, part in zip(starts, np.split(row, breaks), strict=True)
            )
        )
        for row in codes
    ]


def _level(ratio: float, half: int) -> int:
    """The height of a beat's bar in dots: up to `half` below the limit, more above it."""
    if math.isnan(ratio):
        return 0
    if ratio <= 1.0:
        return max(1, math.ceil(ratio * half))
    return half + max(1, min(half, math.ceil(min(ratio - 1.0, 1.0) * half)))


def _bar(error: float, threshold: float, width: int, glyphs: GlyphSet, abnormal: bool) -> Content:
    """From 0 to twice the limit, which stands in the middle."""
    ratio = 0.0 if math.isnan(error) else min(error / threshold / 2, 1.0)
    middle = width // 2
    filled = round(ratio * width)
    if error <= threshold:
        filled = min(filled, middle)
    cells = [glyphs.bar if cell < filled else glyphs.bar_rest for cell in range(width)]
    cells[middle] = glyphs.threshold
    if error > 2 * threshold:
        cells[-1] = glyphs.off_scale
    colour = "$warning" if abnormal else "$success"
    text = "".join(cells)
    return Content.assemble(
        (text[:filled], colour),
        (text[filled:middle], "$secondary"),
        (text[max(middle, filled) :], "$secondary"),
    )

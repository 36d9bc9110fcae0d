"""Digits drawn with blocks, large enough to be read from the foot of the bed."""

from __future__ import annotations

import numpy as np

from bedside.tui.glyphs import GlyphSet
from bedside.tui.raster import BoolArray

# A digit is 3 × 5 points, as on a seven-segment display, but for the 1, which is centred.
_FONT = {
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# ### ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# ..# ..#",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "-": "... ... ### ... ...",
    " ": "... ... ... ... ...",
}

_POINTS_WIDE, _POINTS_HIGH = 3, 5


def numeral(text: str, width: int, height: int, glyphs: GlyphSet, places: int = 3) -> list[str]:
    """`text` as large as width × height cells allow with room for `places` digits.

    Returns the lines, all of one length; at the smallest, five lines of three columns a digit.
    """
    per_place = (width + 1) // places
    wide = max(1, (per_place - 1) // _POINTS_WIDE)
    halves = 2 if glyphs.half_blocks else 1
    high = max(halves, height * halves // _POINTS_HIGH)
    if glyphs.half_blocks:
        # Half blocks are as tall as wide: twice as many make a digit of a digit's proportions.
        high = min(high, wide * 2)
    points = np.concatenate(
        [_points(character, wide, high) for character in text.rjust(places)], axis=1
    )
    if glyphs.half_blocks:
        return _half_block_lines(points)
    return ["".join("#" if point else " " for point in row) for row in points]


def _points(character: str, wide: int, high: int) -> BoolArray:
    rows = [[point == "#" for point in row] for row in _FONT[character].split()]
    points = np.kron(np.array(rows), np.ones((high, wide), dtype=np.bool_)).astype(np.bool_)
    return np.pad(points, ((0, 0), (0, max(1, wide // 2))))


def _half_block_lines(points: BoolArray) -> list[str]:
    if len(points) % 2:
        points = np.pad(points, ((0, 1), (0, 0)))
    upper, lower = points[0::2], points[1::2]
    blocks = np.array([" ", "▀", "▄", "█"])[upper + 2 * lower]
    return ["".join(row) for row in blocks]

"""The characters a terminal can draw: dots of a trace, bars, marks.

Three sets. `braille` has 2 × 4 dots a cell and needs a font with U+2800; `block` has 2 × 2 and is
in nearly every font; `ascii` has 1 × 3 and works on the Linux console.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.errors import SettingsError

CodeArray = NDArray[np.uint32]

SPACE = ord(" ")


@dataclass(frozen=True, slots=True, eq=False)
class GlyphSet:
    """How one cell of the terminal shows dots, and the marks that go with it.

    `table` has shape (2 ** (dots_high · dots_wide),): the code point for each pattern of dots,
    in which the dot of row r and column c weighs 2 ** (r · dots_wide + c). Blank is a space.
    """

    name: str
    dots_wide: int
    dots_high: int
    table: CodeArray
    r_peak: str
    heart: str
    working: str
    failed: str
    unknown: str
    bar: str
    bar_rest: str
    threshold: str
    off_scale: str
    error: str
    rule: str
    grid: str
    gap: str
    lead_off: str
    about: str
    half_blocks: bool


def _braille_table() -> CodeArray:
    bits = (0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80)
    codes = [
        0x2800 + sum(bit for weight, bit in enumerate(bits) if pattern >> weight & 1)
        for pattern in range(256)
    ]
    codes[0] = SPACE
    return np.array(codes, dtype=np.uint32)


def _characters(text: str) -> CodeArray:
    return np.array([ord(character) for character in text], dtype=np.uint32)


BRAILLE = GlyphSet(
    name="braille",
    dots_wide=2,
    dots_high=4,
    table=_braille_table(),
    r_peak="▾",
    heart="♥",
    working="●",
    failed="✗",
    unknown="○",
    bar="━",
    bar_rest="─",
    threshold="┃",
    off_scale="▶",
    error="▒",
    rule="─",
    grid="·",
    gap="┄",
    lead_off="×",
    about="≈",
    half_blocks=True,
)

BLOCK = GlyphSet(
    name="block",
    dots_wide=2,
    dots_high=2,
    table=_characters(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"),
    r_peak="▾",
    heart="♥",
    working="●",
    failed="x",
    unknown="○",
    bar="━",
    bar_rest="─",
    threshold="┃",
    off_scale="▶",
    error="▒",
    rule="─",
    grid="·",
    gap="┄",
    lead_off="×",
    about="≈",
    half_blocks=True,
)

ASCII = GlyphSet(
    name="ascii",
    dots_wide=1,
    dots_high=3,
    table=_characters(" '-'.|,|"),
    r_peak="v",
    heart="<3",
    working="+",
    failed="x",
    unknown="?",
    bar="=",
    bar_rest="-",
    threshold="|",
    off_scale=">",
    error="#",
    rule="-",
    grid=".",
    gap="~",
    lead_off="x",
    about="~",
    half_blocks=False,
)

GLYPH_SETS: dict[str, GlyphSet] = {glyphs.name: glyphs for glyphs in (BRAILLE, BLOCK, ASCII)}


def glyph_set(name: str) -> GlyphSet:
    """The set of a name. Raises SettingsError for a name that is none of them."""
    try:
        return GLYPH_SETS[name]
    except KeyError:
        known = ", ".join(GLYPH_SETS)
        raise SettingsError(f"glyphs = {name!r} is not known: choose one of {known}") from None

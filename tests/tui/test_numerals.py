"""Block digits."""

from __future__ import annotations

import pytest

from bedside.tui.glyphs import ASCII, BRAILLE, GLYPH_SETS
from bedside.tui.numerals import numeral


def test_the_digits_look_like_digits() -> None:
    assert numeral("184", 22, 5, BRAILLE) == [
        "  ██   ██████ ██  ██ ",
        "████   ██  ██ ██  ██ ",
        "  ██   ██████ ██████ ",
        "  ██   ██  ██     ██ ",
        "██████ ██████     ██ ",
    ]


def test_ascii_digits_need_nothing_but_ascii() -> None:
    assert "".join(numeral("0123456789", 80, 8, ASCII, places=10)).isascii()


@pytest.mark.parametrize("name", GLYPH_SETS)
@pytest.mark.parametrize(("width", "height"), [(22, 5), (30, 5), (34, 8), (60, 15)])
@pytest.mark.parametrize("text", ["8", "67", "999", "--"])
def test_a_number_fits_its_room(name: str, width: int, height: int, text: str) -> None:
    lines = numeral(text, width, height, GLYPH_SETS[name])
    assert len(lines) <= height
    assert {len(line.rstrip()) <= width for line in lines} == {True}
    assert len({len(line) for line in lines}) == 1

"""The rasteriser against pictures drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bedside.errors import SettingsError
from bedside.tui.glyphs import ASCII, BLOCK, BRAILLE, GLYPH_SETS, glyph_set
from bedside.tui.raster import (
    Scale,
    column_dots,
    curve_dots,
    envelope,
    fit_scale,
    glyph_codes,
    segments,
    text_of,
)


def dots_of(*rows: str) -> np.ndarray:
    return np.array([[dot == "#" for dot in row] for row in rows])


def lines_of(codes: np.ndarray) -> list[str]:
    return [text_of(row) for row in codes]


def test_braille_dots_become_their_unicode_patterns() -> None:
    dots = dots_of(
        "#..#....",
        "#..#....",
        "#..#..#.",
        "##.#....",
    )
    assert lines_of(glyph_codes(dots, BRAILLE)) == ["⣇⢸ ⠄"]


def test_block_dots_become_quadrants() -> None:
    assert lines_of(glyph_codes(dots_of("##.#", "..#."), BLOCK)) == ["▀▞"]


def test_ascii_dots_become_marks_at_three_heights() -> None:
    assert lines_of(glyph_codes(dots_of("#...#", ".#..#", "..#.#"), ASCII)) == ["'-. |"]


@pytest.mark.parametrize("name", GLYPH_SETS)
def test_a_blank_cell_is_a_space_in_every_set(name: str) -> None:
    glyphs = glyph_set(name)
    blank = np.zeros((glyphs.dots_high, glyphs.dots_wide), dtype=np.bool_)
    assert lines_of(glyph_codes(blank, glyphs)) == [" "]


def test_the_ascii_set_holds_nothing_but_ascii() -> None:
    marks = (ASCII.r_peak, ASCII.heart, ASCII.working, ASCII.failed, ASCII.unknown, ASCII.bar)
    marks += (ASCII.bar_rest, ASCII.threshold, ASCII.off_scale, ASCII.error, ASCII.rule)
    assert all(mark.isascii() for mark in marks)
    assert text_of(ASCII.table).isascii()


def test_an_unknown_glyph_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="braille, block, ascii"):
        glyph_set("sixel")


def test_a_column_reaches_from_its_least_to_its_greatest_value() -> None:
    dots = column_dots(
        np.array([0.0, 0.25, np.nan]), np.array([1.0, 0.5, np.nan]), Scale(0.0, 1.0), 5
    )
    assert dots.tolist() == dots_of("#..", "#..", "##.", "##.", "#..").tolist()


def test_values_beyond_the_scale_are_drawn_at_its_edge() -> None:
    dots = column_dots(np.array([7.0]), np.array([9.0]), Scale(0.0, 1.0), 3)
    assert dots.ravel().tolist() == [True, False, False]


def test_a_sample_is_joined_to_the_one_before() -> None:
    low, high = segments(np.array([1.0, 3.0, 2.0]), before_mv=0.0)
    assert low.tolist() == [0.0, 1.0, 2.0]
    assert high.tolist() == [1.0, 3.0, 3.0]


def test_a_sample_after_a_gap_stands_alone() -> None:
    low, high = segments(np.array([1.0, np.nan, 5.0]), before_mv=np.nan)
    np.testing.assert_array_equal(low, [1.0, np.nan, 5.0])
    np.testing.assert_array_equal(high, [1.0, np.nan, 5.0])


def test_an_envelope_keeps_a_spike_of_one_sample() -> None:
    low = high = np.array([0.0, 0.0, 1.2, 0.0, 0.0, 0.0])
    columns, lowest, highest = envelope(np.array([0, 0, 0, 0, 1, 1]), low, high)
    assert columns.tolist() == [0, 1]
    assert lowest.tolist() == [0.0, 0.0]
    assert highest.tolist() == [1.2, 0.0]


@pytest.mark.parametrize(
    ("low_mv", "high_mv"), [(-0.01, 0.01), (-0.3, 1.2), (-2.0, 0.4), (0.2, 0.3), (0.0, 0.0)]
)
def test_the_scale_holds_its_values_and_at_least_a_millivolt(low_mv: float, high_mv: float) -> None:
    scale = fit_scale(low_mv, high_mv)
    assert scale.low_mv <= low_mv
    assert scale.high_mv >= high_mv
    assert scale.span_mv >= 1.0


def test_an_electrode_swinging_by_volts_does_not_shrink_the_heart_to_nothing() -> None:
    assert fit_scale(-3000.0, 2000.0) == Scale(-5.0, 5.0)


def test_a_ramp_is_drawn_from_corner_to_corner() -> None:
    ramp = np.linspace(0.0, 1.0, 192, dtype=np.float32)
    codes = glyph_codes(curve_dots(ramp, Scale(0.0, 1.0), 8, 2, BRAILLE), BRAILLE)
    assert lines_of(codes) == ["    ⣀⡤⠖⠋", "⣠⠴⠚⠉⠁   "]

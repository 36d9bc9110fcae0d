"""The sweep: pen, erase bar, gaps, marks, scale. No screen is involved."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bedside.tui.glyphs import ASCII, BRAILLE, SPACE
from bedside.tui.raster import Scale, text_of
from bedside.tui.sweep_raster import ERASE_CELLS, Ink, SweepRaster
from tests.tui.painted_bed import heartbeat

COLUMNS, ROWS, SAMPLES_ACROSS = 20, 4, 400.0

GOLDEN_BRAILLE = [
    "        ▾                   ▾           ",
    "       ⢠⡆                  ⢠⡆           ",
    "       ⢸⡇                  ⢸⡇           ",
    "⣀⣀⣀⡤⢤⣀⣀⣸⢹⣀⣀⡤⠖⠋⠳⠤⣄⣀⣀⣀⣀⣀⣀⡤⢤⣀⣀⣸⢹⣀⣀⡤        ",
    "       ⠁⠘⠁                 ⠁⠘⠁          ",
]
GOLDEN_ASCII = [
    "        v                   v           ",
    "       ,,                  ,,           ",
    "       ||                  ||           ",
    "...,,..||..,''',.......,,..||..,        ",
    "       '''                 '''          ",
]


def sweep(samples_across: float = SAMPLES_ACROSS) -> SweepRaster:
    return SweepRaster(COLUMNS, ROWS, BRAILLE, samples_across)


def flat(samples: int) -> np.ndarray:
    return np.zeros(samples, dtype=np.float32)


def beats(count: int) -> np.ndarray:
    return np.tile(heartbeat(), count)


def lines(raster: SweepRaster) -> list[str]:
    return [text_of(row) for row in raster.codes]


def blank_cells(raster: SweepRaster) -> list[int]:
    return np.flatnonzero((raster.codes[1:] == SPACE).all(axis=0)).tolist()


def cells_of(raster: SweepRaster, ink: Ink) -> list[int]:
    return np.flatnonzero((raster.inks == ink).any(axis=0)).tolist()


def test_two_beats_are_drawn_as_they_look() -> None:
    raster = SweepRaster(40, 5, BRAILLE, 400.0)
    raster.draw(0, beats(2)[:320], (80, 280))
    assert lines(raster) == GOLDEN_BRAILLE


def test_two_beats_are_drawn_in_ascii_as_they_look() -> None:
    raster = SweepRaster(40, 5, ASCII, 400.0)
    raster.draw(0, beats(2)[:320], (80, 280))
    assert lines(raster) == GOLDEN_ASCII


def test_the_pen_starts_anew_at_the_left_and_erases_three_cells_ahead() -> None:
    raster = sweep()
    raster.draw(0, flat(400))
    raster.draw(400, flat(100))
    assert blank_cells(raster) == [5, 6, 7]
    assert len(blank_cells(raster)) == ERASE_CELLS


def test_samples_that_were_not_received_are_drawn_as_a_gap() -> None:
    raster = sweep()
    raster.draw(0, flat(100))
    raster.draw(200, flat(100))
    assert cells_of(raster, Ink.GAP) == [5, 6, 7, 8, 9]
    assert lines(raster)[2][5:10] == "┄┄┄┄┄"
    assert blank_cells(raster) == list(range(15, 20))


def test_nan_samples_are_drawn_as_a_gap() -> None:
    raster = sweep()
    samples = flat(300)
    samples[100:200] = np.nan
    raster.draw(0, samples)
    assert cells_of(raster, Ink.GAP) == [5, 6, 7, 8, 9]


def test_where_an_electrode_was_off_is_drawn_otherwise_than_a_gap() -> None:
    raster = sweep()
    samples = flat(300)
    samples[100:200] = np.nan
    raster.draw(0, samples, lead_off=np.isnan(samples))
    assert cells_of(raster, Ink.LEAD_OFF) == [5, 6, 7, 8, 9]
    assert lines(raster)[2][5:10] == "×××××"
    raster.draw(300, flat(300))
    assert cells_of(raster, Ink.LEAD_OFF) == []


def test_the_graticule_has_a_dot_for_every_step_and_half_millivolt_but_never_over_the_trace() -> (
    None
):
    raster = SweepRaster(20, 5, BRAILLE, 400.0, span_mv=2.0, grid_samples=100.0)
    assert cells_of(raster, Ink.GRID) == [0, 5, 10, 15]
    raster.draw(0, flat(200))
    over = raster.codes[(raster.inks == Ink.GRID)]
    assert set(over.tolist()) == {ord("·")}
    assert "".join(lines(raster)[3][:10]).strip("⠤⠒⠉⣀") == ""


def test_the_erase_bar_hides_the_graticule() -> None:
    raster = SweepRaster(20, 5, BRAILLE, 400.0, span_mv=2.0, grid_samples=80.0)
    assert cells_of(raster, Ink.GRID) == [0, 4, 8, 12, 16]
    raster.draw(0, flat(100))
    assert cells_of(raster, Ink.GRID) == [0, 4, 8, 12, 16]
    raster.draw(100, flat(40))
    assert cells_of(raster, Ink.GRID) == [0, 4, 12, 16]


def test_a_graticule_that_would_be_a_veil_is_thinned() -> None:
    raster = SweepRaster(20, 5, BRAILLE, 400.0, span_mv=8.0, grid_samples=25.0)
    assert (raster.grid_samples, raster.grid_mv) == (100.0, 4.0)


def test_a_fixed_gain_keeps_its_span_and_moves_for_a_beat_that_would_leave_it() -> None:
    raster = SweepRaster(20, 5, BRAILLE, 400.0, span_mv=2.0)
    raster.draw(0, flat(100))
    assert raster.scale == Scale(-0.8, 1.2)
    raster.draw(100, np.full(10, 1.5, dtype=np.float32))
    assert raster.scale.span_mv == 2.0
    assert raster.scale.high_mv >= 1.5
    assert not raster.clipped
    raster.draw(110, np.full(10, 3.5, dtype=np.float32))
    assert raster.clipped


def test_a_gap_longer_than_the_screen_clears_all_of_the_old_trace() -> None:
    raster = sweep()
    raster.draw(0, flat(400))
    raster.draw(10_000, flat(20))
    assert np.count_nonzero((raster.codes[1:] != SPACE) & (raster.inks[1:] == Ink.TRACE)) == 1


def test_an_r_peak_found_late_is_marked_where_it_was() -> None:
    raster = sweep()
    raster.draw(0, beats(1))
    assert lines(raster)[0].strip() == ""
    raster.draw(200, flat(10), (80,))
    assert lines(raster)[0].index("▾") == 80 * COLUMNS // 400
    assert raster.marked == 1


def test_a_mark_is_drawn_once_however_often_it_is_told() -> None:
    raster = sweep()
    raster.draw(0, beats(1), (80,))
    assert raster.draw(200, flat(0), (80,)) == []
    assert raster.marked == 1


def test_a_mark_ahead_of_the_pen_waits_for_the_pen() -> None:
    raster = sweep()
    raster.draw(0, flat(50), (80,))
    assert lines(raster)[0].strip() == ""
    raster.draw(50, flat(50), (80,))
    assert lines(raster)[0].count("▾") == 1


def test_a_mark_leaves_with_the_trace_under_it() -> None:
    raster = sweep()
    raster.draw(0, flat(400), (80,))
    raster.draw(400, flat(100), (80,))
    assert "▾" not in lines(raster)[0]


def test_the_scale_grows_at_once_for_a_taller_beat() -> None:
    raster = sweep()
    raster.draw(0, flat(100))
    before = raster.scale
    raster.draw(100, np.full(10, 2.4, dtype=np.float32))
    assert before.high_mv < 2.4 <= raster.scale.high_mv


def test_the_scale_shrinks_at_the_left_edge_once_a_whole_screen_was_small() -> None:
    raster = sweep()
    raster.draw(0, np.full(10, 4.0, dtype=np.float32))
    raster.draw(10, flat(380))
    assert raster.scale.high_mv >= 4.0
    raster.draw(390, flat(20))
    raster.draw(410, flat(380))
    raster.draw(790, flat(20))
    assert raster.scale.span_mv == 1.0


def test_only_the_cells_that_changed_are_reported() -> None:
    raster = sweep()
    raster.draw(0, flat(400))
    before = raster.codes.copy()
    runs = raster.draw(400, beats(1)[60:100] * np.float32(0.8))
    reported = np.zeros(before.shape, dtype=np.bool_)
    for run in runs:
        reported[run.row, run.first : run.stop] = True
    assert not np.any((before != raster.codes) & ~reported)
    assert np.count_nonzero(reported) < before.size / 2


@given(st.lists(st.integers(1, 260), min_size=1, max_size=12), st.integers(0, 2**32))
def test_the_picture_does_not_depend_on_how_the_samples_were_cut(
    cuts: list[int], start: int
) -> None:
    samples = np.tile(heartbeat() * np.float32(0.8), 20)[: sum(cuts)]
    whole = SweepRaster(COLUMNS, ROWS, BRAILLE, 777.7, start)
    whole.draw(start, samples)
    pieces = SweepRaster(COLUMNS, ROWS, BRAILLE, 777.7, start)
    position = start
    for cut in cuts:
        offset = position - start
        pieces.draw(position, samples[offset : offset + cut])
        position += cut
    assert lines(pieces) == lines(whole)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 900),
            st.lists(st.floats(-40, 40, width=32) | st.just(float("nan")), max_size=90),
        ),
        max_size=20,
    )
)
def test_no_signal_and_no_gap_breaks_the_sweep(pieces: list[tuple[int, list[float]]]) -> None:
    raster = sweep()
    for skipped, values in pieces:
        position = raster.position + skipped
        raster.draw(position, np.array(values, dtype=np.float32), (position,))
        assert raster.position == position + len(values)
        assert raster.codes.shape == (ROWS, COLUMNS)
        assert all(len(line) == COLUMNS for line in lines(raster))

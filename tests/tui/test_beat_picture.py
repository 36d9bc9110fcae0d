"""The gauge, the strip and the picture that says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bedside.feed import BedSnapshot, LastBeat
from bedside.tui.beat_picture import beat_picture, gauge, why
from bedside.tui.glyphs import BRAILLE, GLYPH_SETS, SPACE
from tests.tui.painted_bed import PaintedBed, heartbeat

WIDTH = 22


def snapshot_of(bed: PaintedBed) -> BedSnapshot:
    return bed.feed.snapshot(bed.name)


def with_errors(bed: PaintedBed, *errors: float, threshold: float | None = 1.0) -> BedSnapshot:
    return replace(
        snapshot_of(bed),
        errors=errors,
        abnormal=tuple(error > 1.0 for error in errors),
        gauge_threshold=threshold,
    )


def gauge_lines(snapshot: BedSnapshot) -> list[str]:
    return gauge(snapshot, WIDTH, BRAILLE).plain.split("\n")


def test_the_threshold_stands_in_the_middle_of_the_bar_and_the_error_runs_to_it(
    bed: PaintedBed,
) -> None:
    *_, bar, numbers, whose = gauge_lines(with_errors(bed, 0.5))
    assert bar == "━━━━━━─────┃──────────"
    assert numbers.split() == ["0.5", "1"]
    assert whose == "not calibrated"


def test_an_error_over_the_threshold_passes_its_mark_and_is_called_abnormal(
    bed: PaintedBed,
) -> None:
    *_, bar, numbers, _ = gauge_lines(with_errors(bed, 1.4))
    assert bar == "━━━━━━━━━━━┃━━━───────"
    assert numbers.split() == ["1.4", "1", "abnormal"]


def test_an_error_just_under_the_threshold_never_seems_to_pass_it(bed: PaintedBed) -> None:
    *_, bar, _, _ = gauge_lines(with_errors(bed, 0.999))
    assert bar == "━━━━━━━━━━━┃──────────"


def test_an_error_beyond_the_bar_ends_in_an_arrow(bed: PaintedBed) -> None:
    *_, bar, _, _ = gauge_lines(with_errors(bed, 7.0))
    assert bar.endswith("▶")


def test_only_beats_over_the_threshold_reach_the_upper_row_of_the_strip(bed: PaintedBed) -> None:
    _, upper, lower, *_ = gauge_lines(with_errors(bed, 0.2, 1.8, 0.9, 1.01))
    assert upper.strip() == "⢸⢀"
    assert lower.strip() == "⣸⣿"


def test_without_a_scored_beat_the_gauge_is_two_dashes() -> None:
    assert "--" in gauge(snapshot_of(PaintedBed()), WIDTH, BRAILLE).plain


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 0.0])
def test_an_odd_error_does_not_break_the_gauge(bed: PaintedBed, odd: float) -> None:
    assert len(gauge_lines(with_errors(bed, 0.4, odd))) == 6


def test_the_calibration_is_said_under_the_gauge(bed: PaintedBed) -> None:
    running = replace(snapshot_of(bed), calibration="running 120 s left")
    assert gauge_lines(running)[-1] == "calibration running 120 s left"


def a_beat(difference_at: slice) -> LastBeat:
    window = heartbeat()[:192]
    rebuilt = window.copy()
    rebuilt[difference_at] += 0.6
    return LastBeat(0, 1.6, 1.0, True, window, rebuilt, "V")


def test_the_error_is_marked_where_it_lies() -> None:
    picture = beat_picture(a_beat(slice(96, 144)), 32, 6, BRAILLE)
    assert np.flatnonzero(picture.error).tolist() == list(range(16, 24))


def test_cells_of_the_reconstruction_alone_are_told_apart() -> None:
    picture = beat_picture(a_beat(slice(96, 192)), 32, 8, BRAILLE)
    assert picture.rebuilt_only[:, 18:].any()
    assert not picture.rebuilt_only[:, :14].any()
    assert np.all(picture.codes[picture.rebuilt_only] != SPACE)


@pytest.mark.parametrize("name", GLYPH_SETS)
def test_the_panel_fits_its_pane(bed: PaintedBed, name: str) -> None:
    lines = why(snapshot_of(bed), 38, 8, GLYPH_SETS[name]).plain.split("\n")
    assert len(lines) == 8
    assert all(len(line) <= 38 for line in lines)
    assert lines[0].startswith("why abnormal:")
    assert lines[0].endswith("ventricular")


def test_without_an_abnormal_beat_the_panel_shows_the_last_one(bed: PaintedBed) -> None:
    snapshot = replace(snapshot_of(bed), last_abnormal=None)
    assert snapshot.last_beat is not None
    calm = replace(snapshot, last_beat=replace(snapshot.last_beat, abnormal=False))
    assert why(calm, 38, 8, BRAILLE).plain.startswith("last beat")


def test_without_any_beat_the_panel_says_so() -> None:
    assert "no beat" in why(snapshot_of(PaintedBed()), 38, 8, BRAILLE).plain


def test_the_verdict_is_whole_beside_a_threshold_of_many_digits(bed: PaintedBed) -> None:
    *_, numbers, _ = gauge_lines(with_errors(bed, 1.479, threshold=0.0742))
    assert numbers.split() == ["1.48", "0.0742", "abnormal"]

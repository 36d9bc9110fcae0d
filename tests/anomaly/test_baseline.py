"""What a calibration learns, and what it refuses to learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import Baseline, BaselineError, Calibration, Refusal, accept
from bedside.anomaly.fusion import Fusion
from bedside.events import BeatClass, BeatTiming, BeatWindow

MakeBeats = Callable[..., list[BeatWindow]]


def calibrate(beats: list[BeatWindow], autoencoder: Autoencoder) -> Baseline | Refusal:
    """All of a calibration, with these beats."""
    calibration = Calibration("bed-1", "session-1", started_us=0)
    for beat in beats:
        calibration.add(beat)
    tentative = calibration.tentative(autoencoder.version, wall_us=1_700_000_000_000_000)
    if isinstance(tentative, Refusal):
        return tentative
    windows = calibration.windows
    return accept(tentative, windows, autoencoder.score(windows, tentative))


def accepted(beats: list[BeatWindow], autoencoder: Autoencoder) -> Baseline:
    """The baseline that these beats teach."""
    baseline = calibrate(beats, autoencoder)
    assert isinstance(baseline, Baseline)
    return baseline


def errors(beats: list[BeatWindow], autoencoder: Autoencoder, baseline: Baseline) -> list[float]:
    """The errors of beats that follow one another."""
    fusion = Fusion()
    return [
        fusion.error(score.shape_error, beat.timing, beat.abnormal_log_odds, baseline)
        for beat, score in zip(beats, autoencoder.score(beats, baseline), strict=True)
    ]


def test_the_template_is_this_patients_median_beat(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    baseline = accepted(make_beats(), autoencoder)
    assert baseline.template_mv == pytest.approx(make_beats(1, noise_mv=0)[0].window_mv, abs=0.01)


def test_a_patients_own_normal_beats_stay_below_the_threshold(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    baseline = accepted(make_beats(), autoencoder)
    later = errors(make_beats(seed=2), autoencoder, baseline)
    assert np.mean([error > baseline.threshold for error in later]) < 0.01


def test_a_wide_inverted_early_beat_is_above_the_threshold(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    baseline = accepted(make_beats(), autoencoder)
    wide = make_beats(20, width_s=0.06, height_mv=-1.2)
    early = [replace(beat, timing=BeatTiming(prematurity=0.3)) for beat in wide]
    assert min(errors(early, autoencoder, baseline)) > baseline.threshold


def test_ventricular_beats_among_the_normal_ones_do_not_teach(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    ectopic = make_beats(30, width_s=0.06, height_mv=-1.2, beat_class=BeatClass.VENTRICULAR)
    baseline = accepted(make_beats() + ectopic, autoencoder)
    assert baseline.beats == 300


def test_a_calibration_is_complete_when_its_time_is_over() -> None:
    calibration = Calibration("bed-1", "session-1", started_us=5_000_000, seconds=180)
    assert not calibration.complete(184_999_999)
    assert calibration.complete(185_000_000)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no beats", "clean signal"),
        ("artefact", "clean signal"),
        ("few", "usable beats"),
        ("arrhythmia", "ectopic"),
        ("noise", "ectopic"),
    ],
)
def test_a_stretch_that_is_not_fit_is_refused_with_its_reason(
    case: str, words: str, make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    normal = make_beats(200)
    beats = {
        "no beats": [],
        "artefact": normal + make_beats(150, usable=False),
        "few": normal[:60],
        "arrhythmia": normal + make_beats(100, beat_class=BeatClass.VENTRICULAR),
        "noise": make_beats(200, noise_mv=1.0),
    }[case]
    refusal = calibrate(beats, autoencoder)
    assert isinstance(refusal, Refusal)
    assert words in refusal.reason


def test_a_stored_baseline_comes_back_as_it_was(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    baseline = accepted(make_beats(), autoencoder)
    again = Baseline.from_json(json.loads(json.dumps(baseline.to_json())))
    beats = make_beats(20, seed=3)
    before = errors(beats, autoencoder, baseline)
    after = errors(beats, autoencoder, again)
    assert after == pytest.approx(before, rel=0.01)
    assert again.threshold == baseline.threshold


def test_a_stricter_budget_has_a_higher_threshold(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    calibration = Calibration("bed-1", "session-1", started_us=0)
    for beat in make_beats():
        calibration.add(beat)
    tentative = calibration.tentative(autoencoder.version)
    assert isinstance(tentative, Baseline)
    taught = calibration.windows
    scores = autoencoder.score(taught, tentative)
    strict, loose = (accept(tentative, taught, scores, budget) for budget in (1.0, 100.0))
    assert isinstance(strict, Baseline)
    assert isinstance(loose, Baseline)
    assert strict.threshold > loose.threshold
    assert strict.recall <= loose.recall
    assert (strict.alarms_per_day, loose.alarms_per_day) == (1.0, 100.0)


def test_beats_that_do_not_fit_what_was_learned_refuse_the_calibration(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    calibration = Calibration("bed-1", "session-1", started_us=0)
    for beat in make_beats():
        calibration.add(beat)
    tentative = calibration.tentative(autoencoder.version)
    assert isinstance(tentative, Baseline)
    windows = calibration.windows
    scores = autoencoder.score(windows, tentative)
    strange = [
        replace(score, shape_error=0.9) if number % 4 == 0 else score
        for number, score in enumerate(scores)
    ]
    refusal = accept(tentative, windows, strange)
    assert isinstance(refusal, Refusal)
    assert "did not fit" in refusal.reason


@pytest.mark.parametrize(
    "damage",
    [
        {"threshold": float("nan")},
        {"threshold": -1},
        {"prematurity_spread": 0},
        {"shape_error": 0},
        {"template_mv": [0.0] * 10},
        {"spread_mv": ["a"] * 192},
        {"bed": None, "beats": "many"},
    ],
)
def test_a_damaged_baseline_is_refused(
    damage: dict[str, object], make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    stored = accepted(make_beats(), autoencoder).to_json() | damage
    with pytest.raises(BaselineError, match="calibrate"):
        Baseline.from_json(stored)


def test_a_baseline_of_an_older_version_is_not_called_damaged(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    stored = accepted(make_beats(), autoencoder).to_json() | {"version": 2}
    with pytest.raises(BaselineError, match="has version 2, and this program makes 3: "):
        Baseline.from_json(stored)


@pytest.mark.parametrize("foreign", ["bed", "session", "model_version"])
def test_a_foreign_or_stale_baseline_is_refused(
    foreign: str, make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    baseline = accepted(make_beats(), autoencoder)
    asked = {"bed": "bed-1", "session": "session-1", "model_version": autoencoder.version}
    baseline.require(**asked)
    with pytest.raises(BaselineError, match="calibrate"):
        baseline.require(**(asked | {foreign: "another"}))

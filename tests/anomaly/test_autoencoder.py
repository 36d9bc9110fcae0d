"""The shipped model, and models that are not it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bedside.anomaly.autoencoder import IN_CHECKOUT, Autoencoder
from bedside.anomaly.fusion import UNSCORABLE_ERROR
from bedside.anomaly.normal import Normal
from bedside.errors import ModelError
from bedside.events import WINDOW_SAMPLES, BeatWindow

MakeBeats = Callable[..., list[BeatWindow]]


def test_every_beat_has_a_finite_score_without_a_baseline(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    scores = autoencoder.score(make_beats(20), None)
    assert len(scores) == 20
    assert all(np.isfinite(score.shape_error) and score.shape_error > 0 for score in scores)
    assert all(score.reconstruction_mv.shape == (WINDOW_SAMPLES,) for score in scores)


def test_no_beats_have_no_scores(autoencoder: Autoencoder) -> None:
    assert autoencoder.score([], None) == []


def test_a_beat_scores_the_same_alone_and_in_company(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    beats = make_beats(8)
    together = [score.shape_error for score in autoencoder.score(beats, None)]
    alone = [autoencoder.score([beat], None)[0].shape_error for beat in beats]
    assert together == pytest.approx(alone, rel=1e-4)


def test_the_beats_of_several_patients_are_each_measured_against_their_own_normal(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    beats = make_beats(6)
    usual = np.mean([beat.window_mv for beat in beats[:3]], axis=0)
    normal = Normal(
        beats=3, template_mv=usual, spread_mv=np.full_like(usual, 0.05), prematurity_spread=0.1
    )
    asked = [(beats[:2], None), ([], normal), (beats[2:5], normal), (beats[5:], None)]
    together = autoencoder.score_all(asked)
    alone = [autoencoder.score(part, whose) for part, whose in asked]
    assert [[score.sample for score in part] for part in together] == [
        [beat.sample for beat in part] for part, _ in asked
    ]
    for one, other in zip(together, alone, strict=True):
        assert [s.shape_error for s in one] == pytest.approx(
            [s.shape_error for s in other], rel=1e-4
        )
    without = autoencoder.score(beats[2:5], None)
    assert [s.shape_error for s in together[2]] != pytest.approx(
        [s.shape_error for s in without], rel=1e-2
    )


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan, np.inf])
def test_a_flat_line_or_nan_is_never_normal(
    value: float, make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    [beat] = make_beats(1)
    window = np.full(WINDOW_SAMPLES, value, dtype=np.float32)
    [score] = autoencoder.score([replace(beat, window_mv=window)], None)
    assert score.shape_error == UNSCORABLE_ERROR
    assert np.isfinite(score.reconstruction_mv).all()


def test_one_nan_among_the_samples_is_never_normal(
    make_beats: MakeBeats, autoencoder: Autoencoder
) -> None:
    [beat, other] = make_beats(2)
    window = beat.window_mv.copy()
    window[10] = np.nan
    spoilt, clean = autoencoder.score([replace(beat, window_mv=window), other], None)
    assert spoilt.shape_error == UNSCORABLE_ERROR
    assert clean.shape_error < UNSCORABLE_ERROR


def test_a_missing_model_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Autoencoder.load(tmp_path / "none.onnx")


@pytest.mark.parametrize("keep", [0, 1000, -1000])
def test_a_corrupt_model_is_told_in_one_sentence(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "corrupt.onnx"
    path.write_bytes(IN_CHECKOUT.read_bytes()[:keep])
    with pytest.raises(ModelError, match="damaged"):
        Autoencoder.load(path)


@pytest.mark.parametrize(
    ("fact", "instead", "words"),
    [
        (b"bedside-autoencoder-2", b"somebody-elses-model!", "not one of bedside's"),
        (b"window_samples\x12\x03192", b"window_samples\x12\x03187", "187 samples"),
        (b"rate_hz\x12\x03250", b"rate_hz\x12\x03125", "125 Hz"),
        (b"population_threshold", b"population_thresholt", "not one of bedside's"),
        (b"training_data", b"training_dato", "not one of bedside's"),
    ],
)
def test_a_model_that_says_something_else_of_itself_is_refused(
    fact: bytes, instead: bytes, words: str, tmp_path: Path
) -> None:
    """The facts stand in the file as text; each is changed in place, to the same length."""
    model = IN_CHECKOUT.read_bytes()
    assert model.count(fact) == 1
    path = tmp_path / "foreign.onnx"
    path.write_bytes(model.replace(fact, instead))
    with pytest.raises(ModelError, match=words):
        Autoencoder.load(path)

from typing import Any

import numpy as np
import pytest

pytest.importorskip("wfdb")
pytest.importorskip("sklearn")

from bedside.ecg.filters import BandPass
from bedside.ecg.packed import unpack
from tests.ecg.heartbeats import RATE, heart, steady
from training import beat_fit, ectopy


def heard(seconds: float = 120.0) -> ectopy.Heard:
    """A steady heart with one ventricular beat in twelve."""
    peaks = steady(72, seconds)
    wide = tuple(range(6, len(peaks), 12))
    classes = np.full(len(peaks), "N")
    classes[list(wide)] = "V"
    filtered = BandPass().process(heart(peaks, seconds, wide=wide))
    return ectopy.Heard(filtered, peaks, classes)


def composed() -> list[ectopy.Heard]:
    one, rng = heard(), np.random.default_rng(0)
    waves = {"one": ectopy.ventricular(one)}
    made = [ectopy.compose(one, waves, rng) for _ in range(40)]
    return [rhythm for rhythm in made if rhythm is not None]


def test_composed_rhythms_hold_every_class_and_a_qrs_complex_at_each_r_peak() -> None:
    rhythms = composed()
    assert {str(c) for rhythm in rhythms for c in rhythm.classes} == {"N", "S", "V"}
    for rhythm in rhythms:
        assert np.all(np.diff(rhythm.peaks) > 0)
        normal = rhythm.peaks[rhythm.classes == "N"] + BandPass.delay_samples
        swings_mv = [np.ptp(rhythm.signal_mv[at - 10 : at + 10]) for at in normal]
        assert min(swings_mv) > 0.4


def test_too_few_beats_compose_nothing() -> None:
    assert ectopy.compose(heard(20.0), {}, np.random.default_rng(0)) is None


def test_supraventricular_beats_are_early_in_most_rhythms() -> None:
    ratios = []
    for rhythm in composed():
        intervals = np.diff(rhythm.peaks)
        early = rhythm.classes[1:] == "S"
        ratios += (intervals[early] / np.median(intervals[~early])).tolist()
    assert np.median(ratios) < 0.85


def test_the_written_trees_vote_as_the_fitted_ones() -> None:
    rng = np.random.default_rng(1)
    evidence = rng.normal(size=(900, 5))
    classes = (evidence[:, 0] > 0.4).astype(int) + (evidence[:, 1] * evidence[:, 2] > 0.3)
    trees = beat_fit.boosted(evidence, classes, np.ones(900))
    written: dict[str, Any] = {"unpack": unpack}
    exec("\n".join(beat_fit.constants(trees)), written)
    for one in evidence[:50]:
        votes = written["BIAS"].copy()
        for number, root in enumerate(written["ROOTS"]):
            node = int(root)
            while written["FEATURE"][node] >= 0:
                left = one[written["FEATURE"][node]] <= written["VALUE"][node]
                node += 1 if left else int(written["BRANCH"][node])
            votes[number % 3] += written["VALUE"][node]
        odds = np.exp(votes - votes.max())
        assert odds / odds.sum() == pytest.approx(trees.predict_proba(one[None])[0], abs=0.02)


def test_a_patient_forgotten_in_pieces_keeps_every_beat_but_a_few() -> None:
    one = heard()
    pieces = list(beat_fit.forgotten(one, np.random.default_rng(2)))
    assert len(pieces) > 1
    assert sum(len(piece.peaks) for piece in pieces) >= len(one.peaks) - 3
    assert max(len(piece.signal_mv) for piece in pieces) <= 75 * RATE

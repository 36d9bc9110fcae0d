import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bedside.ecg.fibrillation import FibrillationRule
from bedside.ecg.rhythm import Rhythm
from tests.ecg.heartbeats import RATE, heart, pieces, steady


def fibrillation(seconds: float, size_mv: float = 0.6, seed: int = 0) -> NDArray[np.float64]:
    """A swing of 4 to 6 per second whose rate and size wander."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    wander = np.convolve(rng.normal(size=n + 249), np.hanning(250) / 10.0, "valid")
    phase = 2 * np.pi * np.cumsum(5.0 + 0.6 * wander) / RATE
    grow = 1.0 + 0.3 * np.convolve(rng.normal(size=n + 249), np.hanning(250) / 10.0, "valid")
    return size_mv * grow * np.sin(phase) + rng.normal(0.0, 0.01, n)


def changes(x: NDArray[np.float64]) -> list[tuple[float, bool]]:
    rhythm = Rhythm()
    found, now = [], 0
    for piece in pieces(x, [50]):
        now += len(piece)
        rhythm.signal(piece)
        found += [
            (now / RATE, finding.present) for finding in rhythm.advance(now) if finding.code == "vf"
        ]
    return found


@pytest.mark.parametrize("size_mv", [0.2, 0.6, 1.5])
def test_fibrillation_is_found_within_eight_seconds(size_mv: float) -> None:
    x = np.concatenate((heart(steady(75, 20), 20), fibrillation(20, size_mv)))
    found = changes(x)
    assert found[0][1]
    assert 24.0 <= found[0][0] <= 28.0


def test_it_ends_when_the_heart_beats_again() -> None:
    x = np.concatenate((fibrillation(15), heart(steady(75, 20), 20)))
    assert [present for _, present in changes(x)] == [True, False]


@pytest.mark.parametrize("rate_bpm", [40, 75, 130, 190])
def test_a_heart_that_beats_is_not_fibrillating(rate_bpm: int) -> None:
    assert changes(heart(steady(rate_bpm, 60), 60, noise_mv=0.03)) == []


def test_neither_is_a_flat_line_nor_its_hum() -> None:
    t = np.arange(30 * RATE) / RATE
    assert changes(np.zeros(30 * RATE)) == []
    assert changes(0.03 * np.sin(2 * np.pi * 5.0 * t)) == []
    assert changes(0.5 * np.sin(2 * np.pi * 50.0 * t)) == []


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 500), min_size=1, max_size=5))
def test_any_split_gives_the_same_verdicts(sizes: list[int]) -> None:
    x = np.concatenate((heart(steady(75, 6), 6), fibrillation(8)))
    whole = FibrillationRule().process(x)
    rule = FibrillationRule()
    parted = [verdict for piece in pieces(x, sizes) for verdict in rule.process(piece)]
    assert [(verdict.position, verdict.log_odds) for verdict in parted] == [
        (verdict.position, verdict.log_odds) for verdict in whole
    ]

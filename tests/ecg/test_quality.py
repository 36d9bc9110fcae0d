import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bedside.ecg.quality import QualitySecond, SignalQuality
from tests.ecg.heartbeats import RATE, heart, pieces, steady
from tests.ecg.test_fibrillation import fibrillation

T = np.arange(20 * RATE) / RATE


def seconds(x: NDArray[np.float64]) -> list[QualitySecond]:
    return SignalQuality().process(x)


def clean() -> NDArray[np.float64]:
    return heart(steady(70, 20), 20)


def reasons(x: NDArray[np.float64]) -> set[str]:
    return {second.reason for second in seconds(x) if second.is_artefact}


def test_a_clean_heart_has_full_quality() -> None:
    assert [second.index for second in seconds(clean())] == [1.0] * 20


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_the_size_of_a_clean_heart_does_not_matter(scale: float) -> None:
    assert reasons(scale * clean()) == set()


def test_a_flat_line_is_flat_and_no_artefact() -> None:
    found = seconds(np.random.default_rng(0).normal(0.0, 0.002, 5000))
    assert {second.reason for second in found} == {"flat"}
    assert not any(second.is_artefact for second in found)


def test_fibrillation_is_no_artefact() -> None:
    assert reasons(np.concatenate((clean(), fibrillation(20)))) == set()


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_of_the_mains_is_named(mains_hz: float) -> None:
    assert reasons(clean() + 0.8 * np.sin(2 * np.pi * mains_hz * T)) == {"mains"}


def test_muscle_noise_is_named() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.4, len(T))
    assert reasons(clean() + noise) == {"noise"}


def test_a_swing_far_beyond_the_usual_is_motion() -> None:
    x = clean()
    x[10 * RATE : 11 * RATE] += 8.0 * np.sin(2 * np.pi * 1.5 * T[:RATE])
    assert [second.position for second in seconds(x) if second.reason == "motion"] == [10 * RATE]


def test_a_rail_is_saturated() -> None:
    x = np.clip(clean() + 6.0 * np.sin(2 * np.pi * 1.0 * T), -2.0, 2.0)
    assert "saturated" in reasons(x)


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_any_split_gives_the_same_seconds(sizes: list[int]) -> None:
    x = clean() + np.random.default_rng(1).normal(0.0, 0.1, len(T))
    quality = SignalQuality()
    assert [s for piece in pieces(x, sizes) for s in quality.process(piece)] == seconds(x)


def test_a_lead_that_hangs_in_the_air_has_no_contact() -> None:
    x = clean()
    x[10 * RATE :] = 4.0 * np.sin(2.0 * np.pi * 50.0 * T[10 * RATE :])
    assert {second.reason for second in seconds(x)[10:]} == {"no contact"}

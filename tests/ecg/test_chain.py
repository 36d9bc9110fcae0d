import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bedside.ecg.chain import ChainOutput, SignalChain
from bedside.events import BeatClass
from bedside.limits import Limits
from tests.ecg.heartbeats import RATE, heart, pieces, steady
from tests.ecg.test_fibrillation import fibrillation


def outputs(x: NDArray[np.float64], sizes: list[int]) -> list[ChainOutput]:
    chain = SignalChain(Limits())
    return [chain.process(piece) for piece in pieces(x, sizes)]


def lethal(x: NDArray[np.float64]) -> list[tuple[float, str]]:
    """When (in s) which lethal condition was first said to be present, in batches of 0.2 s."""
    return [
        ((number + 1) * 0.2, finding.code)
        for number, output in enumerate(outputs(x, [50]))
        for finding in output.findings
        if finding.present and finding.code in ("asystole", "vf", "vt")
    ]


def test_a_healthy_heart_raises_nothing_at_all() -> None:
    x = heart(steady(72, 60), 60)
    assert [finding for output in outputs(x, [50]) for finding in output.findings] == []


@pytest.mark.parametrize("decay_s", [0.5, 1.5])
def test_a_recorders_square_wave_is_no_arrest(decay_s: float) -> None:
    """Recordings begin with one; the reference of nsrdb has a beat at each of its edges."""
    x, level_mv = np.empty(30 * RATE), 0.0
    for k in range(len(x)):
        edge_mv = (0.0 if k % 125 else 1.0) * (1.0 if k // 125 % 2 else -1.0)
        level_mv = level_mv * np.exp(-1.0 / RATE / decay_s) + edge_mv
        x[k] = level_mv
    found = lethal(x + np.random.default_rng(6).normal(0.0, 0.01, len(x)))
    assert "asystole" not in [code for _, code in found]


@pytest.mark.parametrize("noise_mv", [0.0, 0.01])
def test_an_arrest_reaches_its_alarm_within_five_seconds(noise_mv: float) -> None:
    peaks = steady(72, 30)
    x = np.concatenate((heart(peaks, 30, noise_mv=noise_mv), np.zeros(20 * RATE)))
    x[30 * RATE :] += np.random.default_rng(5).normal(0.0, noise_mv, 20 * RATE)
    [(at_s, code)] = lethal(x)
    assert code == "asystole"
    assert 4.0 <= at_s - peaks[-1] / RATE <= 5.0


def test_fibrillation_reaches_an_alarm_within_eight_seconds() -> None:
    found = lethal(np.concatenate((heart(steady(72, 30), 30), fibrillation(20))))
    assert found
    assert 30.0 < found[0][0] <= 38.0


def test_ventricular_tachycardia_reaches_its_alarm_within_eight_seconds() -> None:
    peaks = [int(peak) for peak in steady(72, 30)]
    run = [peaks[-1] + round(RATE * 0.38 * k) for k in range(1, 40)]
    wide = tuple(range(len(peaks), len(peaks) + len(run)))
    found = lethal(heart(peaks + run, 48, wide=wide))
    onset_s = run[0] / RATE
    assert found
    assert onset_s < found[0][0] <= onset_s + 8.0


@settings(max_examples=8, deadline=None)
@given(sizes=st.lists(st.integers(1, 600), min_size=1, max_size=4))
def test_any_split_gives_the_same_beats(sizes: list[int]) -> None:
    x = heart(steady(95, 20), 20, noise_mv=0.05, wide=(9, 14))
    parted = [beat for output in outputs(x, sizes) for beat in output.beats]
    whole = [beat for output in outputs(x, [50]) for beat in output.beats]
    common = min(len(parted), len(whole))
    assert common >= len(whole) - 1
    for one, other in zip(parted[:common], whole[:common], strict=True):
        assert (one.position, one.rr_s, one.beat_class) == (
            other.position,
            other.rr_s,
            other.beat_class,
        )
        assert np.array_equal(one.window_mv, other.window_mv)


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_a_gain_out_of_range_raises_no_exception(scale: float) -> None:
    found = outputs(scale * heart(steady(72, 20), 20), [50])
    assert sum(len(output.filtered_mv) for output in found) == 20 * RATE


def test_a_window_holds_its_r_peak_at_index_eighty() -> None:
    x = heart(steady(72, 20), 20)
    beats = [beat for output in outputs(x, [50]) for beat in output.beats]
    assert {beat.beat_class for beat in beats} == {BeatClass.NORMAL}
    assert {abs(int(np.argmax(beat.window_mv)) - 80) <= 1 for beat in beats[1:]} == {True}

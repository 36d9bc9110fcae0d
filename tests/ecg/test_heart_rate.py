"""The displayed heart rate on the irregular rhythms and steps that IEC 60601-2-27 asks about.

Formula: the mean of the last 12 RR intervals, or of the last 4 when each is longer than 1.2 s.
The rhythms follow the standard's description in makers' manuals and in the PhysioNet copies of its
waveforms 3a and 3b: bigeminy of 1.5 s a pair, slow and rapid alternation, bidirectional systoles.
"""

import numpy as np
import pytest

from bedside.ecg.chain import SignalChain
from bedside.limits import Limits
from tests.ecg.heartbeats import RATE, heart, pieces

BATCH = 50


def shown(x: np.ndarray) -> list[tuple[float, float | None]]:
    """The displayed rate after each batch of 0.2 s."""
    chain, rates = SignalChain(Limits()), []
    for number, piece in enumerate(pieces(x, [BATCH])):
        chain.process(piece)
        rates.append(((number + 1) * BATCH / RATE, chain.rhythm.heart_rate_bpm))
    return rates


def ventricular(peaks: list[int], seconds: float) -> np.ndarray:
    """Wide complexes, most of each below the line, with their T waves."""
    x = np.zeros(round(seconds * RATE))
    t = np.arange(len(x)) / RATE
    for peak in peaks:
        for offset_s, height_mv, width_s in (
            (-0.03, 0.4, 0.015),
            (0.0, -1.2, 0.022),
            (0.22, 0.5, 0.05),
        ):
            x += height_mv * np.exp(-0.5 * ((t - peak / RATE - offset_s) / width_s) ** 2)
    return x


def rhythm(intervals_s: list[float], seconds: float) -> list[int]:
    """R peaks of a pattern of intervals, over and over."""
    peaks, at_s, turn = [], 0.6, 0
    while at_s < seconds - 0.5:
        peaks.append(round(at_s * RATE))
        at_s += intervals_s[turn % len(intervals_s)]
        turn += 1
    return peaks


@pytest.mark.parametrize(
    ("intervals_s", "wide", "rate_bpm"),
    [
        pytest.param([0.55, 0.95], (1,), 80.0, id="ventricular bigeminy"),
        pytest.param([0.6, 1.4, 0.6, 1.4], (1, 3), 60.0, id="slow alternating bigeminy"),
        pytest.param([0.35, 0.65, 0.35, 0.65], (1, 3), 120.0, id="rapid alternating bigeminy"),
        pytest.param([2.0 / 3.0, 2.0 / 3.0], (1,), 90.0, id="bidirectional systoles"),
    ],
)
def test_an_irregular_rhythm_is_shown_by_its_average(
    intervals_s: list[float], wide: tuple[int, ...], rate_bpm: float
) -> None:
    peaks = rhythm(intervals_s, 45.0)
    ectopic = [peak for n, peak in enumerate(peaks) if n % len(intervals_s) in wide]
    x = heart([peak for peak in peaks if peak not in ectopic], 45.0) + ventricular(ectopic, 45.0)
    settled = [rate for at_s, rate in shown(x) if at_s > 20.0]
    assert settled == pytest.approx([rate_bpm] * len(settled), abs=2.0)


@pytest.mark.parametrize("after_bpm", [120.0, 40.0])
def test_a_step_of_the_rate_is_shown_within_eight_seconds(after_bpm: float) -> None:
    before = rhythm([0.75], 30.0)
    step = before[-1]
    after = [step + round(RATE * 60.0 / after_bpm * k) for k in range(1, 25)]
    x = heart([*before, *after], 30.0 + 25 * 60.0 / after_bpm)
    late = [rate for at_s, rate in shown(x) if at_s > step / RATE + 8.0]
    assert late[:10] == pytest.approx([after_bpm] * 10, abs=2.0)

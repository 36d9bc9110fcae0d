"""P waves and noise that a detector takes for beats in a long pause do not hide the pause."""

import numpy as np
from numpy.typing import NDArray

from bedside.ecg.beat_size import FORGET_S, BeatSize
from bedside.ecg.rhythm import Rhythm
from tests.ecg.heartbeats import RATE, heart, pieces, steady


def with_small_waves(seconds: float, size: float) -> tuple[NDArray[np.float64], list[int]]:
    """Ten seconds of a heart, then waves of `size` times its own at the same pace; their peaks."""
    peaks = steady(75, 10 + seconds)
    x = heart(peaks, 10 + seconds)
    x[10 * RATE :] *= size
    return x, peaks.tolist()


def small(size: float, seconds: float = 10.0) -> list[bool]:
    """The verdicts on the peaks after the first ten seconds."""
    x, peaks = with_small_waves(seconds, size)
    sizes, verdicts, now = BeatSize(), [], 0
    for piece in pieces(x, [50]):
        sizes.signal(piece)
        now += len(piece)
        while peaks and peaks[0] + 70 <= now:
            verdicts.append((peaks[0] > 10 * RATE, sizes.is_small(peaks.pop(0))))
    return [is_small for later, is_small in verdicts if later]


def test_waves_of_a_tenth_are_small_and_beats_of_a_third_are_not() -> None:
    assert all(small(0.1))
    assert not any(small(0.33))


def test_beats_that_stay_small_for_half_a_minute_are_this_patients_beats() -> None:
    found = small(0.1, FORGET_S + 20.0)
    assert not any(found[-10:])
    assert all(found[:30])


def test_small_waves_do_not_end_an_arrest_and_the_rate_shown_is_zero() -> None:
    x, peaks = with_small_waves(15.0, 0.1)
    rhythm = Rhythm()
    began_s, now = [], 0
    for piece in pieces(x, [50]):
        now += len(piece)
        rhythm.signal(piece)
        while peaks and peaks[0] + 70 <= now:
            rhythm.peak(peaks.pop(0))
        began_s += [now / RATE for found in rhythm.advance(now) if found.code == "asystole"]
    assert len(began_s) == 1
    assert 13.0 <= began_s[0] <= 15.0
    assert rhythm.heart_rate_bpm == 0.0

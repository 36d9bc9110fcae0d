"""Whether a peak is far too small for one of this patient's beats.

A detector that has waited for seconds listens ever closer, until P waves and noise answer. They are
not what ends an arrest.
"""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np

from bedside.events import WINDOW_RATE_HZ, Float64Array

SMALL = 0.25
"""Of the usual swing. 1 of 4000 beats of MIT-BIH is smaller; of 56 peaks in 232's pauses 53 are."""

FORGET_S = 30.0
"""When all peaks have been small for so long the patient's beats have become smaller."""

_USUAL_BEATS = 16
_FEWEST = 5
_HALF = 15
_SMOOTH = 5
_KEPT = round(4 * WINDOW_RATE_HZ)


class BeatSize:
    """The swing of the last peaks within ± 60 ms, at 250 Hz."""

    def __init__(self) -> None:
        """Start with no past."""
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0."""
        self._recent_mv: Float64Array = np.empty(0)
        self._position = 0
        self.forget()

    def forget(self) -> None:
        """What follows is another signal: its beats may have any size."""
        self._swings_mv: deque[float] = deque(maxlen=_USUAL_BEATS)
        self._last = 0

    def signal(self, samples_mv: Float64Array) -> None:
        """Take the next raw samples of shape (n,) in mV."""
        self._recent_mv = np.concatenate((self._recent_mv[-_KEPT:], samples_mv))
        self._position += len(samples_mv)

    def is_small(self, position: int) -> bool:
        """Judge the next peak, whose samples have come; a peak that is not small teaches."""
        first = position - _HALF - _SMOOTH // 2 - (self._position - len(self._recent_mv))
        around_mv = self._recent_mv[max(first, 0) : max(first, 0) + 2 * _HALF + _SMOOTH]
        if first < 0 or len(around_mv) < 2 * _HALF + _SMOOTH:
            return False
        total = np.cumsum(around_mv)
        swing_mv = float(np.ptp(total[_SMOOTH:] - total[:-_SMOOTH])) / _SMOOTH
        if position - self._last > FORGET_S * WINDOW_RATE_HZ:
            self._swings_mv.clear()
        usual_mv = median(self._swings_mv) if len(self._swings_mv) >= _FEWEST else 0.0
        if swing_mv < SMALL * usual_mv:
            return True
        self._swings_mv.append(swing_mv)
        self._last = position
        return False

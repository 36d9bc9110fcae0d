"""Whether RR intervals are irregularly irregular, as in atrial fibrillation."""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np

from bedside.events import BeatClass, Float64Array

FEWEST_INTERVALS = 24
"""Fewer intervals than this say nothing."""

_STEP = 0.10
_IRREGULAR_SHARE = 0.50
_STILL_IRREGULAR_SHARE = 0.40
_LONGEST_PATTERN = 12
_PATTERN = 0.45


def irregularly_irregular(intervals_s: Float64Array, until_now: bool = False) -> bool:
    """Judge RR intervals in s, shape (n,), between beats that are not ventricular.

    Irregular: half of the intervals differ from the one before by more than 10 % of the median (in
    the training records' fibrillation two thirds do, in their breathing a third); 40 % are enough
    for a rhythm that was irregular `until_now`, so that it does not come and go. Irregularly so:
    they do not repeat themselves after any 2 to 12 beats, as they do in breathing and in
    bigeminy (compare Dash 2009, who asks for the same two with other statistics).
    """
    if len(intervals_s) < FEWEST_INTERVALS:
        return False
    relative = intervals_s / median(intervals_s.tolist())
    steps = np.abs(relative[1:] - relative[:-1])
    share = _STILL_IRREGULAR_SHARE if until_now else _IRREGULAR_SHARE
    if np.count_nonzero(steps > _STEP) / len(steps) < share:
        return False
    deviation = np.clip(relative - relative.mean(), -0.5, 0.5)
    power = float(deviation @ deviation)
    repeats = max(
        float(deviation[lag:] @ deviation[:-lag]) / power for lag in range(2, _LONGEST_PATTERN + 1)
    )
    return repeats < _PATTERN


_MINUTE_S = 60.0
_CONDUCTED = frozenset({BeatClass.NORMAL, BeatClass.SUPRAVENTRICULAR})


class LastMinute:
    """The last minute's RR intervals between beats that the atria may have made."""

    def __init__(self) -> None:
        """Start with no beat known."""
        self._now_s = 0.0
        self._last = BeatClass.UNKNOWN
        self._intervals: deque[tuple[float, float]] = deque()

    def add(self, rr_s: float | None, beat_class: BeatClass) -> None:
        """Take the next beat and the interval before it in s; None: a gap, all begins anew."""
        last, self._last = self._last, beat_class
        if rr_s is None:
            self._now_s = 0.0
            self._intervals.clear()
            return
        self._now_s += rr_s
        if _CONDUCTED.issuperset((last, beat_class)):
            self._intervals.append((self._now_s, rr_s))
        while self._intervals and self._intervals[0][0] < self._now_s - _MINUTE_S:
            self._intervals.popleft()

    @property
    def is_irregular(self) -> bool:
        """Whether a whole minute without a gap was irregularly irregular."""
        if self._now_s < _MINUTE_S:
            return False
        return irregularly_irregular(np.array([rr_s for _, rr_s in self._intervals]))

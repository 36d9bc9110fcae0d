"""Whether RR intervals are irregularly irregular, as in atrial fibrillation."""

from __future__ import annotations

from statistics import median

import numpy as np

from bedside.events import Float64Array

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

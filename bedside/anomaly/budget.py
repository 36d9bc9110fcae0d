"""The threshold that a false-alarm budget allows, and what it costs.

A patient's own calibration says how high the errors of normal beats run; it is far too short to say
what happens once a day. That is taken from held-out hours of other, healthy people: how often their
later beats raised an alarm at a threshold so many times the level of their first five minutes. So
the rule is conformal across patients (split conformal prediction: Vovk, Gammerman, Shafer 2005;
Papadopoulos et al. 2002), with a power law for the part of the tail that few hours do not reach.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bedside.anomaly.measured import FACTOR_AT_ONE_A_DAY, RECALL, RECALL_ERRORS, TAIL_EXPONENT

BOUNDS_PER_DAY = (0.1, 100.0)
"""Budgets that the counted hours can speak for."""

K_OF_N = (3, 10)
"""The episode rule that the budget is for: 3 of the last 10 beats."""

LEAST_LEVEL = 0.1
"""No patient's level is taken to be lower than this: quiet minutes do not promise quiet days."""

MOST_OF_NORMAL = 0.15
"""Errors of normal beats above this are rare in every training patient."""


def episode_levels(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each of n beats the largest threshold at which an episode would be present, shape (n,).

    That is the third largest of the last ten errors; 0 for the first two beats.
    """
    k, n = K_OF_N
    padded = np.concatenate((np.zeros(n - 1), errors))
    last = np.lib.stride_tricks.sliding_window_view(padded, n)
    levels: NDArray[np.float64] = np.sort(last, axis=1)[:, -k]
    return levels


def fitting(errors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of a calibration's beats (n,) fit what was learned from them.

    The others are ectopic beats that were taken for normal ones: they must not raise the threshold
    that is to find them.
    """
    return errors <= MOST_OF_NORMAL


def calibration_level(errors: NDArray[np.float64]) -> float:
    """How high the normal beats of a calibration run: the top of `episode_levels`, bounded below.

    Only beats that fit count, and of their levels the highest percent does not, so that one
    disturbance does not set it.
    """
    levels = episode_levels(errors[fitting(errors)])
    return max(LEAST_LEVEL, float(np.quantile(levels, 0.99)))


def threshold(level: float, alarms_per_day: float) -> float:
    """The threshold at which normal beats are expected to alarm so many times a day."""
    return level * FACTOR_AT_ONE_A_DAY * math.pow(alarms_per_day, -1.0 / TAIL_EXPONENT)


def alarms_per_day(level: float, at_threshold: float) -> float:
    """False `abnormal-beats` alarms a day that are expected at a threshold."""
    factor = at_threshold / (level * FACTOR_AT_ONE_A_DAY)
    return math.pow(factor, -TAIL_EXPONENT)


def loosened(at_threshold: float, times: float = 10.0) -> float:
    """The threshold at which so many times as many false alarms are expected."""
    return at_threshold * math.pow(times, -1.0 / TAIL_EXPONENT)


def recall(at_threshold: float) -> float:
    """The share of ventricular beats that is expected to exceed a threshold."""
    return float(np.interp(at_threshold, RECALL_ERRORS, RECALL))

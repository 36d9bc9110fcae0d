"""What a threshold costs, as `python -m training validate` measured and wrote it."""

from __future__ import annotations

FACTOR_AT_ONE_A_DAY = 2.194
"""Threshold in units of the calibration's level for one false alarm a day."""

TAIL_EXPONENT = 3.61
"""False alarms a day fall with this power of the factor."""

RECALL_ERRORS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
RECALL = (0.9972, 0.9889, 0.9691, 0.9521, 0.9056, 0.8134, 0.6363, 0.2931)
"""The share of the training patients' ventricular beats (each patient weighs the same) whose error
exceeded each of `RECALL_ERRORS`."""

"""What a threshold costs, as `python -m training validate` measured and wrote it."""

from __future__ import annotations

FACTOR_AT_ONE_A_DAY = 2.070
"""Threshold in units of the calibration's level for one false alarm a day."""

TAIL_EXPONENT = 4.88
"""False alarms a day fall with this power of the factor."""

RECALL_ERRORS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
RECALL = (0.9989, 0.9888, 0.9651, 0.9305, 0.7543, 0.5899, 0.3734, 0.1665)
"""The share of the training patients' ventricular beats (each patient weighs the same) whose error
exceeded each of `RECALL_ERRORS`."""

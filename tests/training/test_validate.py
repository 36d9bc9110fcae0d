"""Thresholds of cross-validation come from the tail that it has just counted."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from bedside.anomaly.baseline import Baseline
from bedside.events import WINDOW_SAMPLES, BeatTiming
from training.datasets import RecordBeats
from training.replay import ScoredRecord
from training.validate import Tail, measured_anew

FLAT = np.zeros(WINDOW_SAMPLES, dtype=np.float32)
TAIL = Tail(factor_at_one_a_day=3.0, exponent=4.0, hours=5.0, counts=(1,))


def scored(*, calibrated: bool) -> ScoredRecord:
    """Forty beats, each with the error 0.12; all of them taught an accepted calibration."""
    beats = RecordBeats(
        "100",
        0,
        np.tile(FLAT, (40, 1)),
        np.full(40, "N"),
        np.arange(40.0),
        (BeatTiming(),) * 40,
        np.ones(40, dtype=bool),
    )
    baseline = Baseline(
        bed="100",
        session="replay",
        model_version="none",
        created_wall_us=0,
        beats=40,
        template_mv=FLAT,
        spread_mv=FLAT,
        prematurity_spread=0.05,
        threshold=0.2,
    )
    return ScoredRecord(
        beats,
        np.full(40, 0.12),
        0.2,
        baseline if calibrated else None,
        "" if calibrated else "too many ectopic beats",
        np.full(40, calibrated),
    )


def test_a_calibrated_record_is_measured_at_the_new_threshold() -> None:
    """Three times the level of its calibration, which is the error of all its beats."""
    [record] = measured_anew([scored(calibrated=True)], TAIL)
    assert record.threshold == pytest.approx(3.0 * 0.12)


def test_a_record_without_a_calibration_keeps_the_threshold_of_the_population() -> None:
    [record] = measured_anew([scored(calibrated=False)], TAIL)
    assert record.threshold == 0.2

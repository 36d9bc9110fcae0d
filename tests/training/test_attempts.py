"""Other rules for the error than the shipped one."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from bedside.anomaly.fusion import Fusion
from bedside.anomaly.normal import TYPICAL_SHAPE_ERROR, Normal
from bedside.events import WINDOW_SAMPLES, BeatTiming
from training.attempts import ATTEMPTS

SHAPES = (0.012, 0.02, 0.25, 0.013, 0.4, 0.03) * 15 + (0.012, 0.05, 0.25, 0.04, 0.4, 0.03) * 15
EARLY = (0.0, -0.05, 0.35, -0.3, 0.1, 0.12, 0.2) * 26


def normal_of(shape_error: float) -> Normal:
    """A patient whose usual beats have this shape error."""
    flat = np.zeros(WINDOW_SAMPLES, dtype=np.float32)
    return Normal(
        beats=100,
        template_mv=flat,
        spread_mv=flat,
        prematurity_spread=0.05,
        shape_error=shape_error,
    )


def errors(rule: Fusion) -> list[float]:
    """Of a patient with early and late beats, strange and usual ones."""
    beats = zip(SHAPES, EARLY, strict=False)
    return [
        rule.error(
            shape,
            BeatTiming(early, early + 0.25),
            20.0 * early - 9.0 + (10.0 if shape > 0.1 else 0.0),
            None,
        )
        for shape, early in beats
    ]


def test_the_shipped_rule_stands_among_those_that_were_tried() -> None:
    assert errors(ATTEMPTS["all of it"]()) == errors(Fusion())


@pytest.mark.parametrize("name", [n for n in ATTEMPTS if not n.startswith(("all", "the usual"))])
def test_every_attempt_differs_from_the_shipped_rule(name: str) -> None:
    assert errors(ATTEMPTS[name]()) != errors(Fusion())


def test_a_learned_usual_shape_counts_only_where_nobody_calibrated() -> None:
    tried, shipped = ATTEMPTS["the usual shape error without a calibration"](), Fusion()
    known, unknown = normal_of(0.02), normal_of(TYPICAL_SHAPE_ERROR)
    for shape in SHAPES:
        assert tried.error(shape, BeatTiming(), -5.0, known) == shipped.error(
            shape, BeatTiming(), -5.0, known
        )
    for _ in range(30):
        last = tried.error(0.026, BeatTiming(), -5.0, unknown)
    assert last < shipped.error(0.026, BeatTiming(), -5.0, unknown)

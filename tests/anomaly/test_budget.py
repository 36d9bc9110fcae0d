"""How a false-alarm budget becomes a threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.anomaly import budget
from bedside.anomaly.episode import EpisodeRule

LEVELS = st.floats(budget.LEAST_LEVEL, 0.3)
BUDGETS = st.floats(0.05, 200.0)


@given(LEVELS, BUDGETS)
def test_the_alarms_expected_at_a_threshold_are_those_it_was_chosen_for(
    level: float, alarms_per_day: float
) -> None:
    threshold = budget.threshold(level, alarms_per_day)
    assert budget.alarms_per_day(level, threshold) == pytest.approx(alarms_per_day)


@given(LEVELS)
def test_a_tighter_budget_has_a_higher_threshold_and_finds_fewer_beats(level: float) -> None:
    strict, loose = budget.threshold(level, 0.5), budget.threshold(level, 20.0)
    assert strict > loose
    assert budget.recall(strict) <= budget.recall(loose)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_an_episode_is_present_exactly_where_its_level_is_above_the_threshold(
    errors: list[float], threshold: float
) -> None:
    levels = budget.episode_levels(np.array(errors))
    rule, begun = EpisodeRule(*budget.K_OF_N), False
    for number, error in enumerate(errors):
        present = rule.add(error > threshold, number).present
        begun = present and (begun or bool(levels[number] > threshold))
        assert present == (begun or bool(levels[number] > threshold))


def test_a_quiet_calibration_is_not_taken_for_a_quiet_patient() -> None:
    assert budget.calibration_level(np.full(300, 1e-4)) == budget.LEAST_LEVEL


def test_ectopic_beats_in_a_calibration_do_not_raise_its_level() -> None:
    normal = np.abs(np.random.default_rng(1).normal(0.03, 0.02, 300))
    with_ectopics = np.insert(normal, range(10, 300, 10), 0.5)
    level = budget.calibration_level(normal)
    assert budget.calibration_level(with_ectopics) == pytest.approx(level, rel=0.1)

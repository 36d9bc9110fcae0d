"""Whether this machine knows what time it is."""

from __future__ import annotations

import time

import pytest

from bedside.wall_clock import Steps


def test_a_clock_that_is_moved_is_noticed_once_and_one_that_is_slewed_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ahead_s = 0.0
    kept = time.time
    monkeypatch.setattr(time, "time", lambda: kept() + ahead_s)
    steps = Steps()
    ahead_s = 1.0
    assert steps.step_s() == 0.0
    ahead_s = -3600.0
    assert steps.step_s() == pytest.approx(-3601, abs=1)
    assert steps.step_s() == 0.0

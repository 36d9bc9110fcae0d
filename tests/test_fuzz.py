"""The short form of the program that feeds every reader what is wrong."""

from __future__ import annotations

import pytest

from tests.fuzz import MOST_GROWTH_MB, TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_hostile_input_is_no_crash_and_no_growth(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A slow machine answers an operator late, after all that it was flooded with.
    monkeypatch.setattr("bedside.station_client.ANSWER_S", 60.0)
    fed = TARGETS[target](4.0, 7)
    assert fed.inputs > 10
    assert fed.grown_mb < MOST_GROWTH_MB

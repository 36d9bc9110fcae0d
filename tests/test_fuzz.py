"""The short form of the program that feeds every reader what is wrong."""

from __future__ import annotations

import pytest

from tests.fuzz import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_hostile_input_is_no_crash_and_no_growth(target: str) -> None:
    assert "no crash" in TARGETS[target](4.0, 7)

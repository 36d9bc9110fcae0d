"""Fixtures of the screen's tests."""

from __future__ import annotations

import pytest

from tests.tui.painted_bed import PaintedBed


@pytest.fixture
def bed() -> PaintedBed:
    """An admitted bed whose heart has beaten for 20 s."""
    painted = PaintedBed()
    painted.play(20)
    return painted


@pytest.fixture(autouse=True)
def slow_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screens draw when a test has them draw; their own paces are those of a real terminal's
    tests, and would cost these most of their time.
    """
    for screen in ("monitor", "ward"):
        monkeypatch.setattr(f"bedside.tui.screens.{screen}.FRAMES_PER_S", 2)
        monkeypatch.setattr(f"bedside.tui.screens.{screen}.NUMBERS_PER_S", 2)

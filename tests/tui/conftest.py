"""Fixtures of the screen's tests."""

from __future__ import annotations

import asyncio

import pytest
from textual import _wait

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


@pytest.fixture(autouse=True)
def settled_pilots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual takes an app that got no processor for 20 ms for one that is done: on a busy machine
    a key would still be on its way. Nothing is left to do when the loop has nothing left to run.
    """

    async def settled(min_sleep: float = _wait.SLEEP_GRANULARITY, max_sleep: float = 1) -> None:
        await _wait.wait_for_idle(min_sleep, max_sleep)
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        while ready:
            await asyncio.sleep(0)

    for module in ("app", "pilot"):
        monkeypatch.setattr(f"textual.{module}.wait_for_idle", settled)

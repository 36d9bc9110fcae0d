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

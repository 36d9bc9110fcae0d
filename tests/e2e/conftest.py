"""Fixtures of whole stations."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def patient_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks a station waits for its answer however slow the machine is."""
    monkeypatch.setattr("bedside.station_client.ANSWER_S", 60.0)

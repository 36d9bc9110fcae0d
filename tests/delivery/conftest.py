"""An outbox on a real disk, and the wire that it sends over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.delivery.delivery import DeliveryStep
from bedside.delivery.outbox import Outbox
from tests.delivery.wire import Wire


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def steps() -> list[DeliveryStep]:
    return []


@pytest.fixture
def outbox(path: Path, wire: Wire, steps: list[DeliveryStep]) -> Iterator[Outbox]:
    """With three contacts, and every wait at its longest."""
    with contextlib.closing(
        Outbox(path, wire, jitter=lambda: 0.999, contacts=3, on_step=steps.append)
    ) as outbox:
        yield outbox

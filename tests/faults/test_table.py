"""The short form of the fault table: ten times as fast, three faults at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults import rows
from tests.faults.rows import ROWS, Row
from tests.faults.table import RESULTS, holds, measured, table
from tests.readme import told

SPEED = 10.0


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Future[dict[str, Any]]]]:
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        patch.setattr(rows, "CLOUD_AWAY_S", 60.0)
        yield {row.name: pool.submit(measured, row, SPEED) for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_fault_loses_no_sample_and_no_alarm_and_shows(
    outcomes: dict[str, Future[dict[str, Any]]], row: Row
) -> None:
    result = outcomes[row.name].result()
    assert result["shown_s"] is not None
    assert (result["samples_lost"], result["alarms_lost"]) == (0, 0), result
    assert result["arrests"] >= 2


def test_the_readme_says_what_was_measured() -> None:
    results = json.loads(RESULTS.read_text())
    assert results.keys() == {row.name for row in ROWS}
    assert told("tests.faults.table") == table(results)


def test_every_fault_was_measured_at_its_goals() -> None:
    results = json.loads(RESULTS.read_text())
    assert [row.name for row in ROWS if not holds(row, results[row.name])] == []

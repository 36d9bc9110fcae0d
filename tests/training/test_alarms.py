"""What the rhythm's alarms say of real records, and what the reference says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedside.errors import BedsideError
from training.alarms import Sounded, Span, measure, repeated, table, true_episodes, unconfirmed
from training.datasets import data_folder


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return data_folder()
    except BedsideError as error:
        pytest.skip(str(error))


def sounded(code: str, active_s: float) -> Sounded:
    return Sounded(code, active_s - 2.0, active_s, active_s + 5.0, code)


def test_an_alarm_is_confirmed_by_an_episode_that_explains_it() -> None:
    truth = {"vt": [Span(10.0, 20.0)]}
    assert unconfirmed([sounded("pvc-run", 14.0), sounded("vf", 28.0)], truth) == []
    late, other = sounded("vt", 45.0), sounded("asystole", 14.0)
    assert unconfirmed([late, other], truth) == [late, other]


def test_a_second_instance_in_one_episode_is_counted_and_one_in_the_next_is_not() -> None:
    truth = {"bigeminy": [Span(10.0, 60.0), Span(100.0, 120.0)]}
    two = [sounded("bigeminy", 20.0), sounded("bigeminy", 40.0)]
    assert repeated(two, truth) == [("bigeminy", Span(10.0, 60.0), 2)]
    assert repeated([two[0], sounded("bigeminy", 110.0)], truth) == []


def test_what_the_annotators_could_not_see_is_no_arrest(folder: Path) -> None:
    """Record 19088 begins with half a minute of calibration pulses."""
    assert set(true_episodes(folder / "nsrdb" / "19088", 3600.0)) <= {"tachy", "irregular"}


def test_the_reference_of_232_has_its_fourteen_arrests(folder: Path) -> None:
    truth = true_episodes(folder / "mitdb" / "232", 1805.6)
    assert 13 <= len(truth["asystole"]) <= 14


def test_whole_records_raise_no_lethal_alarm_without_cause_and_no_swarm(folder: Path) -> None:
    """Bigeminy in 106, and 116, in which an electrode slips twice."""
    rows = measure([folder / "mitdb" / name for name in ("106", "116")])
    bigeminy, slipped = rows
    assert bigeminy["instances"]["bigeminy"] <= bigeminy["episodes"]["bigeminy"]
    assert bigeminy["repeated"] == []
    assert slipped["unconfirmed"] == []
    assert "| 106 |" in table(rows)

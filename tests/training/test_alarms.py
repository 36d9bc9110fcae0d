"""What the rhythm's alarms say of real records, and what the reference says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bedside.errors import BedsideError
from training.alarm_reference import Beats, Span, true_episodes, whole
from training.alarms import (
    TABLE,
    Sounded,
    alarmed,
    measure,
    reasons,
    repeated,
    table,
    unconfirmed,
)
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


def test_an_episode_that_an_earlier_alarm_outlasts_is_alarmed() -> None:
    truth = {"brady": [Span(10.0, 12.0), Span(14.0, 20.0), Span(40.0, 50.0)]}
    assert alarmed([sounded("brady", 11.0)], truth) == {"brady": 2}
    assert alarmed([sounded("pause", 41.0)], truth) == {"brady": 1}
    assert alarmed([sounded("tachy", 41.0)], truth) == {"brady": 0}


def test_three_beats_of_bigeminy_are_no_episode_that_has_to_alarm() -> None:
    beats = of([float(n) for n in range(60)], "NV" * 30)
    short, long = Span(10.0, 12.0), Span(20.0, 28.0)
    truth = {"bigeminy": [short, long], "irregular": [long], "pause": [short]}
    assert whole(truth, beats) == {"bigeminy": [long], "irregular": [], "pause": [short]}


def of(times_s: list[float], classes: str) -> Beats:
    return Beats(np.array(times_s), np.array(list(classes)))


def test_what_is_not_confirmed_is_explained_by_the_beats_around_it() -> None:
    one = Sounded("brady", 0.0, 6.0, 40.0, "")
    theirs = of([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "NNNNVN")
    right = of([0.01, 1.01, 2.0, 3.0, 4.0, 5.0], "NNNNVN")
    silent = np.array([])
    assert reasons(one, right, theirs, silent) == "every beat right; rate 60.0/min by the reference"
    wrong = of([0.0, 0.5, 2.0, 3.0, 4.0, 5.0], "NNNVNN")
    assert reasons(one, wrong, theirs, np.array([3.5])) == (
        "of 6 beats 1 missed, 1 invented, 1 taken for ventricular, 1 ventricular, taken for "
        "others; rate 60.0/min by the reference; marked as noise or no beat"
    )


def test_the_readme_says_what_the_table_says() -> None:
    readme = " ".join((TABLE.parents[1] / "README.md").read_text(encoding="utf-8").split())
    sums = next(
        line for line in TABLE.read_text(encoding="utf-8").splitlines() if " instances; " in line
    )
    instances, beyond, wrong, high, paced = (int(word) for word in sums.split() if word.isdigit())
    assert (
        f"{instances} instances, {beyond} beyond the first in one true episode, {wrong} " in readme
    )
    assert f"(high: {high}, in paced patients: {paced}, in the healthy: none)" in readme


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

"""What an operator wants is done once, logged before it is answered, and refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from bedside.anomaly.scoring import ModelFacts
from bedside.events import Action, ActionDone, BedState, SoundPaused
from bedside.recording.bed_file import BedFile
from bedside.settings import Settings
from bedside.ward import Ward
from tests.test_ward import Outside


class Desk:
    """An operator before a ward of two beds, of which each has a patient."""

    def __init__(self) -> None:
        self.outside = Outside()
        self._ward = Ward(Settings(), ModelFacts("none", float("inf")), self.outside.ports)
        for bed in ("icu-1", "icu-2"):
            self._ward.open_bed(bed, BedFile(BedState.ADMITTED, f"session-{bed}"))

    def ask(self, bed: str, name: str, action_id: str = "one", **arguments: Any) -> ActionDone:
        answers: list[ActionDone] = []
        action = Action(self.outside.now_us, action_id, "nurse", name, arguments)

        def answer(done: ActionDone) -> None:
            answers.append(done)
            self.rows_when_answered = len(self.rows())

        self._ward.take(bed, action, answer)
        [done] = answers
        return done

    def rows(self) -> list[dict[str, Any]]:
        return [entry.content for entry in self.outside.logged if entry.kind == "action"]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_action_is_in_the_log_with_who_asked_before_it_is_answered(desk: Desk) -> None:
    assert desk.ask("icu-1", "standby", seconds=60).done
    assert desk.rows_when_answered == 1
    [row] = desk.rows()
    assert (row["bed"], row["action"], row["user"]) == ("icu-1", "standby", "nurse")
    assert (row["arguments"], row["done"]) == ({"seconds": 60}, True)


def test_what_comes_twice_is_done_once(desk: Desk) -> None:
    assert desk.ask("icu-1", "discharge").done
    again = desk.ask("icu-1", "discharge")
    assert (again.done, again.reason) == (False, "this action was done already")


@pytest.mark.parametrize("name", ["standby", "pause-sound", "want-wave", "events-since"])
def test_a_bed_that_is_not_there_is_refused_by_its_name(desk: Desk, name: str) -> None:
    done = desk.ask("icu-9", name)
    assert (done.done, done.reason) == (False, "this station has no bed icu-9")


def test_a_question_is_answered_and_not_logged(desk: Desk) -> None:
    assert desk.ask("icu-1", "want-wave").done
    assert desk.ask("icu-1", "events-since", number=0).told is not None
    assert not desk.ask("icu-1", "events-since", number="all").done
    assert desk.rows() == []


def test_a_pause_of_the_sound_is_one_for_all_beds_and_the_station(desk: Desk) -> None:
    assert desk.ask("icu-1", "pause-sound", seconds=60).done
    paused = {bed for bed, event in desk.outside.shown if isinstance(event, SoundPaused)}
    assert paused == {"icu-1", "icu-2", ""}


def test_a_test_alert_goes_to_a_contact_that_there_is(desk: Desk) -> None:
    assert desk.ask("icu-1", "test-alert").done
    refused = desk.ask("icu-1", "test-alert", "two", contact=7)
    assert (refused.done, refused.reason) == (False, "contacts are numbered from 1 to 1")


def test_what_cannot_stand_in_the_log_is_left_out_of_it(desk: Desk) -> None:
    desk.ask("icu-1", "standby", seconds=float("nan"), why="night")
    assert desk.rows()[0]["arguments"] == {"why": "night"}

"""A calibration of one bed, from the first beat to the decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import Baseline
from bedside.anomaly.scoring import BeatScoring, ModelFacts
from bedside.events import BeatScored, BeatWindow, CalibrationChanged, Event, ScoreRequest, Scores
from bedside.limits import Limits

MakeBeats = Callable[..., list[BeatWindow]]
S = 1_000_000
SECONDS = 60.0


class Bed:
    """One bed whose scores come from the model at once."""

    def __init__(self, autoencoder: Autoencoder, beats: list[BeatWindow]) -> None:
        facts = ModelFacts(autoencoder.version, autoencoder.population_threshold)
        self.scoring = BeatScoring("bed-1", "session-1", facts, Limits())
        self._autoencoder = autoencoder
        self._beats = beats
        self._at_us = 0

    def act(self, **arguments: object) -> str:
        """One action; why it was refused."""
        events, refusal = self.scoring.act(arguments, SECONDS, self._at_us)
        self.last = events
        return refusal

    def calibrated(self, **arguments: object) -> CalibrationChanged:
        """What came of a calibration with these beats."""
        assert self.act(**arguments) == ""
        self._answer(self.scoring.ask([(beat, 0) for beat in self._beats], self._at_us))
        self._at_us += round(SECONDS * S)
        [changed] = self._answer(self.scoring.advance(self._at_us, 0))
        assert isinstance(changed, CalibrationChanged)
        return changed

    def errors(self) -> list[float]:
        """The errors of its beats, heard once more."""
        said = self._answer(self.scoring.ask([(beat, 0) for beat in self._beats], self._at_us))
        return [event.error for event in said if isinstance(event, BeatScored)]

    def _answer(self, events: list[Event]) -> list[Event]:
        said: list[Event] = []
        for asked in events:
            if isinstance(asked, ScoreRequest):
                scores = tuple(self._autoencoder.score(asked.beats, asked.baseline))
                said += self.scoring.answer(Scores(asked.at_us, scores, asked.purpose))[0]
            else:
                said.append(asked)
        return said


@pytest.fixture
def bed(autoencoder: Autoencoder, make_beats: MakeBeats) -> Bed:
    return Bed(autoencoder, make_beats(70))


def test_an_accepted_calibration_says_what_it_promises(bed: Bed) -> None:
    changed = bed.calibrated()
    assert changed.state == "accepted"
    assert isinstance(changed.baseline, Baseline)
    assert changed.reason == f"70 beats, {changed.baseline.promise}"
    assert "about 1 false alarm a day expected" in changed.reason
    assert f"{changed.baseline.recall:.0%} of ventricular beats found" in changed.reason


def test_a_tighter_budget_costs_recall_and_says_how_much(
    autoencoder: Autoencoder, make_beats: MakeBeats
) -> None:
    strict, usual, loose = (
        Bed(autoencoder, make_beats(70)).calibrated(alarms_per_day=budget).baseline
        for budget in (0.1, 1, 10)
    )
    assert strict.threshold > usual.threshold > loose.threshold
    assert strict.recall < usual.recall < loose.recall
    assert f"({loose.recall:.0%} with ten times as many)" in usual.promise
    assert "about 0.1 false alarms a day" in strict.promise


@pytest.mark.parametrize("budget", [0, -1, 1e6, float("nan"), "one", None])
def test_a_senseless_budget_is_refused_and_begins_nothing(budget: object, bed: Bed) -> None:
    assert "is no budget" in bed.act(alarms_per_day=budget)
    assert not bed.scoring.calibrating


def test_a_second_calibration_does_not_disturb_the_first(bed: Bed) -> None:
    assert bed.act() == ""
    assert "already" in bed.act(alarms_per_day=5)
    assert bed.scoring.calibrating


def test_with_review_nothing_is_used_before_it_is_accepted(bed: Bed) -> None:
    proposed = bed.calibrated(review=True)
    assert (proposed.state, proposed.baseline) == ("proposed", None)
    assert bed.scoring.baseline is None
    assert bed.act(decision="accept") == ""
    [accepted] = bed.last
    assert isinstance(accepted, CalibrationChanged)
    assert (accepted.state, accepted.reason) == ("accepted", proposed.reason)
    assert bed.scoring.baseline is accepted.baseline


def test_what_is_discarded_leaves_the_baseline_before_it(bed: Bed) -> None:
    before = bed.calibrated().baseline
    bed.calibrated(review=True, alarms_per_day=50)
    assert bed.act(decision="discard") == ""
    assert bed.scoring.baseline is before
    assert "no calibration waits" in bed.act(decision="accept")


def test_a_decision_that_is_none_leaves_the_proposal(bed: Bed) -> None:
    bed.calibrated(review=True)
    assert "is no decision" in bed.act(decision="perhaps")
    assert bed.act(decision="accept") == ""


def test_a_new_calibration_forgets_what_was_proposed(bed: Bed) -> None:
    bed.calibrated(review=True)
    assert bed.act() == ""
    assert "no calibration waits" in bed.act(decision="accept")


def test_a_model_that_stays_silent_ends_the_calibration_with_a_reason(bed: Bed) -> None:
    bed.act()
    bed.scoring.ask([(beat, 0) for beat in bed._beats], 0)
    [asked] = bed.scoring.advance(round(SECONDS * S), 0)
    assert isinstance(asked, ScoreRequest)
    [changed] = bed.scoring.advance(round((SECONDS + 31) * S), 0)
    assert isinstance(changed, CalibrationChanged)
    assert (changed.state, "no scores" in changed.reason) == ("refused", True)


def test_a_short_lethal_alarm_does_not_spoil_a_calibration(bed: Bed) -> None:
    bed.act()
    bed.scoring.ask([(beat, 0) for beat in bed._beats], 0)
    assert bed.scoring.advance(40 * S, 0) == []
    assert bed.scoring.advance(45 * S, 0, "ventricular tachycardia") == []
    [asked] = bed.scoring.advance(round(SECONDS * S), 0)
    assert isinstance(asked, ScoreRequest)


def test_minutes_with_a_lethal_alarm_teach_nothing_though_their_beats_are_alike(bed: Bed) -> None:
    bed.act()
    bed.scoring.ask([(beat, 0) for beat in bed._beats], 0)
    assert bed.scoring.advance(40 * S, 0) == []
    assert bed.scoring.advance(57 * S, 0, "ventricular tachycardia") == []
    [changed] = bed.scoring.advance(round(SECONDS * S), 0)
    assert isinstance(changed, CalibrationChanged)
    assert (changed.state, "ventricular tachycardia" in changed.reason) == ("refused", True)


def test_a_beat_that_the_classifier_doubts_has_the_larger_error(
    autoencoder: Autoencoder, make_beats: MakeBeats
) -> None:
    sure, doubted = (
        Bed(autoencoder, [replace(beat, abnormal_log_odds=odds) for beat in make_beats(70)])
        for odds in (-6.0, 2.0)
    )
    low, high = (bed.errors() for bed in (sure, doubted))
    assert all(one < other for one, other in zip(low, high, strict=True))

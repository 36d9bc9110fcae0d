"""The anomaly chain of one bed: beats out to be scored, scores back, and this patient's baseline.

It holds no network. A `ScoreRequest` leaves as an event and its `Scores` return as an input, so
that the rhythm chain never waits for the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bedside.anomaly import budget
from bedside.anomaly.baseline import ALARMS_PER_DAY, Baseline, Calibration, Refusal, accept
from bedside.anomaly.episode import EpisodeRule
from bedside.anomaly.fusion import Fusion
from bedside.anomaly.normal import Normal
from bedside.anomaly.provisional import Provisional
from bedside.events import (
    BeatScored,
    BeatWindow,
    CalibrationChanged,
    Event,
    Observation,
    ScoreRequest,
    Scores,
)
from bedside.limits import Limits

MOST_AWAITED = 1000
"""Beats that may wait for a score; while the model fails, the oldest are forgotten."""

SCORES_WITHIN_S = 30.0
"""How long a calibration waits for the scores of its beats."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a bed must know of the autoencoder that scores its beats."""

    version: str
    population_threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class _Awaited:
    """A beat whose score was asked for, what it is compared with and measured by."""

    window: BeatWindow
    time_us: int
    normal: Normal | None
    baseline: Baseline | None


class BeatScoring:
    """Which beats are abnormal for the patient of one session."""

    def __init__(
        self,
        bed: str,
        session: str,
        model: ModelFacts,
        limits: Limits,
        baseline: Baseline | None = None,
    ) -> None:
        """With the patient's stored baseline, or None before a calibration was accepted."""
        self.baseline = baseline
        self._bed = bed
        self._session = session
        self._model = model
        self._provisional = Provisional()
        self._fusion = Fusion()
        self._episode = EpisodeRule(limits.abnormal_beats, limits.abnormal_of_beats)
        self._awaited: dict[int, _Awaited] = {}
        self._calibration: Calibration | None = None
        self._retry = False
        self._seconds = 0.0
        self._review = False
        self._alarms_per_day = ALARMS_PER_DAY
        self._tentative: Baseline | None = None
        self._proposed: Baseline | None = None
        self._taught: tuple[BeatWindow, ...] = ()
        self._asked_us = 0
        self._advanced_us = 0

    def ask(self, beats: list[tuple[BeatWindow, int]], at_us: int) -> list[Event]:
        """Ask for the scores of beats, each with the time of its R peak in µs."""
        if not beats:
            return []
        while len(self._awaited) > MOST_AWAITED:
            del self._awaited[next(iter(self._awaited))]
        known = self.baseline or self._provisional.normal
        for window, time_us in beats:
            self._awaited[window.sample] = _Awaited(window, time_us, known, self.baseline)
            if self._calibration is not None:
                self._calibration.add(window)
        windows = tuple(window for window, _ in beats)
        if self.baseline is None:
            for window in windows:
                self._provisional.add(window)
        return [ScoreRequest(at_us, windows, known)]

    def answer(self, scores: Scores) -> tuple[list[Event], list[Observation]]:
        """Scores came back; the scored beats, and what the episode rule says of them."""
        if scores.purpose == "calibration":
            return self._accept(scores), []
        events: list[Event] = []
        seen: list[Observation] = []
        for score in scores.scores:
            awaited = self._awaited.pop(score.sample, None)
            if awaited is None:
                continue
            threshold = None if awaited.baseline is None else awaited.baseline.threshold
            gauge = self._model.population_threshold if threshold is None else threshold
            error = self._fusion.error(
                score.shape_error,
                awaited.window.timing,
                awaited.window.abnormal_log_odds,
                awaited.normal,
            )
            abnormal = awaited.window.usable and error > gauge
            events.append(
                BeatScored(
                    scores.at_us,
                    score.sample,
                    error,
                    threshold,
                    gauge,
                    abnormal,
                    awaited.window.window_mv,
                    score.reconstruction_mv,
                )
            )
            if threshold is not None and awaited.window.usable:
                seen.append(self._episode.add(abnormal, awaited.time_us))
        return events, seen

    def interrupt(self, new_boot: bool = False) -> None:
        """The stretch of signal ended; after a new boot, sample numbers begin anew as well."""
        self._episode.reset()
        if new_boot:
            self._awaited.clear()

    def set_limits(self, limits: Limits) -> None:
        """From now on other limits say what an episode is; its count begins anew."""
        self._fusion = Fusion()
        self._episode = EpisodeRule(limits.abnormal_beats, limits.abnormal_of_beats)

    @property
    def calibrating(self) -> bool:
        """Whether beats are being collected for a baseline."""
        return self._calibration is not None

    def act(
        self, arguments: Mapping[str, Any], seconds: float, at_us: int
    ) -> tuple[list[Event], str]:
        """The action `calibrate` with its arguments: what follows, or why it is refused.

        Beats are collected for `seconds`; with `retry`, again after each refusal. With `review`
        what was learned is proposed first, and used once a `decision` accepts it.
        """
        if "decision" in arguments:
            return self._decide(str(arguments["decision"]), at_us)
        if self.calibrating:
            return [], f"bed {self._bed} is being calibrated already"
        alarms_per_day = arguments.get("alarms_per_day", ALARMS_PER_DAY)
        least, most = budget.BOUNDS_PER_DAY
        if not isinstance(alarms_per_day, int | float) or not least <= alarms_per_day <= most:
            return [], f"{alarms_per_day!r} is no budget: give {least:g} to {most:g} alarms a day"
        self._retry = bool(arguments.get("retry", False))
        self._review = bool(arguments.get("review", False))
        self._alarms_per_day = float(alarms_per_day)
        self._seconds = seconds
        self._proposed = None
        self._calibration = Calibration(self._bed, self._session, at_us, seconds)
        return [CalibrationChanged(at_us, "running", f"{seconds:.0f} s")], ""

    def _decide(self, decision: str, at_us: int) -> tuple[list[Event], str]:
        """`accept` or `discard` what was proposed: what follows, and why it is refused."""
        proposed = self._proposed
        if proposed is None:
            return [], "no calibration waits for a decision"
        if decision not in ("accept", "discard"):
            return [], f"{decision!r} is no decision: accept or discard"
        self._proposed = None
        if decision == "discard":
            return [CalibrationChanged(at_us, "discarded")], ""
        return self._use(proposed, at_us), ""

    def advance(self, at_us: int, wall_us: int, lethal: str = "") -> list[Event]:
        """Time goes on: a calibration whose time is over asks for its scores, or is refused.

        `lethal` is what an active lethal alarm of the bed says.
        """
        gone_us, self._advanced_us = at_us - self._advanced_us, at_us
        if self._calibration is not None and lethal:
            self._calibration.alarmed(lethal, gone_us)
        if self._tentative is not None and at_us - self._asked_us > SCORES_WITHIN_S * 1e6:
            self._tentative = None
            return self._refuse(Refusal("The model gave no scores: see its alarm."), at_us)
        if self._calibration is None or not self._calibration.complete(at_us):
            return []
        calibration, self._calibration = self._calibration, None
        learned = calibration.tentative(self._model.version, wall_us)
        if isinstance(learned, Refusal):
            return self._refuse(learned, at_us)
        self._tentative, self._asked_us = learned, at_us
        self._taught = calibration.windows
        return [ScoreRequest(at_us, self._taught, learned, "calibration")]

    def _accept(self, scores: Scores) -> list[Event]:
        if self._tentative is None:
            return []
        tentative, self._tentative = self._tentative, None
        accepted = accept(tentative, self._taught, scores.scores, self._alarms_per_day)
        if isinstance(accepted, Refusal):
            return self._refuse(accepted, scores.at_us)
        if self._review:
            self._proposed = accepted
            return [CalibrationChanged(scores.at_us, "proposed", _summary(accepted))]
        return self._use(accepted, scores.at_us)

    def _use(self, baseline: Baseline, at_us: int) -> list[Event]:
        self.baseline = baseline
        self._episode.reset()
        return [CalibrationChanged(at_us, "accepted", _summary(baseline), baseline)]

    def _refuse(self, refusal: Refusal, at_us: int) -> list[Event]:
        if self._retry:
            self._calibration = Calibration(self._bed, self._session, at_us, self._seconds)
        return [CalibrationChanged(at_us, "refused", refusal.reason)]


def _summary(baseline: Baseline) -> str:
    """What a baseline promises, in words."""
    return f"{baseline.beats} beats, {baseline.promise}"

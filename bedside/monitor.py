"""One bed: inputs in, events out. No thread, clock, screen, socket or file.

The same inputs give the same events, live or replayed at any speed. Conditions of the waveform
count samples; silence, calibration and delays count the inputs' `at_us`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bedside.alarms.bed_alarms import BROKER_AWAY, BedAlarms, read_population
from bedside.alarms.engine import EngineState
from bedside.anomaly.baseline import CALIBRATION_S, Baseline
from bedside.anomaly.scoring import BeatScoring, ModelFacts
from bedside.ecg.chain import ChainBeat, SignalChain
from bedside.events import (
    LEAD_OFF,
    WINDOW_RATE_HZ,
    Action,
    ActionDone,
    Batch,
    Beat,
    BeatClass,
    BeatWindow,
    BedChanged,
    BedState,
    Event,
    Flags,
    Health,
    Input,
    LimitsChanged,
    Observation,
    Scores,
    Tick,
    Wave,
)
from bedside.holes import hole, shown_samples
from bedside.limits import Limits, Population
from bedside.vitals import VitalSigns

SATURATED_S = 1.0
"""Signal at the amplifier's rail for this long shows no heart."""

STANDBY_S = 1800.0
_CLOCK_NOT_SET = "the node's clock is not set"
LONGEST_ACTION_S = 86_400.0


class Monitor:
    """The whole brain of one bed: `step` takes an input and gives the events that follow."""

    def __init__(
        self,
        bed: str,
        model: ModelFacts,
        limits: Limits | None = None,
        *,
        state: BedState = BedState.DISCHARGED,
        session: str = "",
        baseline: Baseline | None = None,
        run: str = "",
        alarms: EngineState | None = None,
    ) -> None:
        """A bed as it was left: discharged and unknown, or with its patient and baseline.

        `limits` are the station's for an adult. `run` makes the ids of alarm instances differ
        between two runs within one session. `alarms` are what an earlier run left: the patient's
        own limits, and the high alarms that nobody has acknowledged.
        """
        self.bed = bed
        self.state = state
        self.session = session
        self._model = model
        self._run = run
        adult = limits or Limits()
        left = replace(alarms or EngineState(limits=adult), prefix=_prefix(session, run), number=0)
        self._alarms = BedAlarms(left, adult, armed=state is BedState.ADMITTED)
        self._chain = SignalChain(left.limits)
        self._scoring = BeatScoring(bed, session, model, left.limits, baseline)
        self._batch: Batch | None = None
        self._heard_us: int | None = None
        self._broker_ok = True
        self._clock_unset_us: int | None = None
        self._standby_until_us = 0
        self._running = False
        self._saturated_samples = 0
        self._judged_to = 0
        self._vitals = VitalSigns()

    @property
    def alarms(self) -> EngineState:
        """The alarms, limits and disabled conditions of the bed."""
        return self._alarms.state

    def begun(self, user: str, at_us: int) -> list[Event]:
        """How the bed stands, for a log that begins or goes on after a restart."""
        return [self._changed(user, at_us), self._alarms.described(user, at_us)]

    def step(self, happened: Input) -> list[Event]:
        """One input in order of `at_us`; the events that follow from it, in order."""
        match happened:
            case Batch():
                return self._on_batch(happened)
            case Tick():
                return self._on_tick(happened)
            case Scores():
                return self._on_scores(happened)
            case Health(subject="broker", ok=ok):
                self._broker_ok = ok
                return []
            case Health(subject="clock", ok=ok, at_us=at_us):
                self._clock_unset_us = None if ok else at_us
                return []
            case Health():
                return []
            case Action():
                return self._on_action(happened)

    def finish(self) -> list[Event]:
        """The source has ended: the beats that still waited for the end of their windows."""
        return self._beats(self._chain.flush(), self._heard_us or 0)

    @property
    def heard_to(self) -> tuple[int, int] | None:
        """Boot id and index after the newest sample heard, None before the first."""
        return None if self._batch is None else (self._batch.boot_id, self._batch.end_sample)

    def _wall_us(self, at_us: int) -> int:
        """Unix time in µs by the node's clock, 0 while that is not known."""
        if self._batch is None or self._batch.wall_us == 0:
            return 0
        return self._batch.wall_us + at_us - self._batch.at_us

    def _position_us(self, position: int) -> int:
        """The time of a position of the trace, on the time of the inputs."""
        assert self._batch is not None
        sample = self._chain.source_sample(position)
        behind_s = (self._batch.end_sample - sample) / self._batch.rate_hz
        return self._batch.at_us - round(behind_s * 1e6)

    # ── batches ───────────────────────────────────────────────────────────────────────────────

    def _on_batch(self, batch: Batch) -> list[Event]:
        events: list[Event] = []
        before = self._batch
        if self._heard_us is None:
            self._heard_us = batch.at_us
        gap = hole(before, batch)
        if gap is not None:
            events += self._pause_analysis(batch.at_us)
            events.append(gap)
            self._chain.position += shown_samples(gap, batch.rate_hz)
            self._scoring.interrupt(gap.new_boot)
        rate_changed = before is not None and abs(before.rate_hz / batch.rate_hz - 1) > 0.005
        self._batch = batch
        self._heard_us = batch.at_us
        self._saturated_samples = (
            self._saturated_samples + len(batch.samples) if batch.flags.has(Flags.SATURATED) else 0
        )
        reason = self._unusable(batch)
        if reason or rate_changed:
            events += self._pause_analysis(batch.at_us)
        events += self._alarms.suspend(reason, batch.at_us)
        if batch.flags.has(LEAD_OFF):
            off = Observation("lead-off", True, batch.at_us, _electrode(batch))
            events += self._alarms.observe(off, batch.at_us)
        else:
            events += self._alarms.absent("lead-off", batch.at_us)
        events += self._alarms.absent("node-silent", batch.at_us)
        if reason:
            events.append(self._blank(batch))
        else:
            events += self._analyse(batch)
        events += self._advance(batch.at_us, batch.wall_us)
        return events

    def _analyse(self, batch: Batch) -> list[Event]:
        if not self._running:
            self._chain.restart(self._chain.position, batch.first_sample, batch.rate_hz)
            self._judged_to = 0
            self._running = True
        output = self._chain.process(batch.millivolts())
        events: list[Event] = [
            Wave(
                batch.at_us,
                output.position,
                output.filtered_mv.astype(np.float32),
                batch.flags,
                tuple(output.peaks),
            )
        ]
        events += self._beats(output.beats, batch.at_us)
        events += self._judge(batch.at_us)
        for finding in output.findings:
            events += self._alarms.observe(
                Observation(
                    finding.code,
                    finding.present,
                    self._position_us(finding.onset_position),
                    finding.text,
                    finding.value,
                ),
                batch.at_us,
            )
        return events

    def _judge(self, at_us: int) -> list[Event]:
        """The seconds whose signal quality has become known, each to the alarms."""
        quality = self._chain.quality
        if quality is None or quality.position < self._judged_to:
            return []
        second = int(WINDOW_RATE_HZ)
        events: list[Event] = []
        for start in range(self._judged_to, quality.position + 1, second):
            ago_us = (quality.position - start) // second * 1_000_000
            start_us = at_us - ago_us - 1_000_000
            events += self._alarms.second(quality.is_artefact, start_us, at_us)
        self._judged_to = quality.position + second
        return events + self._alarms.suspend("", at_us)

    def _beats(self, beats: list[ChainBeat], at_us: int) -> list[Event]:
        events: list[Event] = []
        asked: list[tuple[BeatWindow, int]] = []
        for beat in beats:
            time_us = self._position_us(beat.position)
            if beat.beat_class is BeatClass.VENTRICULAR:
                self._vitals.ventricular(time_us)
            asked.append((beat.window, time_us))
            assert self._batch is not None
            events.append(
                Beat(
                    at_us,
                    beat.sample,
                    time_us,
                    beat.rr_s,
                    beat.beat_class,
                    beat.quality,
                    beat.heart_rate_bpm,
                    self._batch.flags.has(Flags.SYNTHETIC),
                )
            )
        return events + self._scoring.ask(asked, at_us)

    def _pause_analysis(self, at_us: int) -> list[Event]:
        """The stretch ends; the detectors begin anew with the next usable samples."""
        if not self._running:
            return []
        self._running = False
        self._scoring.interrupt()
        return self._beats(self._chain.flush(), at_us)

    def _blank(self, batch: Batch) -> Wave:
        count = round(len(batch.samples) * WINDOW_RATE_HZ / batch.rate_hz)
        position = self._chain.position
        self._chain.position += count
        return Wave(batch.at_us, position, np.full(count, np.nan, np.float32), batch.flags)

    def _unusable(self, batch: Batch) -> str:
        if batch.flags.has(LEAD_OFF):
            return "lead off"
        if batch.flags.has(Flags.SETTLING):
            return "settling"
        if self._saturated_samples > SATURATED_S * batch.rate_hz:
            return "signal saturated"
        return ""

    # ── time ──────────────────────────────────────────────────────────────────────────────────

    def _on_tick(self, tick: Tick) -> list[Event]:
        if self._heard_us is None:
            self._heard_us = tick.at_us
        events: list[Event] = []
        silent_us = tick.at_us - self._heard_us
        if silent_us >= self._alarms.limits.node_silent_s * 1e6:
            reason = "node silent" if self._broker_ok else BROKER_AWAY
            events += self._alarms.suspend(reason, tick.at_us)
            if self._broker_ok:
                events += self._alarms.observe(
                    Observation("node-silent", True, self._heard_us, "node silent"), tick.at_us
                )
        if self.state is BedState.STANDBY and tick.at_us >= self._standby_until_us:
            events += self._rearm("the end of standby", tick.at_us)
        return events + self._advance(tick.at_us, self._wall_us(tick.at_us))

    def _advance(self, at_us: int, wall_us: int) -> list[Event]:
        since_us = self._clock_unset_us
        if since_us is None:
            events = self._alarms.absent("clock-unsynced", at_us)
        else:
            unset = Observation("clock-unsynced", True, since_us or at_us, _CLOCK_NOT_SET)
            events = self._alarms.observe(unset, at_us)
        events += self._alarms.advance(at_us)
        events += self._scoring.advance(at_us, wall_us, self._alarms.state.lethal)
        events += self._show(at_us)
        return events

    def _show(self, at_us: int) -> list[Event]:
        """The numerals, when they changed."""
        suspended = self._alarms.state.suspended
        rate_bpm = self._chain.rhythm.heart_rate_bpm if self._running and not suspended else None
        return [*self._vitals.changed(at_us, rate_bpm, self._chain.quality, suspended)]

    # ── scores ────────────────────────────────────────────────────────────────────────────────

    def _on_scores(self, scores: Scores) -> list[Event]:
        events, seen = self._scoring.answer(scores)
        for observation in seen:
            events += self._alarms.observe(observation, scores.at_us)
        return events

    # ── operator actions ──────────────────────────────────────────────────────────────────────

    def _on_action(self, action: Action) -> list[Event]:
        arguments = action.arguments
        events: list[Event] = []
        refusal, needs_confirmation = "", False
        seconds = _seconds(arguments)
        match action.name:
            case "acknowledge":
                events, refusal = self._alarms.acknowledge(action)
            case "pause-sound":
                events, refusal = self._alarms.pause_sound(action)
            case "set-limit" | "standby" | "calibrate" if self.state is BedState.DISCHARGED:
                refusal = f"bed {self.bed} has no patient: admit first"
            case "set-limit":
                events, refusal, needs_confirmation = self._alarms.set_limit(action)
                self._apply_limits(events)
            case "standby" | "calibrate" if seconds is None:
                refusal = f"{arguments.get('seconds')!r} is no length: give seconds"
            case "standby":
                self._standby_until_us = action.at_us + round((seconds or STANDBY_S) * 1e6)
                events = self._set_state(BedState.STANDBY, action.user, action.at_us)
            case "admit" if self.state is BedState.STANDBY:
                events = self._rearm(action.user, action.at_us)
            case "admit" if self.state is BedState.ADMITTED:
                refusal = f"bed {self.bed} has a patient: discharge first"
            case "admit":
                try:
                    events = self._begin_session(
                        BedState.ADMITTED, action, read_population(arguments)
                    )
                except ValueError as error:
                    refusal = str(error)
            case "discharge" if self.state is BedState.DISCHARGED:
                refusal = f"bed {self.bed} has no patient"
            case "discharge":
                events = self._begin_session(BedState.DISCHARGED, action, Population.ADULT)
            case "calibrate" if self.state is BedState.STANDBY:
                refusal = f"bed {self.bed} stands by: admit first"
            case "calibrate":
                events, refusal = self._scoring.act(
                    arguments, seconds or CALIBRATION_S, action.at_us
                )
            case _:
                refusal = f"this station knows no action {action.name}"
        return [
            *events,
            ActionDone(
                action.at_us,
                action.action_id,
                action.user,
                not refusal,
                refusal,
                needs_confirmation,
            ),
        ]

    def _begin_session(
        self, state: BedState, action: Action, population: Population
    ) -> list[Event]:
        """The bed changes hands: the next patient inherits nothing."""
        admitted = state is BedState.ADMITTED
        self.session = str(action.arguments.get("session", "")) if admitted else ""
        self._heard_us = action.at_us
        events = self._pause_analysis(action.at_us)
        events += self._alarms.close(admitted, action.at_us)
        limits = self._alarms.begin_session(
            _prefix(self.session, self._run), population, action.user, action.at_us
        )
        self._scoring = BeatScoring(self.bed, self.session, self._model, self._alarms.limits)
        self._forget_rhythm()
        return [*events, *self._set_state(state, action.user, action.at_us), limits]

    def _rearm(self, user: str, at_us: int) -> list[Event]:
        """Standby is over: what is wrong with the heart now is to alarm anew."""
        events = self._pause_analysis(at_us)
        self._forget_rhythm()
        return events + self._set_state(BedState.ADMITTED, user, at_us)

    def _forget_rhythm(self) -> None:
        position = self._chain.position
        self._chain = SignalChain(self._alarms.limits)
        self._chain.position = position
        self._vitals.forget()

    def _apply_limits(self, events: list[Event]) -> None:
        if any(isinstance(event, LimitsChanged) for event in events):
            self._chain.rhythm.limits = self._alarms.limits
            self._scoring.set_limits(self._alarms.limits)

    def _set_state(self, state: BedState, user: str, at_us: int) -> list[Event]:
        """Every alarm ends with the state it belonged to."""
        self.state = state
        return [
            *self._alarms.close(state is BedState.ADMITTED, at_us),
            self._changed(user, at_us),
        ]

    def _changed(self, user: str, at_us: int) -> BedChanged:
        until_us = self._standby_until_us if self.state is BedState.STANDBY else None
        return BedChanged(
            at_us, self.state, self.session, user, until_us, self._alarms.state.prefix
        )


def _seconds(arguments: Mapping[str, Any]) -> float | None:
    """The length an action asks for, 0 where it names none, None where it is not usable."""
    try:
        seconds = float(arguments.get("seconds", 0.0))
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0.0 <= seconds <= LONGEST_ACTION_S else None


def _prefix(session: str, run: str) -> str:
    return f"{session[:6]}{run}-" if session else ""


def _electrode(batch: Batch) -> str:
    both = batch.flags & LEAD_OFF
    if both == LEAD_OFF:
        return "both electrodes off"
    return "electrode + off" if both & Flags.LEAD_OFF_PLUS else "electrode − off"

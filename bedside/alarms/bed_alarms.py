"""The alarms of one bed: what the rules see, through the engine, to events and sounds.

It keeps which causes are present and tells the engine again with every batch and tick, so that a
cause outlasts a suspension, a disabled condition and a changed limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bedside.alarms import engine
from bedside.alarms.conditions import CONDITIONS
from bedside.alarms.engine import EngineState
from bedside.alarms.gaps import NoMonitoring, PoorSignal
from bedside.alarms.repetition import Repetition, bursts
from bedside.events import Action, Event, LimitsChanged, Observation
from bedside.limits import PRESETS, Limits, Population, relaxed

POOR_SIGNAL = "poor signal"
BROKER_AWAY = "broker away"
"""Suspends, and is the station's one alarm for all its beds: no bed counts it as its own."""


class BedAlarms:
    """Every alarm of one bed. Nothing alarms while it is not armed."""

    def __init__(self, state: EngineState, adult: Limits, *, armed: bool) -> None:
        """As a restart left it; `adult` are the station's limits for an adult."""
        self.state = state
        self.armed = armed
        self._adult = adult
        self._seen: dict[str, Observation] = {}
        self._repetition = Repetition()
        self._no_monitoring = NoMonitoring()
        self._poor_signal = PoorSignal()

    @property
    def limits(self) -> Limits:
        """The limits of the patient in the bed."""
        return self.state.limits

    # ── what the rules see ────────────────────────────────────────────────────────────────────

    def observe(self, seen: Observation, at_us: int) -> list[Event]:
        """A rule reports whether its cause is present; it stays so until it reports otherwise."""
        if not self.armed:
            return []
        if seen.present:
            self._seen[seen.code] = seen
        else:
            self._seen.pop(seen.code, None)
        self.state, changes = engine.observe(self.state, seen, at_us)
        return list(changes)

    def absent(self, code: str, at_us: int) -> list[Event]:
        """A rule does not see its cause, as it mostly does not: only an open alarm cares."""
        if code not in self._seen and self.state.open_instance(code) is None:
            return []
        return self.observe(Observation(code, False, at_us), at_us)

    def second(self, artefact: bool, start_us: int, at_us: int) -> list[Event]:
        """Take the verdict on one more second of signal, which began at `start_us`."""
        if not self.armed:
            return []
        return self.observe(self._poor_signal.second(artefact, start_us, self.limits), at_us)

    def suspend(self, reason: str, at_us: int) -> list[Event]:
        """There is no usable signal (`reason`), or there is: then a poor one suspends in part."""
        events: list[Event] = []
        whole = bool(reason)
        if whole:
            self._poor_signal.clear()
            events += self.absent("poor-signal", at_us)
        elif self._poor_signal.present:
            reason, whole = POOR_SIGNAL, self._poor_signal.undecidable
        if reason != self.state.suspended:
            self._no_monitoring.suspended("" if reason == BROKER_AWAY else reason, at_us)
        self.state, changes = engine.suspend(self.state, reason, whole, at_us)
        return events + list(changes)

    def advance(self, at_us: int) -> list[Event]:
        """Time goes on, with or without signal: what is present is told again, sounds are due."""
        events: list[Event] = []
        if self.armed:
            unwatched = self._no_monitoring.observe(self.limits, at_us)
            if unwatched is None:
                events += self.absent("no-monitoring", at_us)
            else:
                events += self.observe(unwatched, at_us)
            for seen in self._seen.values():
                self.state, changes = engine.observe(self.state, seen, at_us)
                events += changes
        self.state, changes = engine.tick(self.state, at_us)
        events += changes
        self._repetition, sound = bursts(
            self._repetition, self.state.instances, self.state.paused_until_us, at_us
        )
        return events if sound is None else [*events, sound]

    # ── the patient in the bed ────────────────────────────────────────────────────────────────

    def close(self, armed: bool, at_us: int) -> list[Event]:
        """Every alarm ends with the state of the bed that it belonged to."""
        self.state, changes = engine.close(self.state, at_us)
        self.armed = armed
        self._seen.clear()
        self._no_monitoring = NoMonitoring()
        self._poor_signal = PoorSignal()
        return list(changes)

    def begin_session(self, prefix: str, population: Population, user: str, at_us: int) -> Event:
        """Another patient, or none: numbers, limits and disabled conditions begin anew."""
        self.state = replace(
            self.state,
            prefix=prefix,
            number=0,
            population=population,
            limits=self._preset(population),
            disabled=frozenset(),
        )
        return engine.limits_of(self.state, user, at_us)

    def described(self, user: str, at_us: int) -> LimitsChanged:
        """The limits as they are."""
        return engine.limits_of(self.state, user, at_us)

    # ── operator actions ──────────────────────────────────────────────────────────────────────

    def acknowledge(self, action: Action) -> tuple[list[Event], str]:
        """What follows, and why it is refused, if it is."""
        instance_id = str(action.arguments.get("instance", ""))
        self.state, changes, refusal = engine.acknowledge(
            self.state, instance_id, action.user, action.at_us
        )
        return list(changes), refusal

    def pause_sound(self, action: Action) -> tuple[list[Event], str]:
        """What follows, and why it is refused, if it is."""
        seconds = action.arguments.get("seconds", engine.PAUSE_S)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return [], f"{seconds!r} is no length: give seconds"
        self.state, changes, refusal = engine.pause_sound(
            self.state, float(seconds), action.user, action.at_us
        )
        return list(changes), refusal

    def set_limit(self, action: Action) -> tuple[list[Event], str, bool]:
        """What follows, why it is refused, and whether a confirmation would help.

        A limit that lets a lethal condition alarm later than it does now and than the preset says,
        or a lethal condition that is disabled, needs one.
        """
        try:
            population, limits, conditions = self._wanted(action.arguments)
        except (ValueError, TypeError) as error:
            return [], str(error), False
        before, now = self.state, relaxed(limits, population)
        laxer = [] if population is not before.population else relaxed(before.limits, population)
        risks = [words for words in now if words not in laxer]
        risks += [
            f"{CONDITIONS[code].title} not at all"
            for code, enabled in conditions.items()
            if not enabled and CONDITIONS[code].lethal and code not in before.disabled
        ]
        if risks and action.arguments.get("confirmed") is not True:
            return [], f"this would alarm {'; '.join(risks)}: confirm it", True
        self.state, changes = engine.set_limits(
            before, population, limits, conditions, action.user, action.at_us
        )
        return list(changes), "", False

    def _wanted(self, arguments: Mapping[str, Any]) -> tuple[Population, Limits, dict[str, bool]]:
        values = arguments.get("limits", {})
        conditions = arguments.get("conditions", {})
        if not isinstance(values, Mapping) or not isinstance(conditions, Mapping):
            raise ValueError("limits and conditions are objects of names and values")
        if not values and not conditions and "population" not in arguments:
            raise ValueError("name a limit, a condition or a population")
        for code, enabled in conditions.items():
            if code not in CONDITIONS or CONDITIONS[code].technical:
                raise ValueError(f"there is no condition {code} to enable or disable")
            if not isinstance(enabled, bool):
                raise ValueError(f"{code} is enabled or not: say true or false")
        population, limits = self.state.population, self.state.limits
        if "population" in arguments:
            population = read_population(arguments)
            limits = self._preset(population)
        return population, limits.changed(values), dict(conditions)

    def _preset(self, population: Population) -> Limits:
        return self._adult if population is Population.ADULT else PRESETS[population]


def read_population(arguments: Mapping[str, Any]) -> Population:
    """The population that an action names, an adult where it names none. Raises ValueError."""
    name = arguments.get("population", Population.ADULT.value)
    if name not in [each.value for each in Population]:
        known = ", ".join(Population)
        raise ValueError(f"there is no population {name!r}: choose one of {known}")
    return Population(name)

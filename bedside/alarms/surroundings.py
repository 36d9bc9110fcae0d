"""The technical alarms that belong to the station, not to one bed.

A broker that is away is one alarm for all its beds; so are a failing disk, model or delivery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bedside.alarms import engine
from bedside.events import (
    Action,
    ActionDone,
    AlarmChanged,
    Event,
    Health,
    Instance,
    Observation,
    Priority,
    Tick,
)
from bedside.limits import Limits


@dataclass(frozen=True, slots=True)
class _Subject:
    code: str
    words: str
    priority: Priority | None = None


# The graver cause of a code stands before the lesser one.
_SUBJECTS = {
    "analysis": _Subject("analysis-stalled", "analysis cannot keep up"),
    "broker": _Subject("broker-away", "broker away"),
    "disk": _Subject("storage-failing", "recording failing"),
    "outbox": _Subject("storage-failing", "alerts at risk"),
    "high-delivery": _Subject("delivery-failing", "high alert not delivered", Priority.MEDIUM),
    "delivery": _Subject("delivery-failing", "alerts not delivered"),
    "model": _Subject("analysis-stalled", "beat scoring failing", Priority.MEDIUM),
}


class Surroundings:
    """Turns the health of links and parts into alarm instances, by the same engine as the beds."""

    def __init__(self, prefix: str, limits: Limits) -> None:
        self._engine = engine.EngineState(prefix=prefix, limits=limits)
        self._failing: dict[str, Health] = {}

    def step(self, happened: Health | Tick | Action) -> list[Event]:
        """One thing happened; the alarms that changed, and the answer to an action."""
        match happened:
            case Tick(at_us=at_us):
                self._engine, changes = engine.tick(self._engine, at_us)
                return [AlarmChanged(at_us, instance) for instance in changes]
            case Health():
                return self._heard(happened)
            case Action():
                instance_id = str(happened.arguments.get("instance", ""))
                self._engine, changes, refusal = engine.acknowledge(
                    self._engine, instance_id, happened.user, happened.at_us
                )
                return [
                    *(AlarmChanged(happened.at_us, instance) for instance in changes),
                    ActionDone(
                        happened.at_us, happened.action_id, happened.user, not refusal, refusal
                    ),
                ]

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The station's alarms that are not finished, oldest first."""
        return self._engine.instances

    def knows(self, instance_id: str) -> bool:
        """Whether an instance is one of the station's own."""
        return any(i.instance_id == instance_id for i in self._engine.instances)

    def _heard(self, health: Health) -> list[Event]:
        code = _SUBJECTS[health.subject].code
        if health.ok:
            self._failing.pop(health.subject, None)
        elif health.subject in self._failing:
            since_us = self._failing[health.subject].since_us
            self._failing[health.subject] = replace(health, since_us=since_us)
        else:
            since_us = health.at_us if health.since_us is None else health.since_us
            self._failing[health.subject] = replace(health, since_us=since_us)
        causes = [name for name in _SUBJECTS if name in self._failing]
        cause = next((name for name in causes if _SUBJECTS[name].code == code), None)
        if cause is None:
            seen = Observation(code, present=False, onset_us=health.at_us)
        else:
            failing, words = self._failing[cause], _SUBJECTS[cause]
            seen = Observation(
                code,
                present=True,
                onset_us=failing.since_us or 0,
                text=f"{words.words}: {failing.detail}" if failing.detail else words.words,
                priority=words.priority,
            )
        self._engine, changes = engine.observe(self._engine, seen, health.at_us)
        return [AlarmChanged(health.at_us, instance) for instance in changes]

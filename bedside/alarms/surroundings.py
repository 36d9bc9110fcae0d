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


_SUBJECTS = {
    "analysis": _Subject("analysis-stalled", "analysis cannot keep up"),
    "broker": _Subject("broker-away", "broker away"),
    "disk": _Subject("storage-failing", "recording failing"),
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

    def knows(self, instance_id: str) -> bool:
        """Whether an instance is one of the station's own."""
        return any(i.instance_id == instance_id for i in self._engine.instances)

    def _heard(self, health: Health) -> list[Event]:
        subject = _SUBJECTS[health.subject]
        if health.ok:
            self._failing.pop(health.subject, None)
        else:
            since = self._failing.get(health.subject, health)
            self._failing[health.subject] = replace(health, at_us=since.at_us)
        causes = [f for name, f in self._failing.items() if _SUBJECTS[name].code == subject.code]
        cause = causes[0] if causes else health
        words = _SUBJECTS[cause.subject]
        self._engine, changes = engine.observe(
            self._engine,
            Observation(
                subject.code,
                present=bool(causes),
                onset_us=cause.at_us,
                text=f"{words.words}: {cause.detail}" if cause.detail else words.words,
                priority=words.priority,
            ),
            health.at_us,
        )
        return [AlarmChanged(health.at_us, instance) for instance in changes]

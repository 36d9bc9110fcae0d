"""The technical alarms that belong to the station, not to one bed.

A broker that is away is one alarm for all its beds; so are a failing disk, model or delivery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bedside.alarms import engine
from bedside.alarms.repetition import Repetition, bursts
from bedside.events import (
    Action,
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
    "beds": _Subject("two-stations", "not served here"),
    "damage": _Subject("storage-failing", "a damaged file was found"),
    "high-delivery": _Subject("delivery-failing", "high alert not delivered", Priority.MEDIUM),
    "sound": _Subject("sound-failing", "no alarm sound"),
    "clock": _Subject("clock-unsynced", "the station's clock is not set"),
    "clock-step": _Subject("clock-unsynced", "the station's clock was moved"),
    "delivery": _Subject("delivery-failing", "alerts not delivered"),
    "model": _Subject("analysis-stalled", "beat scoring failing", Priority.MEDIUM),
}


class Surroundings:
    """Turns the health of links and parts into alarm instances, by the same engine as the beds."""

    def __init__(self, prefix: str, limits: Limits) -> None:
        self._engine = engine.EngineState(prefix=prefix, limits=limits)
        self._failing: dict[str, Health] = {}
        self._repetition = Repetition()

    def go_on(self, earlier: engine.EngineState) -> list[Event]:
        """Take over what an earlier run left latched; what changed with the restart."""
        left, changes = engine.restarted(earlier)
        self._engine = replace(self._engine, instances=left.instances)
        return list(changes)

    def step(self, happened: Health | Tick) -> list[Event]:
        """One thing happened; what follows."""
        if isinstance(happened, Health):
            return self._heard(happened)
        at_us = happened.at_us
        self._engine, changes = engine.tick(self._engine, at_us)
        self._repetition, sound = bursts(
            self._repetition, self._engine.instances, self._engine.paused_until_us, at_us
        )
        return list(changes) if sound is None else [*changes, sound]

    def acknowledge(self, action: Action) -> tuple[list[Event], str]:
        """An operator has seen one of these alarms; what follows, and why it is refused."""
        instance_id = str(action.arguments.get("instance", ""))
        self._engine, changes, refusal = engine.acknowledge(
            self._engine, instance_id, action.user, action.at_us
        )
        return list(changes), refusal

    def pause_sound(self, seconds: float, user: str, at_us: int) -> list[Event]:
        """The sounds of these alarms pause with those of the beds."""
        self._engine, changes, _ = engine.pause_sound(self._engine, seconds, user, at_us)
        return list(changes)

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
        return list(changes)

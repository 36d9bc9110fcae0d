"""The alarm engine: instances from pending to ended, latching, acknowledgement, suspension, limits.

Every function is pure: the state before and one thing that happened give the state after and the
events that say what changed. No clock is read, nothing is written; the same inputs yield the same
log, and `replay` folds the events of that log back into the state.

An observation is level-triggered: a rule that keeps seeing its cause says so again and again, and
all but the first time nothing follows. What was refused while a condition was suspended or disabled
thus alarms as soon as it no longer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bedside.alarms.conditions import CONDITIONS
from bedside.events import (
    AlarmChanged,
    AlarmState,
    Instance,
    LimitsChanged,
    Observation,
    Priority,
    SoundPaused,
    SuspensionChanged,
)
from bedside.limits import Limits, Population, relaxed

Change = AlarmChanged | SuspensionChanged | SoundPaused | LimitsChanged
Changes = tuple[Change, ...]

PAUSE_S = 120.0
"""The audio pause."""

BREAKTHROUGH = "a new high alarm"
"""Who ends an audio pause when no operator does."""

_RANK = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


@dataclass(frozen=True, slots=True)
class EngineState:
    """The alarms of one bed. `instances` are those not yet finished, oldest first.

    `prefix` makes instance ids unique across sessions. `suspended` says why physiological
    conditions cannot be decided at present, and is empty while all can; `whole` says that none can,
    else only those derived from beats.
    """

    prefix: str = ""
    number: int = 0
    instances: tuple[Instance, ...] = ()
    suspended: str = ""
    whole: bool = False
    population: Population = Population.ADULT
    limits: Limits = field(default_factory=Limits)
    disabled: frozenset[str] = frozenset()
    paused_until_us: int | None = None

    def open_instance(self, code: str) -> Instance | None:
        """The instance of a condition whose cause has not ended, if there is one."""
        for instance in self.instances:
            if instance.code == code and instance.ended_us is None:
                return instance
        return None

    @property
    def lethal(self) -> str:
        """What an active lethal alarm says, empty while there is none."""
        for instance in self.instances:
            active = instance.active_us is not None and instance.ended_us is None
            if active and CONDITIONS[instance.code].lethal:
                return instance.text
        return ""

    def decides(self, code: str) -> bool:
        """Whether a condition is neither suspended nor disabled."""
        return code not in self.disabled and not _suspends(self.suspended, self.whole, code)


def observe(state: EngineState, seen: Observation, at_us: int) -> tuple[EngineState, Changes]:
    """A rule reports whether its cause is present. Raises KeyError for an unknown code.

    A cause that has become graver than its instance ends it and begins a new one: a new sound.
    """
    condition = CONDITIONS[seen.code]
    current = state.open_instance(seen.code)
    if not seen.present:
        return (state, ()) if current is None else _end(state, current, at_us)
    if not state.decides(seen.code):
        return state, ()
    priority = seen.priority or condition.priority
    if current is not None and _RANK[priority] < _RANK[current.priority]:
        state, ended = _end(state, current, at_us)
        state, begun = observe(state, seen, at_us)
        return state, (*ended, *begun)
    due = at_us - seen.onset_us >= condition.delay_s(state.limits) * 1e6
    if current is None:
        number = state.number + 1
        instance = Instance(
            instance_id=f"{state.prefix}{number}",
            code=seen.code,
            priority=priority,
            state=AlarmState.PENDING,
            onset_us=seen.onset_us,
            at_us=at_us,
            text=seen.text or condition.title,
            value=None if seen.value is None else round(seen.value, 3),
        )
        state = replace(state, number=number, instances=(*state.instances, instance))
        return _activate(state, instance, at_us) if due else (state, _said(instance))
    if current.state is AlarmState.PENDING and due:
        return _activate(state, current, at_us)
    return state, ()


def tick(state: EngineState, at_us: int) -> tuple[EngineState, Changes]:
    """Time goes on: a pending instance whose delay is over becomes active, an audio pause ends."""
    changes: list[Change] = []
    if state.paused_until_us is not None and at_us >= state.paused_until_us:
        state, over = _resume_sound(state, "its end", at_us)
        changes += over
    for instance in state.instances:
        delay_us = CONDITIONS[instance.code].delay_s(state.limits) * 1e6
        if instance.state is AlarmState.PENDING and at_us - instance.onset_us >= delay_us:
            state, active = _activate(state, instance, at_us)
            changes += active
    return state, tuple(changes)


def acknowledge(
    state: EngineState, instance_id: str, user: str, at_us: int
) -> tuple[EngineState, Changes, str]:
    """An operator has seen an instance; the last item says why not, or is empty.

    A latched instance (high, its cause gone) leaves with its acknowledgement.
    """
    instance = next((i for i in state.instances if i.instance_id == instance_id), None)
    if instance is None or instance.state is AlarmState.PENDING:
        return state, (), f"no alarm {instance_id} is active"
    if instance.acknowledged_us is not None:
        return state, (), f"alarm {instance_id} was acknowledged by {instance.acknowledged_by}"
    seen = replace(
        instance,
        state=(
            AlarmState.SUSPENDED
            if instance.state is AlarmState.SUSPENDED
            else AlarmState.ACKNOWLEDGED
        ),
        at_us=at_us,
        acknowledged_us=at_us,
        acknowledged_by=user,
    )
    return kept(state, seen), _said(seen), ""


def suspend(
    state: EngineState, reason: str, whole: bool, at_us: int
) -> tuple[EngineState, Changes]:
    """Physiological conditions cannot be decided (`reason`), or can again (empty reason).

    What was active stays, marked suspended; what was only pending ends.
    """
    whole = bool(reason) and whole
    if (reason, whole) == (state.suspended, state.whole):
        return state, ()
    before = state
    state = replace(state, suspended=reason, whole=whole)
    changes: list[Change] = [SuspensionChanged(at_us, reason, whole)]
    for instance in before.instances:
        was = _suspends(before.suspended, before.whole, instance.code)
        now = _suspends(reason, whole, instance.code)
        if instance.ended_us is not None or was == now:
            continue
        if instance.state is AlarmState.PENDING:
            state, ended = _end(state, instance, at_us)
            changes += ended
            continue
        shown = AlarmState.ACTIVE if instance.acknowledged_us is None else AlarmState.ACKNOWLEDGED
        changed = replace(instance, state=AlarmState.SUSPENDED if now else shown, at_us=at_us)
        state = kept(state, changed)
        changes += _said(changed)
    return state, tuple(changes)


def pause_sound(
    state: EngineState, seconds: float, user: str, at_us: int
) -> tuple[EngineState, Changes, str]:
    """All sounds pause for at most 120 s; 0 ends the pause. The last item says why not."""
    if not 0.0 <= seconds <= PAUSE_S:
        return state, (), f"sounds pause for at most {PAUSE_S:g} s"
    if seconds == 0.0:
        if state.paused_until_us is None:
            return state, (), "no sound is paused"
        state, changes = _resume_sound(state, user, at_us)
        return state, changes, ""
    until_us = at_us + round(seconds * 1e6)
    paused = replace(state, paused_until_us=until_us)
    return paused, (SoundPaused(at_us, until_us, user),), ""


def set_limits(
    state: EngineState,
    population: Population,
    limits: Limits,
    conditions: Mapping[str, bool],
    user: str,
    at_us: int,
) -> tuple[EngineState, Changes]:
    """Other limits, and conditions that are enabled or not, from now on.

    What is disabled ends. Raises KeyError for an unknown code.
    """
    disabled = {code for code in state.disabled if conditions.get(code, False) is False}
    disabled |= {CONDITIONS[code].code for code, enabled in conditions.items() if not enabled}
    state = replace(state, population=population, limits=limits, disabled=frozenset(disabled))
    changes: list[Change] = [limits_of(state, user, at_us)]
    for instance in state.instances:
        if instance.code in disabled and instance.ended_us is None:
            state, ended = _end(state, instance, at_us)
            changes += ended
    return state, tuple(changes)


def limits_of(state: EngineState, user: str, at_us: int) -> LimitsChanged:
    """The limits of a bed as an event."""
    return LimitsChanged(
        at_us,
        state.population,
        state.limits,
        tuple(sorted(state.disabled)),
        relaxed(state.limits, state.population),
        user,
    )


def close(state: EngineState, at_us: int) -> tuple[EngineState, Changes]:
    """The bed changes hands or stands by: every instance ends, and nothing stays latched."""
    changes: list[Change] = []
    for instance in state.instances:
        if instance.ended_us is None:
            ended = replace(instance, state=AlarmState.ENDED, ended_us=at_us, at_us=at_us)
            changes += _said(ended)
    if state.suspended:
        changes.append(SuspensionChanged(at_us, "", False))
    return replace(state, instances=(), suspended="", whole=False), tuple(changes)


def restarted(state: EngineState) -> tuple[EngineState, Changes]:
    """The station starts again, time begins at 0, and nobody knows whether a cause lasts.

    Every instance ends; a high one that nobody acknowledged is latched. If its cause lasts, it
    alarms anew. Limits and disabled conditions stay.
    """
    changes: list[Change] = []
    instances = []
    for instance in state.instances:
        ended = replace(
            instance,
            state=AlarmState.ENDED,
            onset_us=0,
            at_us=0,
            active_us=None if instance.active_us is None else 0,
            ended_us=0,
            acknowledged_us=None if instance.acknowledged_us is None else 0,
            text=instance.text.removesuffix(_BEFORE) + _BEFORE,
        )
        changes += _said(ended)
        if unfinished(ended):
            instances.append(ended)
    if state.suspended:
        changes.append(SuspensionChanged(0, "", False))
    if state.paused_until_us is not None:
        changes.append(SoundPaused(0, None, "the restart"))
    return (
        replace(state, instances=tuple(instances), suspended="", whole=False, paused_until_us=None),
        tuple(changes),
    )


_BEFORE = " (before the restart)"


def unfinished(instance: Instance) -> bool:
    """Whether an instance stays in the state: its cause lasts, or it is latched."""
    latched = (
        instance.priority is Priority.HIGH
        and instance.active_us is not None
        and instance.acknowledged_us is None
    )
    return instance.ended_us is None or latched


def kept(state: EngineState, instance: Instance) -> EngineState:
    """The state with an instance as it is now: in its place, at the end if new, or gone."""
    others = [i for i in state.instances if i.instance_id != instance.instance_id]
    if not unfinished(instance):
        return replace(state, instances=tuple(others))
    known = len(others) < len(state.instances)
    instances = tuple(
        instance if i.instance_id == instance.instance_id else i for i in state.instances
    )
    return replace(state, instances=instances if known else (*instances, instance))


def _suspends(reason: str, whole: bool, code: str) -> bool:
    condition = CONDITIONS[code]
    return bool(reason) and not condition.technical and (whole or not condition.waveform)


def _activate(state: EngineState, instance: Instance, at_us: int) -> tuple[EngineState, Changes]:
    active = replace(instance, state=AlarmState.ACTIVE, active_us=at_us, at_us=at_us)
    state = kept(state, active)
    if active.priority is not Priority.HIGH or state.paused_until_us is None:
        return state, _said(active)
    state, resumed = _resume_sound(state, BREAKTHROUGH, at_us)
    return state, (*_said(active), *resumed)


def _end(state: EngineState, instance: Instance, at_us: int) -> tuple[EngineState, Changes]:
    ended = replace(instance, state=AlarmState.ENDED, ended_us=at_us, at_us=at_us)
    return kept(state, ended), _said(ended)


def _resume_sound(state: EngineState, user: str, at_us: int) -> tuple[EngineState, Changes]:
    return replace(state, paused_until_us=None), (SoundPaused(at_us, None, user),)


def _said(instance: Instance) -> Changes:
    return (AlarmChanged(instance.at_us, instance),)

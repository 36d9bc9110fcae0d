"""The alarm engine: instances from pending to ended, latching, acknowledgement, suspension.

Every function is pure: the state before and one thing that happened give the state after and the
instances that changed. No clock is read, nothing is written; the same inputs yield the same log.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bedside.alarms.conditions import CONDITIONS
from bedside.events import AlarmState, Instance, Observation, Priority
from bedside.limits import Limits

Changes = tuple[Instance, ...]

_RANK = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


@dataclass(frozen=True, slots=True)
class EngineState:
    """The alarms of one bed. `instances` are those not yet finished, oldest first.

    `prefix` makes instance ids unique across sessions. `suspended` says why no physiological
    condition can be decided at present, and is empty while all can.
    """

    prefix: str = ""
    number: int = 0
    instances: tuple[Instance, ...] = ()
    suspended: str = ""
    limits: Limits = field(default_factory=Limits)

    def open_instance(self, code: str) -> Instance | None:
        """The instance of a condition whose cause has not ended, if there is one."""
        return next((i for i in self.instances if i.code == code and i.ended_us is None), None)


def observe(state: EngineState, seen: Observation, at_us: int) -> tuple[EngineState, Changes]:
    """A rule reports whether its cause is present. Raises KeyError for an unknown code.

    A cause that has become graver than its instance ends it and begins a new one: a new sound.
    """
    condition = CONDITIONS[seen.code]
    current = state.open_instance(seen.code)
    if not seen.present:
        return (state, ()) if current is None else _end(state, current, at_us)
    if state.suspended and not condition.technical:
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
            state=AlarmState.ACTIVE if due else AlarmState.PENDING,
            onset_us=seen.onset_us,
            at_us=at_us,
            text=seen.text or condition.title,
            value=seen.value,
            active_us=at_us if due else None,
        )
        return (
            replace(state, number=number, instances=(*state.instances, instance)),
            (instance,),
        )
    said = replace(current, text=seen.text or current.text, value=seen.value)
    if current.state is AlarmState.PENDING and due:
        said = replace(said, state=AlarmState.ACTIVE, active_us=at_us, at_us=at_us)
        return _put(state, said), (said,)
    return _put(state, said), ()


def tick(state: EngineState, at_us: int) -> tuple[EngineState, Changes]:
    """Time goes on: a pending instance whose delay is over becomes active."""
    changes: list[Instance] = []
    for instance in state.instances:
        delay_us = CONDITIONS[instance.code].delay_s(state.limits) * 1e6
        if instance.state is AlarmState.PENDING and at_us - instance.onset_us >= delay_us:
            active = replace(instance, state=AlarmState.ACTIVE, active_us=at_us, at_us=at_us)
            state = _put(state, active)
            changes.append(active)
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
        state=AlarmState.ACKNOWLEDGED,
        at_us=at_us,
        acknowledged_us=at_us,
        acknowledged_by=user,
    )
    if instance.ended_us is not None:
        return _drop(state, seen), (seen,), ""
    if instance.state is AlarmState.SUSPENDED:
        kept = replace(seen, state=AlarmState.SUSPENDED)
        return _put(state, kept), (seen,), ""
    return _put(state, seen), (seen,), ""


def suspend(state: EngineState, reason: str, at_us: int) -> tuple[EngineState, Changes]:
    """Physiological conditions cannot be decided (`reason`), or can again (empty reason).

    What was active stays, marked suspended; what was only pending ends.
    """
    changes: list[Instance] = []
    was = state.suspended
    state = replace(state, suspended=reason)
    if bool(reason) == bool(was):
        return state, ()
    for instance in state.instances:
        if CONDITIONS[instance.code].technical or instance.ended_us is not None:
            continue
        if reason and instance.state is AlarmState.PENDING:
            state, ended = _end(state, instance, at_us)
            changes.extend(ended)
            continue
        shown = AlarmState.ACTIVE if instance.acknowledged_us is None else AlarmState.ACKNOWLEDGED
        changed = replace(instance, state=AlarmState.SUSPENDED if reason else shown, at_us=at_us)
        state = _put(state, changed)
        changes.append(changed)
    return state, tuple(changes)


def close(state: EngineState, at_us: int) -> tuple[EngineState, Changes]:
    """The session is over: every instance ends, and nothing stays latched."""
    changes: list[Instance] = []
    for instance in state.instances:
        if instance.ended_us is None:
            changes.append(replace(instance, state=AlarmState.ENDED, ended_us=at_us, at_us=at_us))
    return replace(state, instances=(), suspended=""), tuple(changes)


def _end(state: EngineState, instance: Instance, at_us: int) -> tuple[EngineState, Changes]:
    ended = replace(instance, state=AlarmState.ENDED, ended_us=at_us, at_us=at_us)
    latched = (
        instance.priority is Priority.HIGH
        and instance.active_us is not None
        and instance.acknowledged_us is None
    )
    return (_put(state, ended) if latched else _drop(state, ended)), (ended,)


def _put(state: EngineState, instance: Instance) -> EngineState:
    return replace(
        state,
        instances=tuple(
            instance if i.instance_id == instance.instance_id else i for i in state.instances
        ),
    )


def _drop(state: EngineState, instance: Instance) -> EngineState:
    return replace(
        state,
        instances=tuple(i for i in state.instances if i.instance_id != instance.instance_id),
    )

"""When the alarm sound is due: at once, again while nobody acknowledged, and as a reminder.

Pure, like the engine: the alarms of a bed and the time give the bursts that are due. Bursts are not
logged, so what was sounded when is no part of the engine's state.
"""

from __future__ import annotations

from dataclasses import dataclass

from bedside.events import AlarmState, Instance, Priority, Sound

REPEAT_S = {Priority.HIGH: 10.0, Priority.MEDIUM: 25.0}
"""From one burst to the next while nobody acknowledged; low alarms sound once."""

REMINDER_S = 180.0
"""From an acknowledgement to the reminder that its cause lasts, and from that to the next one; a
low alarm that was acknowledged is left in peace."""

_RANK = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


@dataclass(frozen=True, slots=True)
class Repetition:
    """When each of the present alarms sounded last: instance id and time in µs."""

    sounded: tuple[tuple[str, int], ...] = ()


def bursts(
    before: Repetition,
    instances: tuple[Instance, ...],
    paused_until_us: int | None,
    at_us: int,
) -> tuple[Repetition, Sound | None]:
    """The burst that is due now, if one is: that of the gravest alarm whose turn it is.

    It stands for every other alarm that was due with it. A latched alarm sounds until somebody has
    seen it, whether or not its cause is gone.
    """
    if not instances:
        return Repetition(), None
    last = dict(before.sounded)
    here = {instance.instance_id for instance in instances}
    sounded = {name: when for name, when in last.items() if name in here}
    if paused_until_us is not None and at_us < paused_until_us:
        return Repetition(tuple(sounded.items())), None
    due: list[tuple[Instance, str]] = []
    for instance in instances:
        why = _why(instance, last.get(instance.instance_id), at_us)
        if why:
            due.append((instance, why))
            sounded[instance.instance_id] = at_us
    if not due:
        return Repetition(tuple(sounded.items())), None
    gravest, why = min(due, key=lambda each: _RANK[each[0].priority])
    sound = Sound(at_us, gravest.priority, gravest.instance_id, why)
    return Repetition(tuple(sounded.items())), sound


def _why(instance: Instance, last_us: int | None, at_us: int) -> str:
    if instance.state is AlarmState.PENDING:
        return ""
    if instance.acknowledged_us is not None:
        if instance.priority is Priority.LOW:
            return ""
        since_us = max(instance.acknowledged_us, last_us or 0)
        return "reminder" if at_us - since_us >= REMINDER_S * 1e6 else ""
    if last_us is None:
        return "new"
    repeat_s = REPEAT_S.get(instance.priority)
    return "repeat" if repeat_s is not None and at_us - last_us >= repeat_s * 1e6 else ""

"""From the log back to the engine's state: every change was logged whole, and is folded back.

`fold` over the events of a bed, in their order, gives exactly the state that the engine had after
the last of them, whatever happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bedside.alarms import engine
from bedside.alarms.engine import EngineState
from bedside.event_json import read_logged
from bedside.events import (
    AlarmChanged,
    BedChanged,
    BedState,
    LimitsChanged,
    SoundPaused,
    SuspensionChanged,
)

Logged = AlarmChanged | SuspensionChanged | SoundPaused | LimitsChanged | BedChanged


@dataclass(frozen=True, slots=True)
class Replayed:
    """A bed as the log tells it."""

    alarms: EngineState = field(default_factory=EngineState)
    bed_state: BedState = BedState.DISCHARGED
    session: str = ""


def replay(contents: Iterable[Mapping[str, Any]], start: Replayed | None = None) -> Replayed:
    """The bed after these rows of the log, which are all of one bed and in their order.

    Rows that are no change of the bed's alarms are passed over. Raises KeyError or ValueError for a
    row that is not as it was written.
    """
    bed = start or Replayed()
    for content in contents:
        event = read_logged(content)
        if event is not None:
            bed = fold(bed, event)
    return bed


def fold(bed: Replayed, event: Logged) -> Replayed:
    """The bed after one more event."""
    alarms = bed.alarms
    match event:
        case AlarmChanged(instance=instance):
            alarms = engine.kept(alarms, instance)
            own = instance.instance_id.removeprefix(alarms.prefix)
            if instance.instance_id.startswith(alarms.prefix) and own.isdigit():
                alarms = replace(alarms, number=max(alarms.number, int(own)))
        case SuspensionChanged():
            alarms = replace(alarms, suspended=event.reason, whole=event.whole)
        case SoundPaused():
            alarms = replace(alarms, paused_until_us=event.until_us)
        case LimitsChanged():
            alarms = replace(
                alarms,
                population=event.population,
                limits=event.limits,
                disabled=frozenset(event.disabled),
            )
        case BedChanged():
            if event.session != bed.session or event.state is not BedState.ADMITTED:
                alarms = replace(alarms, instances=())
            if event.prefix != alarms.prefix:
                alarms = replace(alarms, prefix=event.prefix, number=0)
            return Replayed(alarms, event.state, event.session)
    return replace(bed, alarms=alarms)

"""The alarms of a bed as its log has them, for whoever looks back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bedside.alarms.log import AlarmLog, LogRow
from bedside.events import Priority

_ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """An alarm of a bed as the log has it.

    `onset_wall_us` is when its cause began, `active_wall_us` when it alarmed, by the station's
    clock; `sample` of the boot `boot_id` was the newest then, None where no signal was heard.
    `ended_wall_us` is None while it lasts. `found_late`: it was found in samples that came late.
    """

    event_id: str
    bed: str
    code: str
    priority: Priority
    text: str
    onset_wall_us: int
    active_wall_us: int
    ended_wall_us: int | None = None
    acknowledged_by: str = ""
    boot_id: int | None = None
    sample: int | None = None
    found_late: bool = False


def events_of(log_path: Path, bed: str) -> list[ArchivedEvent]:
    """All alarms of a bed that were active, in order. Raises BedsideError for a damaged log."""
    found: dict[str, ArchivedEvent] = {}
    for row in _rows(log_path):
        if row.payload.get("bed") != bed:
            continue
        if row.kind == "alarm":
            event = _with_row(found.get(str(row.payload["id"])), row)
        elif row.kind == "found-late":
            event = _found_late(row)
        else:
            continue
        if event is not None:
            found[event.event_id] = event
    return sorted(found.values(), key=lambda event: event.active_wall_us)


def _rows(path: Path) -> Iterator[LogRow]:
    if not path.exists():
        return
    log = AlarmLog(path)
    try:
        since = 0
        while rows := log.rows(since, _ROWS_AT_ONCE):
            yield from rows
            since = rows[-1].number
    finally:
        log.close()


def _with_row(known: ArchivedEvent | None, row: LogRow) -> ArchivedEvent | None:
    """An event as it is after another row of it; None while it was never active."""
    content = row.payload
    if content.get("active_s") is None:
        return known

    def wall_us(seconds: float) -> int:
        return row.wall_us - round((float(content["at_s"]) - seconds) * 1e6)

    ended = content.get("ended_s")
    if known is None:
        return ArchivedEvent(
            event_id=str(content["id"]),
            bed=str(content["bed"]),
            code=str(content["code"]),
            priority=Priority(content["priority"]),
            text=str(content["text"]),
            onset_wall_us=wall_us(content["onset_s"]),
            active_wall_us=wall_us(content["active_s"]),
            ended_wall_us=None if ended is None else wall_us(ended),
            acknowledged_by=str(content["acknowledged_by"]),
            boot_id=content.get("boot_id"),
            sample=content.get("sample"),
        )
    return replace(
        known,
        ended_wall_us=known.ended_wall_us if ended is None else wall_us(ended),
        acknowledged_by=str(content["acknowledged_by"]) or known.acknowledged_by,
    )


def _found_late(row: LogRow) -> ArchivedEvent:
    found_us = round(row.payload["found_wall_s"] * 1e6) or row.wall_us
    return ArchivedEvent(
        event_id=f"late-{row.number}",
        bed=str(row.payload["bed"]),
        code=str(row.payload["code"]),
        priority=Priority.HIGH,
        text=str(row.payload["text"]),
        onset_wall_us=found_us,
        active_wall_us=found_us,
        ended_wall_us=found_us,
        found_late=True,
    )

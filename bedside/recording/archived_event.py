"""The alarms of a bed as its log has them, for whoever looks back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bedside.alarms.log import AFTER_THE_LAST, AlarmLog, LogRow
from bedside.events import Priority

_ROWS_AT_ONCE = 2000


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


def events_of(
    log_path: Path, bed: str, to_wall_us: int = AFTER_THE_LAST, most: int | None = None
) -> list[ArchivedEvent]:
    """The alarms of a bed that were active, in order, as the log stood at a moment, or now.

    Of more than `most` only the last ones, at a cost that does not grow with the log. Raises
    BedsideError for a damaged or locked log.
    """
    rows: list[LogRow] = []
    begun: set[str] = set()
    for row in _newest_rows(log_path, bed, to_wall_us):
        rows.append(row)
        if row.kind == "found-late" or _begins(row):
            begun.add(str(row.payload.get("id", row.number)))
            if most is not None and len(begun) >= most:
                break
    found: dict[str, ArchivedEvent] = {}
    for row in reversed(rows):
        if row.kind == "found-late":
            event: ArchivedEvent | None = _found_late(row)
        else:
            event = _with_row(found.get(str(row.payload["id"])), row)
        if event is not None:
            found[event.event_id] = event
    return sorted(found.values(), key=lambda event: event.active_wall_us)


def _newest_rows(path: Path, bed: str, to_wall_us: int) -> Iterator[LogRow]:
    """The rows of a bed's alarms, newest first."""
    if not path.exists():
        return
    log = AlarmLog(path)
    try:
        before, kinds = AFTER_THE_LAST, ("alarm", "found-late")
        while rows := log.of_bed(bed, kinds, _ROWS_AT_ONCE, before, to_wall_us):
            yield from rows
            before = rows[-1].number
    finally:
        log.close()


def _begins(row: LogRow) -> bool:
    """Whether it is the row in which an alarm became active."""
    content = row.payload
    return content.get("active_s") is not None and content["active_s"] == content["at_s"]


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
            # A later row tells of a later sample.
            boot_id=content.get("boot_id") if _begins(row) else None,
            sample=content.get("sample") if _begins(row) else None,
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

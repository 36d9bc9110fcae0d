"""The alarm log for other programs: CSV and JSON lines, a row each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from bedside.alarms.log import LogRow

CSV_COLUMNS = (
    "number", "time", "kind", "bed", "id", "code", "priority", "state", "text", "value", "user",
    "reason", "sample", "hash",
)  # fmt: skip


def as_csv(rows: Iterable[LogRow]) -> Iterator[str]:
    """A header and a line a row; `time` is UTC, empty where the clock was not set."""
    yield _line(CSV_COLUMNS)
    for row in rows:
        content = row.payload
        user = content.get("acknowledged_by") or content.get("user", "")
        values = {
            "number": row.number,
            "time": iso_time(row.wall_us),
            "kind": row.kind,
            "user": user,
            "hash": row.hash,
        }
        yield _line([values.get(name, content.get(name, "")) for name in CSV_COLUMNS])


def as_json(rows: Iterable[LogRow]) -> Iterator[str]:
    """A JSON object a row, with all that the log holds of it."""
    for row in rows:
        content = {
            "number": row.number,
            "kind": row.kind,
            "time": iso_time(row.wall_us),
            "wall_us": row.wall_us,
            "at_us": row.at_us,
            "hash": row.hash,
            "content": row.payload,
        }
        yield json.dumps(content) + "\n"


def iso_time(wall_us: int) -> str:
    """Unix time in µs as UTC with milliseconds; empty for 0, a clock that was not set."""
    if wall_us <= 0:
        return ""
    when = datetime.fromtimestamp(wall_us / 1e6, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow("" if v is None else v for v in values)
    return line.getvalue()

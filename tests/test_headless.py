"""The printer: a reader that stalls or leaves loses lines, and holds nobody up."""

from __future__ import annotations

import contextlib
import io
import json
import os

from bedside.events import Vitals
from bedside.headless import WAITING_LINES, Printer


def test_events_come_out_as_lines_of_json_and_the_summary_last() -> None:
    out = io.StringIO()
    printer = Printer(out)
    printer.event("bed-1", Vitals(1, 72.0, 0.0, 1.0), 2_000_000)
    printer.finish({"event": "summary"})
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["vitals", "summary"]
    assert lines[0]["bed"] == "bed-1"
    assert lines[1]["lines_lost"] == 0


def test_a_reader_that_does_not_read_holds_nobody_up() -> None:
    reading, writing = os.pipe()
    printer = Printer(os.fdopen(writing, "w"))
    for number in range(3 * WAITING_LINES):
        printer.event("bed-1", Vitals(number, 72.0, 0.0, 1.0), 2_000_000)
    assert printer.lines_lost > 0
    os.close(reading)


def test_a_reader_that_leaves_is_counted() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    out = os.fdopen(writing, "w")
    printer = Printer(out)
    printer.event("bed-1", Vitals(1, 72.0, 0.0, 1.0), 2_000_000)
    printer.finish({"event": "summary"})
    assert printer.lines_lost >= 1
    with contextlib.suppress(BrokenPipeError):
        out.close()

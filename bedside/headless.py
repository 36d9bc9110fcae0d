"""The station without a screen: one JSON object per event on stdout, logs on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from bedside.event_json import to_json
from bedside.events import Event
from bedside.worker import Worker

WAITING_LINES = 5000
MOST_AT_ONCE = 1000


class Printer:
    """Prints events as they come, each with its bed and wall time.

    Lines wait in a queue of their own: a reader that stops reading loses lines, which are counted
    as `lines_lost`, and never holds up the monitor.
    """

    def __init__(self, out: TextIO = sys.stdout) -> None:
        """Print to `out`."""
        self._out = out
        self._unread = 0
        self._lines = Worker[str]("printer", self._print, capacity=WAITING_LINES, together_s=0.05)
        self._lines.start()

    @property
    def lines_lost(self) -> int:
        """Lines that nobody took in time."""
        return self._lines.overflows + self._unread

    def event(self, bed: str, event: Event, wall_us: int) -> None:
        """One event of a bed. Never blocks."""
        content = to_json(event)
        if content is not None:
            self._lines.put(json.dumps({"bed": bed, "wall_s": round(wall_us / 1e6, 3)} | content))

    def finish(self, summary: dict[str, Any]) -> None:
        """Print what waits, then the summary, as far as somebody still reads."""
        self._lines.put(json.dumps(summary | {"lines_lost": self.lines_lost}))
        self._lines.stop()

    def _print(self, line: str) -> None:
        lines = [line, *self._lines.more(MOST_AT_ONCE)]
        try:
            print(*lines, sep="\n", file=self._out, flush=True)
        except (OSError, ValueError):
            self._unread += len(lines)  # whoever read has left

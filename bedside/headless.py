"""The station without a screen: one JSON object per event on stdout, logs on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from bedside.event_json import to_json
from bedside.events import Event


class Printer:
    """Prints events as they come; `bed` and the wall time stand in each."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        """Print to `out`."""
        self._out = out

    def event(self, bed: str, event: Event, wall_us: int) -> None:
        """One event of a bed."""
        content = to_json(event)
        if content is not None:
            self.line({"bed": bed, "wall_s": round(wall_us / 1e6, 3)} | content)

    def line(self, content: dict[str, Any]) -> None:
        """One JSON object on a line of its own."""
        print(json.dumps(content), file=self._out, flush=True)

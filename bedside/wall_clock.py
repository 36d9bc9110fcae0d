"""Whether this machine knows what time it is.

A Raspberry Pi without a battery starts with the time at which it went down: plausible, and wrong.
Where systemd-timesyncd keeps the clock it says when it has heard the time; elsewhere only a clock
from before this program was written is known to be wrong.
"""

from __future__ import annotations

import time
from pathlib import Path

EARLIEST_WALL_S = 1_735_689_600
"""2025-01-01: no clock that is set shows less."""

SMALLEST_STEP_S = 2.0
"""A clock that is kept by the network is slewed, not moved so far."""

_TIMESYNC = Path("/run/systemd/timesync")


def is_set(timesync: Path = _TIMESYNC, wall_s: float | None = None) -> bool:
    """Whether the wall clock may be believed."""
    if (time.time() if wall_s is None else wall_s) < EARLIEST_WALL_S:
        return False
    return not timesync.is_dir() or (timesync / "synchronized").exists()


class Steps:
    """Notices that the wall clock was moved while the program ran."""

    def __init__(self) -> None:
        self._ahead_s = self._ahead()

    def step_s(self) -> float:
        """By how much it was moved since the last look; 0 for less than 2 s."""
        before_s, self._ahead_s = self._ahead_s, self._ahead()
        step_s = self._ahead_s - before_s
        return step_s if abs(step_s) >= SMALLEST_STEP_S else 0.0

    @staticmethod
    def _ahead() -> float:
        return time.time() - time.monotonic()

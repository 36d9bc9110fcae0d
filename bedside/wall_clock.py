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

_TIMESYNC = Path("/run/systemd/timesync")


def is_set(timesync: Path = _TIMESYNC, wall_s: float | None = None) -> bool:
    """Whether the wall clock may be believed."""
    if (time.time() if wall_s is None else wall_s) < EARLIEST_WALL_S:
        return False
    return not timesync.is_dir() or (timesync / "synchronized").exists()

"""Moments as people type them."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

from bedside.errors import BedsideError

HELP = "as 2026-05-17T03:10, 03:10 (the last one), 2h or 30min (ago); local time."

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def moment_us(text: str, now_s: float | None = None) -> int:
    """Unix time in µs of what somebody typed. Raises BedsideError."""
    now = datetime.fromtimestamp(time.time() if now_s is None else now_s).astimezone()
    ago = _AGO.fullmatch(text.strip())
    if ago:
        moment = now - timedelta(seconds=float(ago[1]) * _SECONDS[ago[2]])
        return round(moment.timestamp() * 1e6)
    for pattern in ("%H:%M", "%H:%M:%S"):
        try:
            clock = datetime.strptime(text.strip(), pattern).time()
        except ValueError:
            continue
        moment = datetime.combine(now.date(), clock).astimezone()
        if moment > now:
            moment = datetime.combine(now.date() - timedelta(days=1), clock).astimezone()
        return round(moment.timestamp() * 1e6)
    try:
        return round(datetime.fromisoformat(text.strip()).astimezone().timestamp() * 1e6)
    except (ValueError, OverflowError, OSError) as error:
        raise BedsideError(f"{text!r} is no moment: write it {HELP}") from error

"""How many messages a phone can take: an allowance that fills up again with time."""

from __future__ import annotations


class Allowance:
    """Up to `most_per_minute` at once, and as many a minute in the long run (a token bucket)."""

    def __init__(self, most_per_minute: float) -> None:
        self._most = float(most_per_minute)
        self._left = self._most
        self._filled_s: float | None = None

    def left(self, now_s: float) -> int:
        """How many may leave now; `now_s` is monotonic."""
        if self._filled_s is not None:
            gained = (now_s - self._filled_s) * self._most / 60.0
            self._left = min(self._most, self._left + max(0.0, gained))
        self._filled_s = now_s
        return int(self._left + 1e-9)

    def take(self) -> None:
        """One left."""
        self._left = max(0.0, self._left - 1.0)

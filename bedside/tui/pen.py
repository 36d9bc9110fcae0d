"""The pace of the sweep's pen: by the clock, whatever the batches' rhythm."""

from __future__ import annotations

CATCH_UP_S = 0.05
"""What has arrived is drawn within this time: smooth motion against a late picture."""

JUMP_SAMPLES = 500
"""Further behind than this (2 s), the pen jumps instead of running."""


class Pen:
    """Moves towards the newest sample at a steady pace, set anew whenever samples arrive."""

    def __init__(self, position: int, now_s: float) -> None:
        self.position = position
        self._exact = float(position)
        self._now_s = now_s
        self._newest = position
        self._samples_per_s = 0.0

    def advance(self, newest: int, now_s: float) -> int:
        """Where the pen stands at `now_s`, when samples up to `newest` are there."""
        behind = newest - self._exact
        if newest != self._newest:
            self._newest = newest
            self._samples_per_s = behind / CATCH_UP_S
        elapsed_s = max(0.0, now_s - self._now_s)
        self._now_s = now_s
        if behind > JUMP_SAMPLES or behind < 0:
            self._exact = float(newest)
        else:
            self._exact = min(float(newest), self._exact + elapsed_s * self._samples_per_s)
        self.position = int(self._exact)
        return self.position

    def skip_to(self, position: int) -> None:
        """Stand at `position` at once."""
        self._newest = position
        self._exact = float(position)
        self.position = position

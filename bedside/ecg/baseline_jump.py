"""Whether the baseline has jumped, as no heart makes it, and is still creeping back.

An electrode that slips throws the amplifier to its rail; what follows is the slow way back of its
high-pass, on which the heart cannot be seen although it beats.
"""

from __future__ import annotations

import numpy as np

from bedside.events import WINDOW_RATE_HZ, Float64Array

_PIECE = round(0.4 * WINDOW_RATE_HZ)
"""The median of a stretch as long does not feel a beat, however wide."""

_JUMP_MV = 2.5
"""Between the medians of stretches …"""

_PIECES = 4
"""… that follow each other: within 1.6 s."""

_CREEP_MV = 0.1
"""From one stretch to the next: less, and the amplifier has settled."""

LONGEST_CREEP_S = 10.0
"""An amplifier that has not settled by then is not what moves the baseline."""


class BaselineJump:
    """Streaming at 250 Hz; any split of the input gives the same positions."""

    def __init__(self) -> None:
        """Start with no past."""
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0."""
        self._waiting: Float64Array = np.empty(0)
        self._medians_mv: list[float] = []
        self._position = 0
        self._jumped_at: int | None = None
        self.settled_at = 0
        """Up to here the signal could not show a heart."""

    def process(self, samples_mv: Float64Array) -> None:
        """Take raw samples of shape (n,) in mV."""
        self._waiting = np.concatenate((self._waiting, samples_mv))
        while len(self._waiting) >= _PIECE:
            piece, self._waiting = self._waiting[:_PIECE], self._waiting[_PIECE:]
            self._position += _PIECE
            self._take(float(np.partition(piece, _PIECE // 2)[_PIECE // 2]))

    def _take(self, median_mv: float) -> None:
        self._medians_mv = [*self._medians_mv[-_PIECES + 1 :], median_mv]
        if max(self._medians_mv) - min(self._medians_mv) > _JUMP_MV:
            self._jumped_at = self._position
            self.settled_at = self._position
        elif self._jumped_at is not None:
            creeps = abs(median_mv - self._medians_mv[-2]) > _CREEP_MV
            if creeps and self._position - self._jumped_at < LONGEST_CREEP_S * WINDOW_RATE_HZ:
                self.settled_at = self._position
            else:
                self._jumped_at = None

"""A bad network: publishes that vanish, come twice or overtake each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from bedside.simulator.uplink import Outgoing


@dataclass(slots=True)
class Faults:
    """Chances, from 0 to 1, of what happens to a publish; the same seed does the same.

    A dropped one is lost as by a broker that took it and was killed: the node believes that it
    arrived. A held one follows after the next.
    """

    drop: float = 0.0
    repeat: float = 0.0
    hold: float = 0.0
    seed: int = 0
    dropped: int = 0
    _random: np.random.Generator = field(init=False)
    _held: list[Outgoing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def apply(self, outgoing: Iterable[Outgoing]) -> list[Outgoing]:
        """What really leaves, in its order."""
        leaving: list[Outgoing] = []
        for each in outgoing:
            dropped, repeated, held = self._random.random(3) < (self.drop, self.repeat, self.hold)
            if dropped:
                self.dropped += 1
                continue
            if held and not self._held:
                self._held.append(each)
                continue
            leaving += [each] * (1 + int(repeated)) + self._held
            self._held.clear()
        return leaving

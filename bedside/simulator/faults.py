"""A bad network: publishes that vanish, come twice, overtake each other or come seconds late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from bedside.simulator.uplink import Outgoing


@dataclass(slots=True)
class Faults:
    """Chances, from 0 to 1, of what happens to a publish; the same seed does the same.

    A dropped one is lost as by a broker that took it and was killed: the node believes that it
    arrived. A held one follows after the next. A late one leaves `late_s` seconds after its time,
    behind all that was sent meanwhile; the bedside may have asked for it again by then.
    """

    drop: float = 0.0
    repeat: float = 0.0
    hold: float = 0.0
    late: float = 0.0
    late_s: float = 5.0
    seed: int = 0
    dropped: int = 0
    delayed: int = 0
    _random: np.random.Generator = field(init=False)
    _held: list[Outgoing] = field(default_factory=list)
    _late: list[tuple[float, Outgoing]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def apply(self, outgoing: Iterable[Outgoing], now_s: float) -> list[Outgoing]:
        """What really leaves at `now_s` (of any monotonic clock), in its order."""
        leaving: list[Outgoing] = []
        for each in outgoing:
            dropped, repeated, held, late = self._random.random(4) < (
                self.drop,
                self.repeat,
                self.hold,
                self.late,
            )
            if dropped:
                self.dropped += 1
                continue
            if late:
                self.delayed += 1
                self._late.append((now_s + self.late_s, each))
                continue
            if held and not self._held:
                self._held.append(each)
                continue
            leaving += [each] * (1 + int(repeated)) + self._held
            self._held.clear()
        while self._late and self._late[0][0] <= now_s:
            leaving.append(self._late.pop(0)[1])
        return leaving

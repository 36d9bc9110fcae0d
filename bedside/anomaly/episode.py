"""When single abnormal beats become the alarm condition `abnormal-beats`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bedside.events import Observation

CODE = "abnormal-beats"


@dataclass(eq=False)
class EpisodeRule:
    """`k` of the last `n` usable beats above this patient's threshold.

    The condition is present from the beat that makes it `k` of `n` until none of the last `n` beats
    is abnormal: so one episode is one alarm, however often the count moves around `k`. A beat that
    cannot be judged is not added, and changes nothing.
    """

    k: int = 3
    n: int = 10
    _last: deque[tuple[bool, int]] = field(init=False)
    _present: bool = field(default=False, init=False)
    _onset_us: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._last = deque(maxlen=self.n)

    def add(self, abnormal: bool, at_us: int) -> Observation:
        """The condition after one more beat, whose R peak was at `at_us`.

        The onset is the first of the abnormal beats that were counted.
        """
        self._last.append((abnormal, at_us))
        counted = [time_us for strange, time_us in self._last if strange]
        if not self._present and len(counted) >= self.k:
            self._present = True
            self._onset_us = counted[0]
        elif self._present and not counted:
            self._present = False
        return Observation(
            code=CODE,
            present=self._present,
            onset_us=self._onset_us if self._present else at_us,
            text=f"{len(counted)} of the last {len(self._last)} beats abnormal",
            value=float(len(counted)),
        )

    def reset(self) -> None:
        """Forget the beats: after a gap, or when the baseline changed."""
        self._last.clear()
        self._present = False

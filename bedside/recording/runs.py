"""Batches that follow each other, as one row of a journal can describe them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bedside.events import Batch, Flags, Int16Array

INVALID_SAMPLE = -32768
"""WFDB's mark of a missing sample in 16-bit files; a real one this low is stored as −32767."""

LAST_WALL_US = 4_102_444_800_000_000
"""The year 2100: a clock beyond is not set, whatever it says."""

_STEP_US = {True: 50_000, False: 1_000_000}
"""How far a clock may stray within a run: the node's own, and the moments of arrival."""

_LONGEST_S = 10.0
"""One checksum vouches for a run: so much is given up where a sample of it is damaged."""

_SEQUENCES = 1 << 32

Place = tuple[int, int, int]
"""Boot id, number of the signal, hour: what names a segment of a node."""


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A batch, and Unix time in µs at which it came by the station's clock (0: unknown)."""

    batch: Batch
    heard_wall_us: int = 0

    @property
    def wall_us(self) -> int:
        """Unix time of the first sample: the node's, else as the batch came, else 0."""
        batch = self.batch
        if batch.flags.has(Flags.CLOCK_SYNCED):
            wall_us = batch.wall_us
        elif batch.flags.has(Flags.REPLAYED) or self.heard_wall_us <= 0:
            return 0
        else:
            wall_us = self.heard_wall_us - round(len(batch.samples) / batch.rate_hz * 1e6)
        return wall_us if 0 < wall_us < LAST_WALL_US else 0


@dataclass(slots=True, eq=False)
class Run:
    """Consecutive batches that lie in one segment, at least the part of them that does."""

    place: Place
    first: Staged
    alone: bool
    batches: int = 1
    end_sample: int = 0
    parts: list[Int16Array] = field(default_factory=list)
    _wall_us: int = 0

    def __post_init__(self) -> None:
        self._wall_us = self.first.wall_us
        self.end_sample = self.first.batch.end_sample
        self.parts = [self.first.batch.samples]

    @property
    def count(self) -> int:
        """How many samples the run's batches hold."""
        return self.end_sample - self.first.batch.first_sample

    def goes_on_with(self, place: Place, staged: Staged) -> bool:
        """Whether a batch may be counted in."""
        before, batch = self.first.batch, staged.batch
        follows = (
            not self.alone
            and place == self.place
            and self.count + len(batch.samples) <= _LONGEST_S * before.rate_hz
            and batch.sequence == before.sequence + self.batches < _SEQUENCES
            and batch.first_sample == self.end_sample
            and batch.flags == before.flags
        )
        if not follows:
            return False
        wall_us = staged.wall_us
        if wall_us == 0 or self._wall_us == 0:
            return wall_us == self._wall_us
        expected_us = self._wall_us + round(self.count / before.rate_hz * 1e6)
        return abs(wall_us - expected_us) <= _STEP_US[batch.flags.has(Flags.CLOCK_SYNCED)]

    def add(self, batch: Batch) -> None:
        """Count a batch in."""
        self.batches += 1
        self.end_sample = batch.end_sample
        self.parts.append(batch.samples)

    def samples(self, start_sample: int, end_sample: int) -> tuple[int, bytes]:
        """First index and stored bytes of what lies between two indices."""
        first = self.first.batch.first_sample
        begin = max(first, start_sample)
        together = np.concatenate(self.parts)[begin - first : end_sample - first]
        return begin, np.maximum(together, INVALID_SAMPLE + 1).astype("<i2").tobytes()


def runs(staged: Iterable[Staged], places: Callable[[Batch], Sequence[Place]]) -> list[Run]:
    """Runs in the order in which their batches came; `places` says where a batch lies."""
    found: list[Run] = []
    for each in staged:
        lies_in = places(each.batch)
        straddles = len(lies_in) > 1
        for place in lies_in:
            if not straddles and found and found[-1].goes_on_with(place, each):
                found[-1].add(each.batch)
            else:
                found.append(Run(place, each, straddles))
    return found

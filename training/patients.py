"""What is learned of each patient, and beats drawn from all of them in balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.anomaly.alignment import aligned
from bedside.anomaly.normal import OF_NORMAL
from training.datasets import RecordBeats

STRETCH_S = 300.0
FEWEST_BEATS = 60

Array = NDArray[np.float32]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Known:
    """What stretches of five minutes teach: m templates and spreads (m, 192) in mV."""

    template_mv: Array
    spread_mv: Array


@dataclass(frozen=True, eq=False)
class Pool:
    """Beats of many patients, each row (192,) in mV, grouped by lead of a record.

    `first` and `count` (leads,) say which rows belong to a lead.
    """

    windows_mv: Array
    first: Index
    count: Index

    def draw(self, leads: Index, rng: np.random.Generator) -> Index:
        """One row of each of `leads` (n,)."""
        where = self.first[leads] + rng.random(len(leads)) * self.count[leads]
        return where.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Patients:
    """The normal beats and templates of every lead, and the ectopic ones where there are any."""

    normal: Pool
    known: Known
    known_first: Index
    known_count: Index
    ectopic: dict[str, Pool]

    @property
    def leads(self) -> int:
        """How many leads of records there are."""
        return len(self.known_first)


def learn(part: RecordBeats) -> Known | None:
    """What each five-minute stretch of a lead teaches; None where no stretch has enough beats."""
    normal = part.part(part.classes == "N")
    stretch = (normal.time_s // STRETCH_S).astype(int)
    templates, spreads = [], []
    for one in np.unique(stretch):
        beats = normal.part(stretch == one)
        if len(beats.time_s) < FEWEST_BEATS:
            continue
        template = np.median(beats.windows_mv, axis=0)
        apart = np.abs(beats.windows_mv - aligned(template, beats.windows_mv))
        templates.append(template)
        spreads.append(OF_NORMAL * np.median(apart, axis=0))
    if not templates:
        return None
    return Known(
        np.asarray(templates, dtype=np.float32),
        np.asarray(spreads, dtype=np.float32),
    )


def gather(parts: Sequence[RecordBeats]) -> Patients:
    """All parts that teach a template, as arrays to draw from."""
    taught = [(part, known) for part in parts if (known := learn(part)) is not None]
    counts = np.array([len(known.template_mv) for _, known in taught])
    kept = [part for part, _ in taught]
    ectopic = {letter: _pool(kept, letter) for letter in "VSF"}
    return Patients(
        normal=_pool(kept, "N"),
        known=Known(
            np.concatenate([known.template_mv for _, known in taught]),
            np.concatenate([known.spread_mv for _, known in taught]),
        ),
        known_first=np.cumsum(counts) - counts,
        known_count=counts,
        ectopic={letter: pool for letter, pool in ectopic.items() if pool.count.any()},
    )


def _pool(parts: Sequence[RecordBeats], letter: str) -> Pool:
    chosen = [part.part(part.classes == letter) for part in parts]
    counts = np.array([len(part.time_s) for part in chosen])
    return Pool(
        np.concatenate([part.windows_mv for part in chosen]),
        np.cumsum(counts) - counts,
        counts,
    )

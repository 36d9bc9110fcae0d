"""Kaggle's heartbeat files (`shayanfazeli/heartbeat`): 187 samples at 125 Hz, then a label.

The label is a column of the file and no part of the heartbeat. It is split off by its position, and
checked to be one.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets import DataError

SAMPLES = 187
RATE_HZ = 125.0

LABELS: Mapping[str, frozenset[int]] = {
    "ptbdb_normal.csv": frozenset({0}),
    "ptbdb_abnormal.csv": frozenset({1}),
    "mitbih_train.csv": frozenset(range(5)),
    "mitbih_test.csv": frozenset(range(5)),
}
"""The files by name, and the labels that each may hold (0–4 are AAMI's N, S, V, F, Q)."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Heartbeats (n, 187) between 0 and 1, padded with zeros; `labels` (n,) stand apart."""

    beats: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raise `DataError` when a label could have slipped into the heartbeats."""
        if self.beats.ndim != 2 or self.beats.shape[1] != SAMPLES:
            raise DataError(
                f"Heartbeats are {SAMPLES} samples wide, these are {self.beats.shape[1:]}: "
                "take the label column out of the input."
            )
        if len(self.labels) != len(self.beats):
            raise DataError(f"{len(self.beats)} heartbeats have {len(self.labels)} labels.")

    def thinned(self, most: int) -> Rows:
        """At most about `most` rows: every so many-eth of them, in order."""
        step = max(1, round(len(self.labels) / most))
        return Rows(self.beats[::step], self.labels[::step])


def read_rows(path: Path, allowed: frozenset[int] | None = None) -> Rows:
    """The heartbeats of a file and, apart from them, their labels.

    `allowed` are the labels that may occur; by default what `LABELS` says of a file of this name.
    Raises `DataError` naming file and row for a wrong width, text, NaN, a sample outside 0 to 1, or
    a label that is none.
    """
    if allowed is None:
        allowed = LABELS.get(path.name)
    if allowed is None:
        raise DataError(f"{path} is none of {', '.join(LABELS)}.")
    beats: list[list[float]] = []
    labels: list[int] = []
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            for number, cells in enumerate(csv.reader(lines), start=1):
                beat, label = _row(cells, f"{path.name}, row {number}", allowed)
                beats.append(beat)
                labels.append(label)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    if not beats:
        raise DataError(f"{path} is empty.")
    return Rows(np.asarray(beats, dtype=np.float32), np.asarray(labels, dtype=np.int64))


def _row(cells: list[str], where: str, allowed: frozenset[int]) -> tuple[list[float], int]:
    if len(cells) != SAMPLES + 1:
        raise DataError(f"{where}: {len(cells)} columns instead of {SAMPLES} samples and a label.")
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error
    if not np.isfinite(values).all():
        raise DataError(f"{where}: a value is not a finite number.")
    *beat, label = values
    if min(beat) < 0.0 or max(beat) > 1.0:
        raise DataError(f"{where}: a sample is outside 0 to 1.")
    if label not in allowed:
        expected = ", ".join(str(one) for one in sorted(allowed))
        raise DataError(
            f"{where}: the last column is {label:g}, no label of this file ({expected})."
        )
    return beat, int(label)


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows of several files, in order."""
    return Rows(
        np.concatenate([part.beats for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )

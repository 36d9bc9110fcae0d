"""Cross-validation over the training patients: the only data that chooses anything.

The patients of DS1 fall into folds; each fold is scored by a network that never saw its patients.
From these scores come the thresholds for a false-alarm budget, and what they cost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.budget import RECALL_ERRORS, calibration_level, episode_levels
from training import datasets
from training.datasets import RecordBeats
from training.export import export
from training.network import Network
from training.patients import gather
from training.replay import ScoredRecord, replay
from training.train import Config, train

FOLDS = 3
POPULATION_THRESHOLD = 0.12
"""The threshold for patients without a baseline."""

TAIL_LEVELS = 12
"""How many of the highest levels of all hours the power law of the tail is fitted to."""


@dataclass(frozen=True)
class Tail:
    """False alarms a day as a power law of the threshold's factor over the calibration's level."""

    factor_at_one_a_day: float
    exponent: float
    hours: float


def training_parts(folder: Path, records: Sequence[str]) -> list[RecordBeats]:
    """Both leads of these MIT-BIH records and the training half of nsrdb."""
    mitdb = [datasets.record_beats(folder / "mitdb", r, lead) for r in records for lead in (0, 1)]
    nsrdb = [datasets.record_beats(folder / "nsrdb", r) for r in datasets.NSRDB_TRAIN]
    return mitdb + nsrdb


def as_autoencoder(network: Network) -> Autoencoder:
    """The network as the runtime would load it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fold.onnx"
        export(network, path, population_threshold=POPULATION_THRESHOLD, training_data="fold")
        return Autoencoder.load(path)


def cross_validate(folder: Path, config: Config) -> list[ScoredRecord]:
    """Every DS1 record and every training record of nsrdb, scored by a network of other patients.

    nsrdb is held out in the same folds.
    """
    names = [*datasets.TRAIN, *datasets.NSRDB_TRAIN]
    fold = np.random.default_rng(5).permutation(len(names)) % FOLDS
    parts = training_parts(folder, datasets.TRAIN)
    wander, muscle = (datasets.recorded_noise(folder, name) for name in ("bw", "ma"))
    scored = []
    for number in range(FOLDS):
        held = {name for name, f in zip(names, fold, strict=True) if f == number}
        network = train(gather([p for p in parts if p.record not in held]), wander, muscle, config)
        autoencoder = as_autoencoder(network)
        scored += [replay(autoencoder, p) for p in parts if p.record in held and p.lead == 0]
    return scored


def tail(scored: Sequence[ScoredRecord]) -> Tail:
    """How the episode levels of later, normal stretches exceed the calibration's level.

    A stretch counts as normal where the reference has no other beat among the last ten. Each
    exceedance that is not part of the one before counts once.
    """
    factors: list[NDArray[np.float64]] = []
    hours = 0.0
    for record in scored:
        if record.baseline is None:
            continue
        level = calibration_level(record.errors[record.teaching])
        usable = record.beats.part(record.beats.usable)
        levels = episode_levels(record.errors[record.beats.usable])
        strange = np.convolve(usable.classes != "N", np.ones(10), "full")[: len(levels)] > 0
        counted = (usable.time_s > 300.0) & ~strange
        factors.append(_peaks(np.where(counted, levels, 0.0)) / level)
        hours += float(counted.mean() * (usable.time_s[-1] - usable.time_s[0]) / 3600.0)
    highest = np.sort(np.concatenate(factors))[::-1][:TAIL_LEVELS]
    # Hill's estimator of the exponent, from the highest levels of all patients.
    exponent = 1.0 / float(np.mean(np.log(highest[:-1] / highest[-1])))
    per_day = (TAIL_LEVELS - 1) / hours * 24.0
    return Tail(float(highest[-1] * per_day ** (1.0 / exponent)), exponent, hours)


def recall_curve(scored: Sequence[ScoredRecord]) -> list[float]:
    """The share of ventricular beats above each of `RECALL_ERRORS`, each patient weighing alike."""
    per_patient = []
    for record in scored:
        errors = record.errors[record.later & (record.beats.classes == "V")]
        if len(errors) >= 10:
            per_patient.append([(errors > level).mean() for level in RECALL_ERRORS])
    return [round(float(share), 4) for share in np.mean(per_patient, axis=0)]


def _peaks(levels: NDArray[np.float64], apart: int = 20) -> NDArray[np.float64]:
    """The highest level of each `apart` beats (n,): neighbours share their errors."""
    padded = np.pad(levels, (0, -len(levels) % apart))
    return padded.reshape(-1, apart).max(axis=1)

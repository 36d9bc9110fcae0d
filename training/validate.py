"""Cross-validation over the training patients: the only data that chooses anything.

The patients of DS1 fall into folds; each fold is scored by a network that never saw its patients,
with the odds of beat-classifying trees that never saw them either. From these scores come the
thresholds for a false-alarm budget, and what they cost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from bedside.anomaly import measured
from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.budget import calibration_level
from bedside.ecg.beats import Votes
from bedside.events import Float64Array
from training import beat_fit, datasets
from training.datasets import RecordBeats
from training.export import export
from training.metrics import alarms
from training.network import Network
from training.patients import gather
from training.replay import ScoredRecord, Shaped, shaped
from training.train import Config, train

FOLDS = 3
POPULATION_THRESHOLD = 0.16
"""The threshold for patients without a baseline."""

ERRORS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
"""Errors at which the recall of ventricular beats is measured."""

MEASURED = Path(measured.__file__)

FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6)
"""Thresholds, in units of the calibration's level, at which false alarms are counted."""


@dataclass(frozen=True)
class Tail:
    """False alarms a day as a power law of the threshold's factor over the calibration's level."""

    factor_at_one_a_day: float
    exponent: float
    hours: float
    counts: tuple[int, ...]


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


def cross_validate(folder: Path, config: Config) -> list[Shaped]:
    """Every DS1 record and every training record of nsrdb, by network and trees of other patients.

    nsrdb is held out in the same folds.
    """
    names = [*datasets.TRAIN, *datasets.NSRDB_TRAIN]
    fold = np.random.default_rng(5).permutation(len(names)) % FOLDS
    parts = training_parts(folder, datasets.TRAIN)
    wander, muscle = (datasets.recorded_noise(folder, name) for name in ("bw", "ma"))
    lessons = beat_fit.examples(folder)
    held_out = []
    for number in range(FOLDS):
        held = {name for name, f in zip(names, fold, strict=True) if f == number}
        network = train(gather([p for p in parts if p.record not in held]), wander, muscle, config)
        autoencoder = as_autoencoder(network)
        votes = as_votes(beat_fit.fitted(lessons, without=held))
        held_out += [
            shaped(autoencoder, p, votes) for p in parts if p.record in held and p.lead == 0
        ]
    return held_out


def as_votes(trees: HistGradientBoostingClassifier) -> Votes:
    """The trees as the beat classifier asks them."""

    def votes(evidence: Float64Array) -> Float64Array:
        raw: Float64Array = trees.decision_function(evidence[None])[0]
        return raw

    return votes


def tail(healthy: Sequence[ScoredRecord]) -> Tail:
    """How false alarms a day fall with the threshold, counted over recordings of healthy people.

    Only unselected recordings can say how often something happens in a day: MIT-BIH's half hours
    were chosen for what is in them. A power law is fitted to the counts at `FACTORS`.
    """
    calibrated = [record for record in healthy if record.baseline is not None]
    counts, hours = [], 0.0
    for factor in FACTORS:
        runs = [alarms(replace(record, threshold=factor * _level(record))) for record in calibrated]
        counts.append(sum(run.false for run in runs))
        hours = sum(run.hours for run in runs)
    seen = np.array(counts) > 0
    slope, intercept = np.polyfit(
        np.log(np.array(FACTORS)[seen]), np.log(np.array(counts)[seen] / hours * 24.0), 1
    )
    return Tail(float(np.exp(intercept / -slope)), float(-slope), hours, tuple(counts))


def measured_anew(scored: Sequence[ScoredRecord], tail: Tail) -> list[ScoredRecord]:
    """The same records, the calibrated ones by the threshold for one false alarm a day."""
    return [
        replace(record, threshold=tail.factor_at_one_a_day * _level(record))
        if record.baseline is not None
        else record
        for record in scored
    ]


def _level(record: ScoredRecord) -> float:
    return calibration_level(record.errors[record.teaching])


def recall_curve(scored: Sequence[ScoredRecord]) -> list[float]:
    """The share of ventricular beats above each of `ERRORS`, each patient weighing alike."""
    per_patient = []
    for record in scored:
        errors = record.errors[record.later & (record.beats.classes == "V")]
        if len(errors) >= 10:
            per_patient.append([(errors > level).mean() for level in ERRORS])
    return [round(float(share), 4) for share in np.mean(per_patient, axis=0)]


def write(tail: Tail, recall: Sequence[float], path: Path = MEASURED) -> None:
    """The module that the monitor reads them from."""
    path.write_text(
        f'''"""What a threshold costs, as `python -m training validate` measured and wrote it."""

from __future__ import annotations

FACTOR_AT_ONE_A_DAY = {tail.factor_at_one_a_day:.3f}
"""Threshold in units of the calibration's level for one false alarm a day."""

TAIL_EXPONENT = {tail.exponent:.2f}
"""False alarms a day fall with this power of the factor."""

RECALL_ERRORS = {ERRORS}
RECALL = {tuple(recall)}
"""The share of the training patients' ventricular beats (each patient weighs the same) whose error
exceeded each of `RECALL_ERRORS`."""
''',
        encoding="utf-8",
    )

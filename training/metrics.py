"""What the scores are worth, in the numbers that the field compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bedside.anomaly.episode import EpisodeRule
from training.replay import ScoredRecord

FALSE_POSITIVES = 0.01
K, N = 3, 10

Array = NDArray[np.float64]


def pooled(records: Sequence[ScoredRecord], letters: str, errors: Sequence[Array]) -> Array:
    """The errors, after the first five minutes, of all beats of these classes, shape (n,)."""
    return np.concatenate(
        [
            error[record.later & np.isin(record.beats.classes, list(letters))]
            for record, error in zip(records, errors, strict=True)
        ]
    )


def auroc(normal: Array, abnormal: Array) -> float:
    """Area under the ROC curve of abnormal (n,) against normal errors (m,); NaN without either."""
    if len(normal) == 0 or len(abnormal) == 0:
        return float("nan")
    truth = np.concatenate((np.zeros(len(normal)), np.ones(len(abnormal))))
    return float(roc_auc_score(truth, np.concatenate((normal, abnormal))))


def recall_at(normal: Array, abnormal: Array, false_positives: float = FALSE_POSITIVES) -> float:
    """The share of abnormal errors above the level that this share of normal errors exceeds."""
    return float((abnormal > np.quantile(normal, 1.0 - false_positives)).mean())


def beat_table(records: Sequence[ScoredRecord], errors: Sequence[Array]) -> dict[str, float]:
    """The pooled numbers of one way to score: AUROC and recall of ventricular beats."""
    normal = pooled(records, "N", errors)
    without = [number for number, record in enumerate(records) if record.beats.record != "232"]
    records_without = [records[number] for number in without]
    errors_without = [errors[number] for number in without]
    hits, ventricular = 0, 0
    for record, error in zip(records, errors, strict=True):
        own_normal = pooled([record], "N", [error])
        own_v = pooled([record], "V", [error])
        if len(own_v) and len(own_normal):
            hits += round(recall_at(own_normal, own_v) * len(own_v))
            ventricular += len(own_v)
    return {
        "auroc_v": auroc(normal, pooled(records, "V", errors)),
        "auroc_s": auroc(normal, pooled(records, "S", errors)),
        "auroc_f": auroc(normal, pooled(records, "F", errors)),
        "auroc_all": auroc(normal, pooled(records, "VSFQ", errors)),
        "auroc_all_without_232": auroc(
            pooled(records_without, "N", errors_without),
            pooled(records_without, "VSFQ", errors_without),
        ),
        "v_recall_at_1pct_pooled": recall_at(normal, pooled(records, "V", errors)),
        "v_recall_at_1pct_own": hits / max(ventricular, 1),
    }


@dataclass(frozen=True)
class Alarms:
    """`abnormal-beats` alarms of one record after its first five minutes.

    `confirmed` had at least three beats that are not normal among the last ten, by the reference.
    `stretches` have at least three ventricular beats in ten; `found` of them had an alarm.
    """

    hours: float
    alarms: int
    confirmed: int
    stretches: int
    found: int

    @property
    def false(self) -> int:
        """Alarms that the reference does not confirm."""
        return self.alarms - self.confirmed


def alarms(record: ScoredRecord) -> Alarms:
    """Run the episode rule of the monitor over a record."""
    beats = record.beats
    rule = EpisodeRule(K, N)
    present = np.zeros(len(beats.time_s), dtype=bool)
    started, confirmed, before = 0, 0, False
    strange = beats.classes != "N"
    for number in np.flatnonzero(record.later):
        if beats.usable[number]:
            seen = rule.add(bool(record.abnormal[number]), round(beats.time_s[number] * 1e6))
            before, was = seen.present, before
            if seen.present and not was:
                started += 1
                confirmed += int(strange[max(0, number - N + 1) : number + 1].sum() >= K)
        present[number] = before
    dense = np.convolve(beats.classes == "V", np.ones(N), "full")[: len(strange)] >= K
    dense &= record.later
    edges = np.flatnonzero(np.diff(np.concatenate(([0], dense.astype(int), [0]))))
    stretches = edges.reshape(-1, 2)
    found = sum(bool(present[first:last].any()) for first, last in stretches)
    hours = (beats.time_s[-1] - beats.time_s[record.later][0]) / 3600.0
    return Alarms(float(hours), started, confirmed, len(stretches), found)


def template_errors(record: ScoredRecord, with_prematurity: bool = True) -> Array:
    """The plain patient template that the model is compared with, shape (n,).

    Mean absolute distance to the median beat of the first five minutes in units of its amplitude,
    aligned within ±32 ms, plus 0.3 × prematurity.
    """
    from bedside.anomaly.alignment import aligned

    beats = record.beats
    template = np.median(beats.windows_mv[~record.later], axis=0)
    apart = np.abs(beats.windows_mv - aligned(template, beats.windows_mv)).mean(axis=1)
    early = np.maximum([one.prematurity for one in beats.timing], 0) if with_prematurity else 0.0
    return np.asarray(apart / np.abs(template).max() + 0.3 * early, dtype=np.float64)

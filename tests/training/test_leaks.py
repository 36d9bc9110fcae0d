"""The test set must not leak into training, nor the label into the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from bedside.anomaly.autoencoder import Autoencoder
from training import datasets
from training.datasets import DataError, RecordBeats
from training.kaggle import SAMPLES, Rows
from training.metrics import auroc, pooled
from training.original import reproduce
from training.replay import replay


def test_the_split_that_trains_shares_no_patient_with_the_test() -> None:
    datasets.require_no_shared_patient(datasets.TRAIN, datasets.DS2)
    datasets.require_no_shared_patient(datasets.NSRDB_TRAIN, datasets.NSRDB_MEASURE)


def test_the_standard_split_is_refused_because_201_and_202_are_one_person() -> None:
    with pytest.raises(DataError, match="201"):
        datasets.require_no_shared_patient(datasets.DS1, datasets.DS2)


def test_a_record_on_both_sides_is_refused() -> None:
    with pytest.raises(DataError, match="both sides"):
        datasets.require_no_shared_patient((*datasets.TRAIN, "100"), datasets.DS2)


def test_a_label_column_in_the_input_is_refused() -> None:
    with pytest.raises(DataError, match="label column"):
        Rows(np.zeros((4, SAMPLES + 1), dtype=np.float32), np.zeros(4, dtype=np.int64))


def test_a_label_in_the_input_tells_rows_apart_that_are_alike() -> None:
    """Normal and abnormal rows come from one distribution: without the label nothing tells them."""
    rng = np.random.default_rng(1)
    bump = np.exp(-0.5 * ((np.arange(SAMPLES) - 60) / 8.0) ** 2)
    beats = np.clip(bump + rng.normal(0, 0.02, (600, SAMPLES)), 0, 1).astype(np.float32)
    rows = Rows(beats, np.repeat([0, 1], [400, 200]))
    leaked = reproduce(rows, label_in_input=True, epochs=4).best
    honest = reproduce(rows, label_in_input=False, epochs=4).best
    assert leaked.recall > 0.9
    assert honest.recall < 0.3


@pytest.fixture(scope="module")
def record_119(ecg_data: Path) -> RecordBeats:
    """A training record with many ventricular beats, seven minutes of it."""
    beats = datasets.record_beats(ecg_data / "mitdb", "119")
    return beats.part(beats.time_s < 720)


def test_shuffled_labels_score_no_better_than_chance(record_119: RecordBeats) -> None:
    """Were the labels to reach the score by any way, shuffling them would not undo it."""
    scored = replay(Autoencoder.load(), record_119)
    errors = scored.errors[scored.later]
    truth = record_119.classes[scored.later]
    shuffled = np.random.default_rng(1).permutation(truth)
    assert auroc(errors[truth == "N"], errors[truth == "V"]) > 0.95
    assert abs(auroc(errors[shuffled == "N"], errors[shuffled == "V"]) - 0.5) < 0.1


def test_the_reference_takes_no_part_in_calibration_and_scores(record_119: RecordBeats) -> None:
    scored = replay(Autoencoder.load(), record_119)
    wrong = RecordBeats(
        record_119.record,
        record_119.lead,
        record_119.windows_mv,
        np.full_like(record_119.classes, "N"),
        record_119.time_s,
        record_119.timing,
        record_119.usable,
    )
    again = replay(Autoencoder.load(), wrong)
    assert (again.errors == scored.errors).all()
    assert again.threshold == scored.threshold
    assert len(pooled([again], "V", [again.errors])) == 0

"""Kaggle's files are read with the label apart, and refused by name and row when they are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from training.datasets import DataError
from training.kaggle import SAMPLES, read_rows
from training.recipe import mitbih_rows, ptb_rows


def write(path: Path, rows: list[list[object]]) -> Path:
    """A file without a header, as Kaggle's."""
    path.write_text("\n".join(",".join(str(cell) for cell in row) for row in rows) + "\n")
    return path


def row(label: object = 0.0) -> list[object]:
    """A good row."""
    return [*([0.5] * SAMPLES), label]


def test_the_label_is_no_part_of_the_heartbeat(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path / "ptbdb_abnormal.csv", [row(1.0), row(1.0)]))
    assert rows.beats.shape == (2, SAMPLES)
    assert (rows.beats == 0.5).all()
    assert (rows.labels == 1).all()


@pytest.mark.parametrize(
    ("name", "second_row", "words"),
    [
        ("ptbdb_normal.csv", row()[1:], "187 columns"),
        ("ptbdb_normal.csv", [*row(), 0.0], "189 columns"),
        ("ptbdb_normal.csv", ["beat", *row()[1:]], "could not convert"),
        ("ptbdb_normal.csv", ["nan", *row()[1:]], "finite"),
        ("ptbdb_normal.csv", [1.5, *row()[1:]], "outside 0 to 1"),
        ("ptbdb_normal.csv", row(1.0), "no label of this file"),
        ("ptbdb_abnormal.csv", row(0.0), "no label of this file"),
        ("mitbih_test.csv", row(5.0), "no label of this file"),
        ("mitbih_test.csv", row(0.5), "no label of this file"),
    ],
)
def test_a_wrong_row_is_refused_by_name_and_number(
    name: str, second_row: list[object], words: str, tmp_path: Path
) -> None:
    good = row(1.0 if "abnormal" in name else 0.0)
    path = write(tmp_path / name, [good, second_row])
    with pytest.raises(DataError, match=rf"{name}, row 2: .*{words}"):
        read_rows(path)


def test_a_missing_or_unknown_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "ptbdb_normal.csv")
    with pytest.raises(DataError, match="none of"):
        read_rows(tmp_path / "heartbeats.csv")


def test_kaggles_own_rows_are_read(ecg_data: Path) -> None:
    rows = read_rows(ecg_data / "kaggle" / "mitbih_test_rows_1_999.csv", frozenset({0}))
    assert rows.beats.shape == (999, SAMPLES)


def test_rows_built_by_the_recipe_look_like_kaggles(ecg_data: Path) -> None:
    """Rows of six records: nearest of them to each of Kaggle's real rows, from any of 47 people."""
    real = read_rows(ecg_data / "kaggle" / "mitbih_test_rows_1_999.csv", frozenset({0})).beats
    records = ("101", "106", "112", "115", "122", "230")
    built = np.concatenate([mitbih_rows(ecg_data / "mitdb", r).beats for r in records])[::10]
    lengths = [(rows != 0).cumsum(axis=1).argmax(axis=1) for rows in (real, built)]
    assert abs(np.median(lengths[0]) - np.median(lengths[1])) < 20
    assert (built.max(axis=1) == 1).all()
    assert (real.max(axis=1) == 1).all()
    nearest = np.array([np.abs(built - one).mean(axis=1).min() for one in real[::10]])
    assert np.median(nearest) < 0.05


def test_ptb_rows_are_of_healthy_people_and_of_infarctions(ecg_data: Path) -> None:
    rows, patients = ptb_rows(ecg_data / "ptbdb")
    assert set(rows.labels) == {0, 1}
    assert not {"patient248", "patient249", "patient250"} & set(patients)
    for patient in set(patients):
        assert len(set(rows.labels[patients == patient])) == 1

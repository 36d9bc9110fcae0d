"""`analyze`: the three files it writes, and that nothing in them depends on the run."""

from __future__ import annotations

import csv
import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bedside import analysis
from bedside.analysis import Analysis
from bedside.errors import RecordError
from tests.records import BUNDLED


@pytest.fixture(scope="module")
def bundled() -> Analysis:
    return analysis.analyze(BUNDLED, calibrate_s=120)


def test_two_runs_write_the_same_bytes(bundled: Analysis, tmp_path: Path) -> None:
    again = analysis.analyze(BUNDLED, calibrate_s=120)
    first = analysis.write(bundled, tmp_path / "first")
    second = analysis.write(again, tmp_path / "second")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_every_beat_stands_in_both_files_with_its_score(bundled: Analysis, tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb", reason="needs the extra records")
    _, table, _ = analysis.write(bundled, tmp_path)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    annotation = wfdb.rdann(str(tmp_path / "208"), "bed")
    assert annotation.sample.tolist() == [int(row["sample"]) for row in rows]
    assert annotation.symbol == [row["class"] for row in rows]
    assert all(float(row["score"]) >= 0 for row in rows)
    assert all(0 <= float(row["quality"]) <= 1 for row in rows)
    rate = bundled.rate_hz
    for before, row in pairwise(rows):
        assert float(row["time_s"]) == pytest.approx(int(row["sample"]) / rate, abs=1e-6)
        apart_s = (int(row["sample"]) - int(before["sample"])) / rate
        assert float(row["rr_s"]) == pytest.approx(apart_s, abs=2 / rate)


def test_transitions_carry_the_records_own_time(bundled: Analysis, tmp_path: Path) -> None:
    _, _, events = analysis.write(bundled, tmp_path)
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert lines, "208 is full of ventricular beats"
    for line in lines:
        assert {"id", "code", "priority", "state", "at_s", "onset_s", "active_s"} <= line.keys()
        assert 0 <= line["onset_s"] <= line["at_s"] <= bundled.duration_s
    ids = [line["id"] for line in lines if line["state"] == "active"]
    assert len(ids) == len(set(ids))


def test_a_refused_calibration_says_why_and_lasts_until_a_later_stretch_is_fit(
    tmp_path: Path,
) -> None:
    real = np.fromfile(BUNDLED.with_suffix(".dat"), dtype="<i2")
    lead_away = np.zeros(250 * 60, dtype="<i2")
    np.concatenate((lead_away, real)).tofile(tmp_path / "late.dat")
    samples = len(lead_away) + len(real)
    (tmp_path / "late.hea").write_text(f"late 1 250 {samples}\nlate.dat 16 200 16 0 0 0 0 II\n")
    (tmp_path / "flat.hea").write_text("flat 1 250 15000\nflat.dat 16 200 16 0 0 0 0 II\n")
    lead_away.tofile(tmp_path / "flat.dat")

    flat = analysis.analyze(tmp_path / "flat", calibrate_s=30)
    assert flat.summary()["calibration"].startswith("refused: ")
    assert flat.summary()["calibrated_at_s"] is None

    late = analysis.analyze(tmp_path / "late", calibrate_s=40)
    calibrated_at_s = late.summary()["calibrated_at_s"]
    assert calibrated_at_s >= 100
    for beat, score in late.beats:
        if beat.time_us < calibrated_at_s * 1e6 - 2e6:
            assert score.threshold is None
            assert score.gauge_threshold > 0


@pytest.mark.parametrize("name", ["missing", "folder", "empty", "text", "short"])
def test_an_unreadable_record_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.hea").mkdir()
    (tmp_path / "empty.hea").write_bytes(b"")
    (tmp_path / "text.hea").write_bytes(os.urandom(200))
    (tmp_path / "short.hea").write_text("short 1 250 500\nshort.dat 16 200 16 0 0 0 0 II\n")
    with pytest.raises(RecordError) as refusal:
        analysis.analyze(tmp_path / name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("rate_hz", [50, 2000])
def test_a_rate_that_no_node_has_is_refused(tmp_path: Path, rate_hz: int) -> None:
    np.zeros(5000, dtype="<i2").tofile(tmp_path / "odd.dat")
    (tmp_path / "odd.hea").write_text(f"odd 1 {rate_hz} 5000\nodd.dat 16 200 16 0 0 0 0 II\n")
    with pytest.raises(RecordError, match="100 to 1000 Hz"):
        analysis.analyze(tmp_path / "odd")


def test_the_trend_is_drawn_in_plain_text(bundled: Analysis) -> None:
    from bedside.plots import trend

    drawn = trend(bundled)
    assert "heart rate" in drawn
    assert "\x1b" not in drawn
    assert len(drawn.splitlines()) >= 20


def test_beats_of_a_record_at_another_rate_are_reported_at_its_own_samples(
    ecg_data: Path, tmp_path: Path
) -> None:
    wfdb = pytest.importorskip("wfdb", reason="needs the extra records")
    found = analysis.analyze(ecg_data / "mitdb" / "100")
    reference = wfdb.rdann(str(ecg_data / "mitdb" / "100"), "atr")
    beats = reference.sample[np.isin(reference.symbol, list("NAVLRJSFeEj/fQ"))]
    ours = np.array([beat.sample for beat, _ in found.beats])
    apart = np.abs(ours[np.clip(np.searchsorted(ours, beats), 1, len(ours) - 1)] - beats)
    before = np.abs(ours[np.clip(np.searchsorted(ours, beats), 1, len(ours) - 1) - 1] - beats)
    nearest = np.minimum(apart, before)
    assert np.mean(nearest <= 0.15 * 360) > 0.995
    assert np.median(nearest) <= 3

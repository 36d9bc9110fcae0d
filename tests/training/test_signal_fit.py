from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("wfdb")

from training import signal_fit
from training.signal import Count, joined
from training.signal_data import synthetic


def test_the_fit_learns_what_no_straight_line_separates() -> None:
    rng = np.random.default_rng(0)
    evidence = rng.normal(size=(400, 2))
    classes = (evidence[:, 0] * evidence[:, 1] > 0).astype(np.int64)
    start = signal_fit.random_layers(2, 8, 1)
    layers = signal_fit.fit((evidence, classes, np.ones(400)), start, 1e-4, 200)
    output = np.tanh(evidence @ layers[0].T + layers[1]) @ layers[2].T + layers[3]
    assert np.mean((output[:, 0] > 0) == classes) > 0.95


def test_written_weights_read_back_as_they_were(tmp_path: Path) -> None:
    layers = [
        np.arange(6.0).reshape(2, 3),
        np.array([0.5, -0.25]),
        np.ones((1, 2)),
        np.array([1.5]),
    ]
    path = tmp_path / "weights.py"
    signal_fit.write(path, ("A", "B", "C", "D"), layers, "Some weights")
    read: dict[str, object] = {}
    exec(path.read_text(encoding="utf-8"), read)
    assert np.array_equal(read["A"], layers[0])
    assert np.array_equal(read["B"], layers[1])
    assert np.array_equal(read["C"], layers[2][0])
    assert read["D"] == 1.5


def test_a_synthetic_lesson_peaks_where_it_says() -> None:
    given = synthetic(np.random.default_rng(4), seconds=20.0)
    assert len(given.peaks) == len(given.classes) > 3
    assert given.signal_mv.shape == (5000,)


def test_counts_are_reported_in_per_cent() -> None:
    report = Count(tp=90, fp=10, fn=30).report()
    assert (report["se"], report["ppv"]) == (75.0, 90.0)
    assert report["f1"] == pytest.approx(81.818, abs=1e-3)


def test_episodes_of_a_kind_that_touch_are_one() -> None:
    together = joined([(10.0, 12.0, "vt"), (12.5, 15.0, "vt"), (12.5, 14.0, "vf")])
    assert together == [(10.0, 15.0, "vt"), (12.5, 14.0, "vf")]

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("wfdb")

import torch

from bedside.ecg import qrs_net
from bedside.events import WINDOW_RATE_HZ
from tests.ecg.heartbeats import heart, steady
from training import qrs_fit, qrs_lessons
from training.changed_beats import (
    with_early_wide_beats,
    with_pacing_pulses,
    with_tall_t_waves,
    without_some_beats,
)
from training.datasets import DataError
from training.motion_noise import motion
from training.qrs_lessons import Stretch
from training.signal_data import synthetic
from training.tachycardia import even_beats, made_wide_beat, with_a_run
from training.worn_noise import worn_noise


def test_the_target_speaks_of_a_beat_as_late_as_the_network_does() -> None:
    peak = 1002.0
    length = qrs_lessons.LENGTH
    likely, weight = qrs_fit.target(
        Stretch(np.zeros(length), np.array([peak]), np.ones(length, bool))
    )
    assert np.argmax(likely) == peak // qrs_net.FRAME + qrs_net.LOOKAHEAD
    assert likely.max() > 0.9
    assert likely.sum() == pytest.approx(1.88, abs=0.05)
    assert weight[qrs_net.LOOKAHEAD :].all()


def test_what_is_shipped_is_what_was_trained_rounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    net = qrs_fit.TrainedNet()
    path = tmp_path / "weights.py"
    qrs_fit.write(path, qrs_fit.whole(net))
    read: dict[str, object] = {}
    exec(path.read_text(encoding="utf-8"), read)
    monkeypatch.setattr(qrs_net.qrs_weights, "WEIGHTS", read["WEIGHTS"])
    first, layers, last = qrs_net._unpacked()
    for name, value in (("_FIRST", first), ("_LAYERS", layers), ("_LAST", last)):
        monkeypatch.setattr(qrs_net, name, value)
    signal_mv = synthetic(np.random.default_rng(4), seconds=20.0).signal_mv
    changes = qrs_net.INPUT_UNIT * qrs_net.Changes().process(signal_mv)
    with torch.no_grad():
        expected = net(torch.from_numpy(changes[None]))[0].numpy()
    assert qrs_net.QrsNet().process(signal_mv) == pytest.approx(expected, abs=0.2)


def test_training_lowers_the_loss(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qrs_fit, "CHECKPOINT", tmp_path / "net.pt")
    given, length = synthetic(np.random.default_rng(4), seconds=41.0), 20 * 250
    stretch = Stretch(
        given.signal_mv[:length], given.peaks[given.peaks < length], np.ones(length, bool)
    )
    torch.manual_seed(0)
    net = qrs_fit.trained(qrs_fit.TrainedNet(), [qrs_fit.batch([stretch])] * 100, 100)
    assert float(capsys.readouterr().out.split()[1].rstrip(",")) < 0.3
    assert torch.load(tmp_path / "net.pt").keys() == net.state_dict().keys()


def test_beats_left_out_leave_a_line_where_they_were() -> None:
    given = synthetic(np.random.default_rng(4), seconds=120.0)
    changed, peaks = without_some_beats(given.signal_mv, given.peaks, 1.0, np.random.default_rng(0))
    gone = sorted(set(given.peaks) - set(peaks))
    assert gone
    for peak in gone:
        around = slice(int(peak) - 5, int(peak) + 5)
        assert np.ptp(changed[around]) < 0.5 * np.ptp(given.signal_mv[around])


def test_a_run_of_wide_beats_replaces_the_rhythm_where_it_says_so() -> None:
    given = synthetic(np.random.default_rng(4), seconds=60.0)
    rng = np.random.default_rng(5)
    changed, peaks = with_a_run(given.signal_mv, given.peaks, 10.0 * made_wide_beat(rng), rng)
    new = np.array(sorted(set(peaks) - set(given.peaks)))
    assert len(new) >= 3
    assert 100.0 * 0.8 < 60.0 * 250.0 / np.median(np.diff(new)) < 300.0 * 1.2
    assert all(np.ptp(changed[int(at) - 20 : int(at) + 20]) > 4.0 for at in new)
    before = slice(0, int(new[0]) - 60)
    assert np.array_equal(changed[before], given.signal_mv[before])


def test_even_beats_are_told_from_two_leads_and_doubtful_ones_are_not() -> None:
    peaks = steady(180, 30)
    x = heart(peaks, 30)
    noise = np.random.default_rng(3).normal(0.0, 1.0, (2, 30 * 250))
    found, sure = even_beats(np.array((x, -0.5 * x)))
    inside = peaks[sure[peaks]]
    assert sure.mean() > 0.8
    assert found[np.isin(np.round(found), np.arange(inside[0] - 9, inside[-1] + 9))] == (
        pytest.approx(inside, abs=8)
    )
    assert even_beats(noise)[1].mean() < 0.2


def test_tall_t_waves_and_pulses_add_no_beat_and_change_the_signal() -> None:
    given = synthetic(np.random.default_rng(4), seconds=20.0)
    for change in (with_tall_t_waves, with_pacing_pulses):
        changed = change(given.signal_mv, given.peaks, 1.0, np.random.default_rng(1))
        assert changed.shape == given.signal_mv.shape
        assert not np.array_equal(changed, given.signal_mv)


def test_motion_noise_has_unit_size_and_the_same_seed_makes_the_same() -> None:
    noise = motion(5000, np.random.default_rng(2))
    assert noise.std() == pytest.approx(1.0, rel=1e-4)
    assert np.array_equal(noise, motion(5000, np.random.default_rng(2)))


def test_noise_is_as_large_as_nst_counts_it_whatever_it_drifts_by() -> None:
    t = np.arange(40 * 250) / 250
    drift = 5.0 * np.sin(2.0 * np.pi * t / 120.0)
    wave = np.sqrt(2.0) * np.sin(2.0 * np.pi * 5.0 * t)
    assert qrs_lessons.size(wave) == pytest.approx(1.0, rel=1e-3)
    assert qrs_lessons.size(wave + drift) == pytest.approx(1.0, rel=0.02)
    assert (wave + drift).std() > 1.8


def test_the_people_of_the_noise_stress_records_teach_nothing() -> None:
    assert set(qrs_lessons.NOISE_STRESS) == {"118", "119"}


def steepest(ecg_mv: np.ndarray, at: float) -> float:
    near = ecg_mv[int(at) - 20 : int(at) + 20]
    return float(np.abs(near[3:] - near[:-3]).max())


def test_early_wide_beats_stand_in_the_signal_and_are_as_steep_as_a_complex() -> None:
    given = synthetic(np.random.default_rng(4), seconds=60.0)
    rng = np.random.default_rng(2)
    changed, peaks = with_early_wide_beats(
        given.signal_mv, given.peaks, 0.01 * made_wide_beat(rng), rng
    )
    new = sorted(set(peaks) - set(given.peaks))
    gone = set(given.peaks) - set(peaks)
    assert len(gone) >= len(new) >= 3
    own = np.median([steepest(given.signal_mv, at) for at in given.peaks[1:-1]])
    for at in new:
        assert steepest(changed, at) > 0.3 * own
        assert min(at - peak for peak in peaks if peak < at) > 0.2 * WINDOW_RATE_HZ


def test_the_edges_of_a_recorders_square_wave_are_beats() -> None:
    wave, edges = qrs_lessons.calibration_pulses(np.random.default_rng(3))
    inside = edges[(edges > 10) & (edges < len(wave) - 10)].astype(int)
    steps = np.abs(wave[inside + 3] - wave[inside - 3])
    assert steps.min() > 0.5
    assert np.ptp(np.diff(edges)) == 0


def test_noise_of_a_worn_front_end_holds_its_motion_and_no_heart(tmp_path: Path) -> None:
    peaks = steady(75, 120)
    t = np.arange(120 * 250) / 250
    motion_mv = 0.8 * np.sin(2.0 * np.pi * 0.7 * t) * (np.sin(2.0 * np.pi * 0.05 * t) > 0.5)
    path = tmp_path / "worn.npz"
    np.savez(path, x=(heart(peaks, 120) + motion_mv).astype(np.float32), fs=250.0)
    left = worn_noise(path)
    still = np.abs(motion_mv) < 1e-9
    away = np.ones(len(left), bool)
    for edge in np.flatnonzero(np.diff(still)):
        away[max(0, edge - 150) : edge + 150] = False
    assert np.ptp(left[still & away][500:-500]) < 0.3 < np.ptp(heart(peaks, 120))
    assert np.corrcoef(left, motion_mv)[0, 1] > 0.9


def test_a_recording_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="worn"):
        worn_noise(tmp_path / "motion.npz")

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("wfdb")

import torch

from bedside.ecg import qrs_net
from training import qrs_fit, qrs_lessons
from training.motion_noise import motion
from training.qrs_lessons import Stretch
from training.signal_data import synthetic


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
    monkeypatch.setattr(qrs_net.qrs_weights, "PACKED", read["PACKED"])
    first, layers, last = qrs_net._unpacked()
    for name, value in (("_FIRST", first), ("_LAYERS", layers), ("_LAST", last)):
        monkeypatch.setattr(qrs_net, name, value)
    signal_mv = synthetic(np.random.default_rng(4), seconds=20.0).signal_mv
    changes = qrs_net.INPUT_UNIT * qrs_net.Changes().process(signal_mv)
    with torch.no_grad():
        expected = net(torch.from_numpy(changes[None]))[0].numpy()
    assert qrs_net.QrsNet().process(signal_mv) == pytest.approx(expected, abs=0.2)


def test_a_step_of_training_lowers_the_loss(capsys: pytest.CaptureFixture[str]) -> None:
    class One:
        """Always the same stretch."""

        def draw(self) -> Stretch:
            given = synthetic(np.random.default_rng(4), seconds=41.0)
            length = qrs_lessons.LENGTH
            inside = given.peaks < length
            return Stretch(given.signal_mv[:length], given.peaks[inside], np.ones(length, bool))

    torch.manual_seed(0)
    net = qrs_fit.TrainedNet()
    qrs_fit.run_cycle(net, One(), 50, 1, 4e-3)
    loss = float(capsys.readouterr().out.split()[1].rstrip(","))
    assert loss < 0.3


def test_beats_left_out_leave_a_line_where_they_were() -> None:
    given = synthetic(np.random.default_rng(4), seconds=120.0)
    changed, peaks = qrs_lessons.without_some_beats(
        given.signal_mv, given.peaks, 1.0, np.random.default_rng(0)
    )
    gone = sorted(set(given.peaks) - set(peaks))
    assert gone
    for peak in gone:
        around = slice(int(peak) - 5, int(peak) + 5)
        assert np.ptp(changed[around]) < 0.5 * np.ptp(given.signal_mv[around])


def test_tall_t_waves_and_pulses_add_no_beat_and_change_the_signal() -> None:
    given = synthetic(np.random.default_rng(4), seconds=20.0)
    for change in (qrs_lessons.with_tall_t_waves, qrs_lessons.with_pacing_pulses):
        changed = change(given.signal_mv, given.peaks, 1.0, np.random.default_rng(1))
        assert changed.shape == given.signal_mv.shape
        assert not np.array_equal(changed, given.signal_mv)


def test_motion_noise_has_unit_size_and_the_same_seed_makes_the_same() -> None:
    noise = motion(5000, np.random.default_rng(2))
    assert noise.std() == pytest.approx(1.0, rel=1e-4)
    assert np.array_equal(noise, motion(5000, np.random.default_rng(2)))


def test_the_people_of_the_noise_stress_records_teach_nothing() -> None:
    assert set(qrs_lessons.NOISE_STRESS) == {"118", "119"}

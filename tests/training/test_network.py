"""The network, its corrupted beats and its exported file."""
# ruff: noqa: E402

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from bedside.anomaly.alignment import aligned
from bedside.anomaly.autoencoder import IN_CHECKOUT, Autoencoder
from bedside.anomaly.baseline import Baseline
from bedside.errors import ModelError
from bedside.events import BeatWindow
from training import demo
from training.corruption import corrupt
from training.evaluate import quantised
from training.export import MOST_APART, disagreement, example_inputs, export
from training.network import Network, NetworkSize, align


@pytest.fixture(scope="module")
def network() -> Network:
    """A network that has learned nothing."""
    torch.manual_seed(1)
    return Network(NetworkSize()).eval()


def test_the_exported_file_gives_what_torch_gives(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(network, path, population_threshold=0.2, training_data="none")
    for beats in (1, 7, 64):
        assert disagreement(network, path, example_inputs(beats, seed=beats)) <= MOST_APART


def test_the_exported_file_tells_the_runtime_what_it_is(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(network, path, population_threshold=0.2, training_data="abc")
    autoencoder = Autoencoder.load(path)
    assert autoencoder.population_threshold == 0.2
    assert autoencoder.training_data == "abc"


def test_an_unusable_population_threshold_is_refused_by_the_runtime(
    network: Network, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export(network, path, population_threshold=0.0, training_data="abc")
    with pytest.raises(ModelError):
        Autoencoder.load(path)


def test_the_shipped_model_is_small() -> None:
    assert IN_CHECKOUT.stat().st_size <= 300_000


@pytest.fixture(scope="module")
def bundled() -> tuple[list[BeatWindow], Baseline]:
    """The real beats of the bundled record, and what they are measured against."""
    stored = json.loads((demo.RECORDS / "demo_baseline.json").read_text(encoding="utf-8"))
    return demo.beats_of(demo.RECORDS / "208"), Baseline.from_json(stored)


def test_int8_weights_change_the_errors_of_real_beats(
    bundled: tuple[list[BeatWindow], Baseline],
) -> None:
    """By some percent: smaller, and not the same. The card says what that costs on DS2."""
    beats, baseline = bundled
    small, size = quantised(IN_CHECKOUT)
    assert size < 0.5 * IN_CHECKOUT.stat().st_size
    shapes = [
        np.array([score.shape_error for score in model.score(beats, baseline)])
        for model in (Autoencoder.load(IN_CHECKOUT), small)
    ]
    assert len(beats) > 400
    assert np.ptp(shapes[0]) > 0.2
    apart = np.abs(shapes[1] - shapes[0]) / shapes[0]
    assert 0.01 < apart.max() < 0.25


@pytest.mark.parametrize("shift", [-8, -3, 0, 5, 8])
def test_the_template_is_moved_to_the_beat(shift: int) -> None:
    """In the network and in the calibration alike."""
    at = np.arange(192)
    template = np.exp(-0.5 * ((at - 80) / 5.0) ** 2)
    beat = np.exp(-0.5 * ((at - 80 - shift) / 5.0) ** 2)
    there = align(
        torch.tensor(beat[None], dtype=torch.float32),
        torch.tensor(template[None], dtype=torch.float32),
    )
    assert there[0].numpy() == pytest.approx(beat, abs=1e-6)
    assert aligned(template, beat[None])[0] == pytest.approx(beat, abs=1e-6)


def test_every_corrupted_beat_differs_from_what_it_was_made_from() -> None:
    rng = np.random.default_rng(1)
    at = np.arange(192)
    beats = np.tile(np.exp(-0.5 * ((at - 80) / 5.0) ** 2), (200, 1))
    strangers = np.tile(-np.exp(-0.5 * ((at - 80) / 20.0) ** 2), (200, 1))
    strange = corrupt(beats, strangers, rng)
    assert np.isfinite(strange).all()
    assert (np.abs(strange - beats).max(axis=1) > 0.05).all()

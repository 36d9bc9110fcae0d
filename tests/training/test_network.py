"""The network, its corrupted beats and its exported file."""
# ruff: noqa: E402

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from bedside.anomaly.alignment import aligned
from bedside.anomaly.autoencoder import IN_CHECKOUT, Autoencoder
from bedside.errors import ModelError
from training.corruption import corrupt
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

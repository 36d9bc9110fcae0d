"""The trained network as an ONNX file with what the runtime must know of it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from bedside.anomaly.autoencoder import FORMAT
from bedside.events import WINDOW_RATE_HZ, WINDOW_SAMPLES
from training.network import Network

OPSET = 17
"""Old enough for onnxruntime 1.20, new enough for every operator here."""

MOST_APART = 1e-4
"""What torch and onnxruntime may differ by, in mV and in units of the error."""

INPUTS = ("window_mv", "template_mv", "spread_mv")
OUTPUTS = ("reconstruction_mv", "shape_error")

Array = NDArray[np.float32]


def export(
    network: Network, path: Path, *, population_threshold: float, training_data: str
) -> None:
    """Write the network to `path`, with a batch dimension that is free."""
    sample = tuple(torch.from_numpy(part) for part in example_inputs(3))
    with warnings.catch_warnings():
        # torch's newer exporter needs a further package for the same graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            sample,
            str(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "beats"} for name in (*INPUTS, *OUTPUTS)},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(
        model,
        {
            "format": FORMAT,
            "window_samples": str(WINDOW_SAMPLES),
            "rate_hz": f"{WINDOW_RATE_HZ:g}",
            "population_threshold": f"{population_threshold:.6g}",
            "training_data": training_data,
            "opset": str(OPSET),
        },
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def disagreement(network: Network, path: Path, inputs: tuple[Array, ...]) -> float:
    """The largest difference between torch and the file at `path`, over both outputs."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    there = session.run(list(OUTPUTS), dict(zip(INPUTS, inputs, strict=True)))
    with torch.no_grad():
        here = network(*(torch.from_numpy(part) for part in inputs))
    return max(
        float(np.abs(a.numpy() - np.asarray(b)).max()) for a, b in zip(here, there, strict=True)
    )


def example_inputs(beats: int, seed: int = 0) -> tuple[Array, ...]:
    """Inputs of the right shapes: a bump and noise around it for each of `beats` beats."""
    rng = np.random.default_rng(seed)
    at = np.arange(WINDOW_SAMPLES)
    bump = np.exp(-0.5 * ((at - 80) / 5.0) ** 2).astype(np.float32)
    template = np.tile(bump, (beats, 1))
    window = template + rng.normal(0, 0.05, template.shape).astype(np.float32)
    spread = np.full_like(template, 0.05)
    return window.astype(np.float32), template, spread

"""Fits the R-peak network: `python -m training.signal_fit qrs`.

The network is trained in floating point and then rounded to whole units. Target and network speak
of the likelihood of a beat in each 20 ms; where it cannot be known, it is to say so.
"""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from bedside.ecg import qrs_net
from bedside.ecg.qrs_net import (
    ACTIVATION_UNIT,
    DILATIONS,
    FRAME,
    INPUT_SAMPLES,
    INPUT_UNIT,
    LARGEST_ACTIVATION,
    LOOKAHEAD,
    TAPS,
    WEIGHT_UNIT,
    Changes,
)
from training.datasets import data_folder
from training.qrs_lessons import Lessons, Stretch

WEIGHTS = Path(qrs_net.__file__).with_name("qrs_weights.py")
CHANNELS = 32
CYCLES = ((1500, 16, 4e-3), (800, 8, 2e-3))
"""Steps, stretches a step and highest learning rate of each rise and fall of that rate."""

SHARPNESS_FRAMES = 0.75
"""The standard deviation of the target around the R peak."""


class TrainedNet(nn.Module):
    """The network of `bedside.ecg.qrs_net` in torch: changes (b, samples) to log odds (b, frames).

    Each convolution begins as "keep what you have", so that depth costs nothing at the start.
    """

    def __init__(self) -> None:
        """Random weights of torch's generator."""
        super().__init__()
        self.first = nn.Conv1d(1, CHANNELS, INPUT_SAMPLES, stride=FRAME)
        self.layers = nn.ModuleList(
            nn.Conv1d(CHANNELS, CHANNELS, TAPS, dilation=dilation) for dilation in DILATIONS
        )
        self.last = nn.Conv1d(CHANNELS, 1, 1)
        with torch.no_grad():
            for layer in self.layers:
                layer.weight *= 0.7
                layer.weight[:, :, TAPS - 1] += torch.eye(CHANNELS)
            self.last.bias.fill_(-4.0)

    def forward(self, changes: torch.Tensor) -> torch.Tensor:
        """Log odds, shape (b, samples / 5)."""
        padded = functional.pad(changes[:, None], (INPUT_SAMPLES - FRAME, 0))
        frames = self.first(padded).clamp(0.0, LARGEST_ACTIVATION)
        for layer, dilation in zip(self.layers, DILATIONS, strict=True):
            padded = functional.pad(frames, ((TAPS - 1) * dilation, 0))
            frames = layer(padded).clamp(0.0, LARGEST_ACTIVATION)
        odds: torch.Tensor = self.last(frames)[:, 0]
        return odds


def target(stretch: Stretch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Likelihood and weight per frame, shape (frames,), as the network is to give them."""
    frames = len(stretch.signal_mv) // FRAME
    likely = np.zeros(frames, np.float32)
    middles = np.arange(frames) + 0.5 - 0.5 / FRAME
    for peak in stretch.peaks / FRAME:
        near = slice(max(0, int(peak) - 3), int(peak) + 5)
        bump = np.exp(-0.5 * ((middles[near] - peak) / SHARPNESS_FRAMES) ** 2)
        likely[near] = np.maximum(likely[near], bump)
    weight = stretch.taught.reshape(-1, FRAME).all(axis=1).astype(np.float32)
    return _later(likely), _later(weight)


def _later(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate((np.zeros(LOOKAHEAD, np.float32), frames[:-LOOKAHEAD]))


def trained(
    lessons: Lessons, cycles: Sequence[tuple[int, int, float]] = CYCLES, seed: int = 0
) -> TrainedNet:
    """Adam with one rise and fall of the learning rate a cycle (Smith and Topin 2019)."""
    torch.manual_seed(seed)
    net = TrainedNet()
    for steps, batch, learning_rate in cycles:
        run_cycle(net, lessons, steps, batch, learning_rate)
    return net


def run_cycle(
    net: TrainedNet, lessons: Lessons, steps: int, batch: int, learning_rate: float
) -> None:
    """One cycle, in place."""
    optimiser = torch.optim.Adam(net.parameters(), lr=learning_rate)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=0.08
    )
    started, losses = time.monotonic(), []
    for step in range(1, steps + 1):
        stretches = [lessons.draw() for _ in range(batch)]
        changes = np.array([INPUT_UNIT * Changes().process(one.signal_mv) for one in stretches])
        likely, weight = zip(*(target(one) for one in stretches), strict=True)
        loss = functional.binary_cross_entropy_with_logits(
            net(torch.from_numpy(changes)),
            torch.from_numpy(np.array(likely)),
            torch.from_numpy(np.array(weight)),
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimiser.step()
        rate.step()
        losses.append(loss.item())
        if step % 50 == 0:
            spent_s = time.monotonic() - started
            print(f"{step}: {np.mean(losses[-50:]):.4f}, {spent_s:.0f} s", flush=True)


def whole(net: TrainedNet) -> dict[str, NDArray[np.int64]]:
    """The weights in whole units, in the order in which `qrs_net` multiplies them.

    `first` (35 + 1, c) and `layers` (7, 3 · c + 1, c) hold the bias in their last row, in units of
    an activation; `last` is (c + 1,).
    """
    state = {name: value.detach().double().numpy() for name, value in net.state_dict().items()}

    def rounded(weights: NDArray[np.float64], bias: NDArray[np.float64]) -> NDArray[np.int64]:
        rows = np.vstack((weights, bias / ACTIVATION_UNIT))
        return np.rint(rows / WEIGHT_UNIT).astype(np.int64)

    first = state["first.weight"][:, 0].T * (INPUT_UNIT / ACTIVATION_UNIT)
    layers = [
        rounded(
            np.vstack([state[f"layers.{n}.weight"][:, :, tap].T for tap in range(TAPS)]),
            state[f"layers.{n}.bias"],
        )
        for n in range(len(DILATIONS))
    ]
    last = rounded(state["last.weight"][:, :, 0].T, state["last.bias"])
    return {
        "first": rounded(first, state["first.bias"]),
        "layers": np.array(layers),
        "last": last[:, 0],
    }


def write(path: Path, weights: dict[str, NDArray[np.int64]]) -> None:
    """A Python file with the weights as compressed text."""
    flat = np.concatenate([part.ravel() for part in weights.values()])
    text = base64.b85encode(zlib.compress(flat.astype("<i4").tobytes(), 9)).decode()
    lines = [text[at : at + 92] for at in range(0, len(text), 92)]
    path.write_text(
        '"""The weights of the R-peak network, fitted by `python -m training.signal_fit qrs`.\n\n'
        "Little-endian 32-bit whole numbers in zlib in base 85: the layers one after the other.\n"
        '"""\n\n'
        f"CHANNELS = {CHANNELS}\n\n"
        "# fmt: off\nPACKED = (\n" + "".join(f'    "{line}"\n' for line in lines) + ")\n",
        encoding="utf-8",
    )


def fit_qrs() -> None:
    """The R-peak detector's weights; about a quarter of an hour of an idle core."""
    write(WEIGHTS, whole(trained(Lessons(data_folder(), seed=0))))

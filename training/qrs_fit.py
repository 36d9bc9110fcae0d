"""Fits the R-peak network: `python -m training.signal_fit qrs`.

The network is trained in floating point and then rounded to whole units. Target and network speak
of the likelihood of a beat in each 20 ms; where it cannot be known, it is to say so.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bedside.ecg import qrs_net
from bedside.ecg.qrs_net import (
    ACTIVATION_UNIT,
    CHANNELS,
    DILATIONS,
    FRAME,
    INPUT_SAMPLES,
    INPUT_UNIT,
    LARGEST_ACTIVATION,
    LOOKAHEAD,
    SPIKE,
    TAPS,
    WEIGHT_UNIT,
    Changes,
    Unspiked,
)
from training.constants import packed_constant, write_constants
from training.datasets import data_folder
from training.qrs_lessons import Floats, Lessons, Stretch

CHECKPOINT = Path(tempfile.gettempdir()) / "qrs_net.pt"
"""What the fit has so far, for who stops it early."""

WEIGHTS = Path(qrs_net.__file__).with_name("qrs_weights.py")
SEED = 0
STEPS, BATCH, LEARNING_RATE = 36000, 6, 2.5e-3
RISE, FALL = 200, 0.6
"""Steps in which the learning rate rises, and the share of steps in which it falls to nothing."""

AVERAGED = 0.995
"""The trained network is the running mean of its weights, with a memory of 200 steps."""

AHEAD = 6
"""Batches of lessons that are drawn ahead, by another process."""

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


Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Changes (b, samples), likelihood and weight (b, frames)."""

_lessons: Lessons | None = None


def _begin(folder: Path, seed: int) -> None:
    global _lessons
    _lessons = Lessons(folder, seed)


def _draw(count: int) -> Batch:
    assert _lessons is not None
    return batch([_lessons.draw() for _ in range(count)])


def batch(stretches: Sequence[Stretch]) -> Batch:
    """Stretches as the network hears them, with what it should say."""
    changes = np.array([INPUT_UNIT * heard(one.signal_mv) for one in stretches])
    likely, weight = zip(*(target(one) for one in stretches), strict=True)
    return changes, np.array(likely), np.array(weight)


def heard(signal_mv: Floats) -> NDArray[np.float32]:
    """The network's input for a whole signal, in whole units, shape (samples,)."""
    edge = signal_mv[[-1] * SPIKE]
    return Changes().process(Unspiked().process(np.concatenate((signal_mv, edge))))


def drawn(folder: Path, seed: int, steps: int) -> Iterator[Batch]:
    """The batches of a whole fit, made by a second process while this one learns."""
    with ProcessPoolExecutor(1, initializer=_begin, initargs=(folder, seed)) as pool:
        coming = deque(pool.submit(_draw, BATCH) for _ in range(min(AHEAD, steps)))
        for step in range(steps):
            if step + AHEAD < steps:
                coming.append(pool.submit(_draw, BATCH))
            yield coming.popleft().result()


def trained(net: TrainedNet, batches: Iterable[Batch], steps: int) -> TrainedNet:
    """Adam at one learning rate that falls at the end; the mean of the last weights is given."""
    mean = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED))
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    fall = max(1.0, FALL * steps)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / RISE, (steps - step) / fall)
    )
    started, losses = time.monotonic(), []
    for step, (changes, likely, weight) in enumerate(batches, 1):
        loss = functional.binary_cross_entropy_with_logits(
            net(torch.from_numpy(changes)), torch.from_numpy(likely), torch.from_numpy(weight)
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimiser.step()
        rate.step()
        mean.update_parameters(net)
        losses.append(loss.item())
        if step % 100 == 0:
            spent_s = time.monotonic() - started
            print(f"{step}: {np.mean(losses[-100:]):.5f}, {spent_s:.0f} s", flush=True)
            torch.save(mean.module.state_dict(), CHECKPOINT)
    averaged: TrainedNet = mean.module
    return averaged


def whole(net: TrainedNet) -> dict[str, NDArray[np.int64]]:
    """The weights in whole units, in the order in which `qrs_net` multiplies them.

    `first` (35 + 1, c) and `layers` (5, 4 · c + 1, c) hold the bias in their last row, in units of
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
    """The Python file of the weights."""
    constant = packed_constant(
        "WEIGHTS",
        np.concatenate([part.ravel() for part in weights.values()]),
        "<i4",
        "In whole units: the layers one after the other, as `qrs_net` takes them apart.",
    )
    write_constants(
        path,
        "The weights of the R-peak network, fitted by `python -m training.signal_fit qrs`.",
        [constant],
    )


def fit_qrs() -> None:
    """The R-peak detector's weights, from random ones, in two processes."""
    torch.manual_seed(SEED)
    write(WEIGHTS, whole(trained(TrainedNet(), drawn(data_folder(), SEED, STEPS), STEPS)))

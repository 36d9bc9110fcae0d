"""The original protocol, step by step, with its label leak and without.

The work that this project started from trained an autoencoder on the normal rows of Kaggle's PTB
files and called a row abnormal when its reconstruction error passed the 95th percentile of the
training errors. Its input had 188 columns: the last was the label. Here the same protocol runs
twice, so that what the label did can be read off.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.kaggle import SAMPLES, Rows

WIDTH = 192
QUANTILE = 0.95
TRAINED_ON = 0.85
EPOCHS = 30
BATCH = 128

Array = NDArray[np.float32]


def _mae(rebuilt: Tensor, row: Tensor) -> Tensor:
    return (rebuilt - row).abs().mean(dim=1)


def _mse(rebuilt: Tensor, row: Tensor) -> Tensor:
    return (rebuilt - row).square().mean(dim=1)


def _huber(rebuilt: Tensor, row: Tensor) -> Tensor:
    return functional.huber_loss(rebuilt, row, reduction="none", delta=0.1).mean(dim=1)


def _cosine(rebuilt: Tensor, row: Tensor) -> Tensor:
    return 1.0 - functional.cosine_similarity(rebuilt, row, dim=1)


LOSSES = {"MAE": _mae, "MSE": _mse, "Huber": _huber, "cosine": _cosine}


@dataclass(frozen=True)
class Outcome:
    """What one loss reached; the confusion counts are of rows, abnormal is positive."""

    loss: str
    label_in_input: bool
    validation_error: float
    threshold: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int


@dataclass(frozen=True, eq=False)
class Run:
    """All losses of one run; `best` by validation error, with its rebuilt test rows (n, width)."""

    outcomes: tuple[Outcome, ...]
    best: Outcome
    shown: Array
    rebuilt: Array
    abnormal: NDArray[np.bool_]


class _Plain(nn.Module):
    """A convolutional autoencoder of rows (n, 192)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv1d(16, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv1d(32, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 24, 24),
        )
        self.widen = nn.Sequential(nn.Linear(24, 32 * 24), nn.ReLU())
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv1d(32, 32, 5, padding=2),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv1d(32, 16, 5, padding=2),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv1d(16, 1, 7, padding=3),
        )

    def forward(self, rows: Tensor) -> Tensor:
        wide = self.widen(self.encoder(rows.unsqueeze(1)))
        rebuilt: Tensor = self.decoder(wide.unflatten(1, (32, 24))).squeeze(1)
        return rebuilt


def reproduce(rows: Rows, *, label_in_input: bool, seed: int = 1, epochs: int = EPOCHS) -> Run:
    """The whole protocol on `rows`, whose label 0 is normal and any other abnormal."""
    table = rows.beats
    if label_in_input:
        table = np.concatenate((table, rows.labels[:, None].astype(np.float32)), axis=1)
    table = np.pad(table, ((0, 0), (0, WIDTH - table.shape[1])))
    rng = np.random.default_rng(seed)
    normal = rng.permutation(np.flatnonzero(rows.labels == 0))
    split = int(TRAINED_ON * len(normal))
    train, validation = table[normal[:split]], table[normal[split:]]
    strange = table[rows.labels != 0]
    test = np.concatenate((validation, strange))
    abnormal = np.arange(len(test)) >= len(validation)
    width = SAMPLES + int(label_in_input)
    outcomes, kept = [], []
    for name, loss in LOSSES.items():
        torch.manual_seed(seed)
        network = _fit(train[:, :WIDTH], width, loss, epochs, rng)
        with torch.no_grad():
            errors = [
                loss(network(part)[:, :width], part[:, :width]).numpy()
                for part in map(torch.from_numpy, (train, validation, test))
            ]
            rebuilt = network(torch.from_numpy(test)).numpy()
        threshold = float(np.quantile(errors[0], QUANTILE))
        called = errors[2] > threshold
        outcomes.append(
            _outcome(name, label_in_input, float(errors[1].mean()), threshold, called, abnormal)
        )
        # Errors of different losses have different units: the best is chosen by one of them.
        kept.append((float(np.abs(rebuilt - test)[~abnormal, :width].mean()), rebuilt))
    best = int(np.argmin([error for error, _ in kept]))
    return Run(tuple(outcomes), outcomes[best], test[:, :width], kept[best][1][:, :width], abnormal)


def _fit(train: Array, width: int, loss: Any, epochs: int, rng: np.random.Generator) -> nn.Module:
    network = _Plain()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    rows = torch.from_numpy(train)
    for _ in range(epochs):
        order = torch.from_numpy(rng.permutation(len(rows)))
        for some in order.split(BATCH):
            missed = loss(network(rows[some])[:, :width], rows[some, :width]).mean()
            optimizer.zero_grad()
            missed.backward()
            optimizer.step()
    return network.eval()


def _outcome(
    loss: str,
    label_in_input: bool,
    validation_error: float,
    threshold: float,
    called: NDArray[np.bool_],
    abnormal: NDArray[np.bool_],
) -> Outcome:
    tp, fp = int((called & abnormal).sum()), int((called & ~abnormal).sum())
    tn, fn = int((~called & ~abnormal).sum()), int((~called & abnormal).sum())
    precision, recall = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
    return Outcome(
        loss,
        label_in_input,
        validation_error,
        threshold,
        accuracy=(tp + tn) / len(abnormal),
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / max(precision + recall, 1e-9),
        true_positive=tp,
        false_positive=fp,
        true_negative=tn,
        false_negative=fn,
    )


def table(runs: dict[str, Run]) -> str:
    """All outcomes as text, a line each; the best of each run by validation error is marked."""
    lines = [
        f"{'run':34s} {'loss':7s} {'accuracy':>8s} {'precision':>9s} {'recall':>7s} {'F1':>6s}"
    ]
    for name, run in runs.items():
        for one in run.outcomes:
            mark = " best" if one == run.best else ""
            lines.append(
                f"{name:34s} {one.loss:7s} {one.accuracy:8.3f} {one.precision:9.3f} "
                f"{one.recall:7.3f} {one.f1:6.3f}  "
                f"TP {one.true_positive} FP {one.false_positive} TN {one.true_negative} "
                f"FN {one.false_negative}{mark}"
            )
    return "\n".join(lines)


def as_json(runs: dict[str, Run]) -> dict[str, Any]:
    """All outcomes for `metrics.json`."""
    return {name: [asdict(one) for one in run.outcomes] for name, run in runs.items()}

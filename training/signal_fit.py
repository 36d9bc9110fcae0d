"""Fits the weights of the signal chain: `python -m training.signal_fit qrs | beats | fibrillation`.

The R-peak network is trained by `training.qrs_fit` and the beat classifier's trees are boosted in
`beat_fit`; the rule for fibrillation weighs a handful of numbers with one small layer. Tests and
measurements see none of the records used here.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bedside.ecg import fibrillation
from bedside.events import Float64Array
from training.beat_fit import fit_beats
from training.datasets import NSRDB_TRAIN, TRAIN, data_folder
from training.qrs_fit import fit_qrs
from training.signal_data import (
    CUDB,
    VFDB,
    Noise,
    at_250_hz,
    lethal_truth,
)

Layers = list[NDArray[np.float64]]
"""Weights and biases: (h, n), (h,), (k, h), (k,)."""

Examples = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]
"""Evidence (m, n), class (m,) and weight (m,) of each."""

ECG = Path(fibrillation.__file__).parent


def fit(examples: Examples, start: Layers, decay: float, steps: int) -> Layers:
    """Logistic regression on one hidden layer (L-BFGS), from `start`; one output or softmax."""
    evidence, classes, weight = (torch.tensor(part) for part in examples)
    weight = weight / weight.mean()
    layers = [torch.tensor(layer, dtype=torch.float64).requires_grad_() for layer in start]
    optimiser = torch.optim.LBFGS(
        layers, max_iter=steps, history_size=20, line_search_fn="strong_wolfe"
    )
    loss_of = torch.nn.functional.cross_entropy

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        output = torch.tanh(evidence @ layers[0].T + layers[1]) @ layers[2].T + layers[3]
        if output.shape[1] == 1:
            output = torch.cat((torch.zeros_like(output), output), dim=1)
        loss = (weight * loss_of(output, classes, reduction="none")).mean()
        loss = loss + decay * sum((layer**2).sum() for layer in layers[::2])
        loss.backward()
        return loss.detach()

    optimiser.step(closure)
    return [layer.detach().numpy() for layer in layers]


def random_layers(evidence: int, hidden: int, outputs: int) -> Layers:
    """A start that breaks the symmetry."""
    rng = np.random.default_rng(0)
    return [
        0.3 * rng.normal(size=(hidden, evidence)),
        np.zeros(hidden),
        0.3 * rng.normal(size=(outputs, hidden)),
        np.zeros(outputs),
    ]


def write(path: Path, names: tuple[str, ...], layers: Layers, what: str) -> None:
    """A Python file of constants; a layer of one row becomes a vector, one bias a number."""
    lines = [f'"""{what}, fitted by `python -m training.signal_fit`."""', ""]
    lines += ["from __future__ import annotations", "", "import numpy as np", "", "# fmt: off"]
    for name, layer in zip(names, layers, strict=True):
        layer = layer[0] if layer.shape[0] == 1 else layer
        if layer.ndim == 0:
            lines += [f"{name} = {float(layer):.3f}", ""]
            continue
        rows = layer if layer.ndim == 2 else layer[None, :]
        text = ["[" + ", ".join(f"{value:.3f}" for value in row) + "]" for row in rows]
        body = text[0] if layer.ndim == 1 else "[" + ", ".join(text) + "]"
        lines += [
            f"{name} = np.array(",
            *textwrap.wrap(body, 96, initial_indent="    ", subsequent_indent="    "),
            ")",
        ]
        lines += [f'"""Shape {layer.shape}."""', ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _windows(signal_mv: Float64Array, truth: NDArray[np.int64]) -> Examples:
    """Windows that fibrillate throughout, count 5, and those that do not; in between: none."""
    evidence, classes, weight = [], [], []
    for verdict in fibrillation.FibrillationRule().process(signal_mv):
        met = fibrillation.describe(verdict.window_mv)
        inside = truth[verdict.position - fibrillation.WINDOW : verdict.position]
        fibrillating = float((inside == 1).mean())
        if met is None or (fibrillating < 0.97 and float((inside > 0).mean()) > 0.1):
            continue
        evidence.append(met)
        classes.append(int(fibrillating >= 0.97))
        weight.append(5.0 if fibrillating >= 0.97 else 1.0)
    return np.array(evidence), np.array(classes), np.array(weight)


def fit_fibrillation() -> None:
    """The fibrillation rule's weights; it has no memory, so one round is enough."""
    folder = data_folder()
    rng = np.random.default_rng(0)
    noise = Noise(folder)
    parts = []
    for path in [folder / "vfdb" / n for n in VFDB] + [folder / "cudb" / n for n in CUDB]:
        signal_mv, _ = at_250_hz(path)
        parts.append(_windows(signal_mv, lethal_truth(path, len(signal_mv))))
    for name in TRAIN:
        path = folder / "mitdb" / name
        plain, _ = at_250_hz(path)
        truth = lethal_truth(path, len(plain))
        snr_db = float(rng.choice([6, 0, -3]))
        for signal_mv in (plain, noise.added(plain, "mix", snr_db, rng)):
            parts.append(_windows(signal_mv, truth))
    for name in NSRDB_TRAIN:
        signal_mv, _ = at_250_hz(folder / "nsrdb" / name)
        parts.append(_windows(signal_mv, np.zeros(len(signal_mv), dtype=np.int64)))
    layers = fit(_joined(parts), random_layers(12, 8, 1), 3e-4, 300)
    names = ("HIDDEN", "HIDDEN_BIAS", "OUTPUT", "OUTPUT_BIAS")
    write(ECG / "fibrillation_weights.py", names, layers, "The weights of the fibrillation rule")


def _joined(parts: list[Examples]) -> Examples:
    evidence, classes, weight = zip(*parts, strict=True)
    return np.concatenate(evidence), np.concatenate(classes), np.concatenate(weight)


PARTS = {"qrs": fit_qrs, "beats": fit_beats, "fibrillation": fit_fibrillation}


def main() -> int:
    """Fit one part; its weights file is written anew."""
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        print(f"Say what to fit: {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    PARTS[sys.argv[1]]()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The figures of the model card, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from bedside.anomaly.autoencoder import Autoencoder
from training.metrics import pooled, template_errors
from training.original import Run
from training.replay import ScoredRecord, beat_windows

DPI = 90


def roc(scored: Sequence[ScoredRecord], path: Path) -> None:
    """ROC curves of the model and of the plain template, false positives on a log axis."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    ways = {
        "model": [record.errors for record in scored],
        "plain template": [template_errors(record) for record in scored],
    }
    for axis, letters, title in zip(
        axes, ("V", "VSFQ"), ("V against N", "V, S, F, Q against N"), strict=True
    ):
        for name, errors in ways.items():
            normal, other = pooled(scored, "N", errors), pooled(scored, letters, errors)
            truth = np.concatenate((np.zeros(len(normal)), np.ones(len(other))))
            false, true, _ = roc_curve(truth, np.concatenate((normal, other)))
            axis.plot(np.maximum(false, 1e-4), true, label=name)
        axis.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1), title=title)
        axis.set(xlabel="false positives", ylabel="recall")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=DPI)


def reconstructions(autoencoder: Autoencoder, scored: Sequence[ScoredRecord], path: Path) -> None:
    """A normal and a ventricular beat of four records, with what the network made of them."""
    having = [r for r in scored if (r.beats.classes[r.later] == "V").sum() > 20 and r.baseline]
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, 4)
    at_ms = (np.arange(192) - 80) * 4
    for column, record in zip(range(4), having, strict=False):
        for row, letter in enumerate("NV"):
            chosen = np.flatnonzero(record.later & (record.beats.classes == letter))
            middle = chosen[len(chosen) // 2]
            beat = beat_windows(record.beats)[middle]
            [score] = autoencoder.score([beat], record.baseline)
            error = record.errors[middle]
            axis = axes[row, column]
            axis.plot(at_ms, beat.window_mv, label="beat")
            axis.plot(at_ms, score.reconstruction_mv, label="rebuilt")
            axis.set_title(
                f"{record.beats.record} {letter}: {error:.2f} ({record.threshold:.2f})",
                fontsize=9,
            )
    axes[0, 0].legend(fontsize=8)
    figure.supxlabel("ms from the R peak; the title gives the error and (the threshold)")
    figure.supylabel("mV")
    figure.savefig(path, dpi=DPI)


def failures(scored: Sequence[ScoredRecord], path: Path) -> None:
    """By record: normal beats above the threshold and ventricular beats below it."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axis = figure.subplots()
    names = [record.beats.record + ("*" if record.refused else "") for record in scored]
    false, missed = [], []
    for record in scored:
        later, classes = record.later, record.beats.classes
        false.append(_share(record.abnormal[later & (classes == "N")]))
        missed.append(_share(~record.abnormal[later & (classes == "V")]))
    at = np.arange(len(names))
    axis.bar(at - 0.2, false, 0.4, label="normal beats called abnormal")
    axis.bar(at + 0.2, missed, 0.4, label="ventricular beats not called abnormal")
    axis.set_xticks(at, names, rotation=60)
    axis.set_ylabel("share")
    axis.legend()
    axis.set_title("* calibration refused: population threshold")
    figure.savefig(path, dpi=DPI)


def original(run: Run, title: str, path: Path) -> None:
    """Three normal and three abnormal rows of the original protocol with what was made of them."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots(2, 3)
    for row, is_abnormal in enumerate((False, True)):
        of_kind = np.flatnonzero(run.abnormal == is_abnormal)
        for axis, number in zip(axes[row], of_kind[:: max(1, len(of_kind) // 3)], strict=False):
            axis.plot(run.shown[number], label="row")
            axis.plot(run.rebuilt[number], label="rebuilt")
            axis.set_title("abnormal" if is_abnormal else "normal", fontsize=9)
    axes[0, 0].legend(fontsize=8)
    figure.suptitle(title)
    figure.savefig(path, dpi=DPI)


def _share(which: np.ndarray) -> float:
    return float(which.mean()) if len(which) else 0.0

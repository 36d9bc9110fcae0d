"""Electrode motion that was: an AD8232 worn in motion, with the heart taken out.

The recording, nine minutes of one person, has a beat every 0.7 s and, between and below them, what
moving electrodes do. Each beat's usual shape is subtracted, its QRS complex bridged by a line; what
is left is noise for training, in no report and no test. It is no part of the project and of no
public database: any other recording of an AD8232 that is worn in motion does as well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from wfdb.processing import xqrs_detect

from bedside.ecg.resampling import Resampler
from bedside.events import WINDOW_RATE_HZ
from training.datasets import DataError

RATE = int(WINDOW_RATE_HZ)
Floats = NDArray[np.float64]

_BEFORE, _AFTER = round(0.3 * RATE), round(0.5 * RATE)
"""Samples around an R peak that are a beat."""

_Q, _S = round(0.06 * RATE), round(0.08 * RATE)
"""Samples around an R peak that a line replaces: no QRS complex may be left to be called noise."""

_ALIKE, _SMALLEST = 0.7, 0.35
"""How much like the usual QRS complex a deflection is that is taken out, and its size at least."""

_NEIGHBOURS = 15
"""Beats before and after whose median is a beat's usual shape."""


def worn_noise(path: Path) -> Floats:
    """What the recording `path` holds besides a heart, shape (n,), at 250 Hz, in its own unit.

    `path` is an npz file with the samples `x`, of any unit, and their rate `fs` in Hz. Raises
    `DataError` where there is no such file.
    """
    if not path.exists():
        raise DataError(
            f"{path.parent.name}/{path.name} is missing: put a recording of an AD8232 that is worn "
            "in motion there, as an npz file with its samples `x` and their rate `fs` in Hz."
        )
    with np.load(path) as recording:
        rate_hz, worn = float(recording["fs"]), recording["x"].astype(np.float64)
    if rate_hz != WINDOW_RATE_HZ:
        worn = Resampler(rate_hz).process(worn)
    return without_beats(worn, _beats(worn))


def _beats(worn: Floats) -> NDArray[np.int64]:
    """Every R peak: those that a detector finds, and whatever looks like them."""
    swing = np.median(np.ptp(worn[: len(worn) // RATE * RATE].reshape(-1, RATE), axis=1))
    found = np.asarray(xqrs_detect(worn / swing, RATE, verbose=False))
    found = found[(found > _BEFORE) & (found < len(worn) - _AFTER)]
    cuts = np.array([worn[at - _Q : at + _S] for at in found])
    usual = np.median(cuts - cuts.mean(axis=1, keepdims=True), axis=0)
    windows = np.lib.stride_tricks.sliding_window_view(worn, len(usual))
    windows = windows - windows.mean(axis=1, keepdims=True)
    product = windows @ usual / float(usual @ usual)
    alike = product * np.linalg.norm(usual) / np.maximum(np.linalg.norm(windows, axis=1), 1e-9)
    tops, _ = signal.find_peaks(np.where(alike > _ALIKE, product, 0.0), _SMALLEST, distance=_Q + _S)
    tops = tops + _Q
    lone = np.abs(found[:, None] - tops).min(axis=1) > _S
    return np.sort(np.concatenate((found[lone], tops)))


def without_beats(ecg: Floats, peaks: NDArray[np.int64]) -> Floats:
    """`ecg` less the usual shape around each of its peaks, and with a line for each QRS complex."""
    inside = peaks[(peaks >= _BEFORE) & (peaks < len(ecg) - _AFTER)]
    beats = np.array([ecg[at - _BEFORE : at + _AFTER] for at in inside])
    beats = beats - np.median(beats[:, _BEFORE - 2 * _Q : _BEFORE - _Q], axis=1, keepdims=True)
    left = ecg.copy()
    edges = np.concatenate(([0], inside, [len(ecg)]))
    fade = signal.windows.tukey(_BEFORE + _AFTER, 0.2)
    for number, at in enumerate(inside):
        near = beats[max(0, number - _NEIGHBOURS) : number + _NEIGHBOURS + 1]
        before = min(_BEFORE, int(0.4 * (at - edges[number])))
        after = min(_AFTER, int(0.6 * (edges[number + 2] - at)))
        shape = (fade * np.median(near, axis=0))[_BEFORE - before : _BEFORE + after]
        left[at - before : at + after] -= shape
    for at in peaks:
        first, last = max(0, at - _Q), min(len(ecg) - 1, at + _S)
        left[first : last + 1] = np.linspace(left[first], left[last], last - first + 1)
    return left

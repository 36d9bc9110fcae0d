"""A patient's template, moved to where a beat lies nearest to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bedside.events import WINDOW_SAMPLES

SHIFTS = 8
"""The template may be moved by up to this many samples (±32 ms)."""


def aligned(
    template_mv: NDArray[np.floating], windows_mv: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The template (192,), once for each of the windows (n, 192), moved by −8…8 samples.

    Each is the move with the least mean absolute distance; edges are repeated. Shape (n, 192).
    """
    wide = np.pad(np.asarray(template_mv, dtype=np.float64), SHIFTS, mode="edge")
    moved = np.stack([wide[shift : shift + WINDOW_SAMPLES] for shift in range(2 * SHIFTS + 1)])
    distance = np.empty((len(moved), len(windows_mv)))
    apart = np.empty(windows_mv.shape)
    for one, sums in zip(moved, distance, strict=True):
        np.abs(np.subtract(windows_mv, one, out=apart), out=apart)
        np.add.reduce(apart, axis=1, out=sums)
    nearest: NDArray[np.float64] = moved[(distance / WINDOW_SAMPLES).argmin(axis=0)]
    return nearest

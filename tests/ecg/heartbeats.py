"""Signals for the tests of this room: plain sums of bumps, written down by their R peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 250


def heart(
    peaks: list[int] | NDArray[np.int64],
    seconds: float,
    amplitude_mv: float = 1.0,
    noise_mv: float = 0.01,
    wide: tuple[int, ...] = (),
) -> NDArray[np.float64]:
    """P, QRS and T at each of `peaks` (250 Hz); those whose number is in `wide` are ventricular."""
    x = np.random.default_rng(7).normal(0.0, noise_mv, round(seconds * RATE))
    t = np.arange(len(x)) / RATE
    for number, peak in enumerate(peaks):
        if number in wide:
            bumps = [(0.0, 1.4, 0.035), (0.12, -0.5, 0.05), (0.3, -0.4, 0.07)]
        else:
            bumps = [
                (-0.16, 0.12, 0.025),
                (-0.025, -0.1, 0.01),
                (0.0, 1.0, 0.012),
                (0.03, -0.2, 0.01),
                (0.25, 0.25, 0.045),
            ]
        for offset, height, width in bumps:
            x += amplitude_mv * height * np.exp(-0.5 * ((t - peak / RATE - offset) / width) ** 2)
    return x


def steady(rate_bpm: float, seconds: float, first_s: float = 0.6) -> NDArray[np.int64]:
    """R peaks of a regular rhythm, on whole samples."""
    return np.round(np.arange(first_s, seconds - 0.6, 60.0 / rate_bpm) * RATE).astype(np.int64)


def pieces(x: NDArray[np.float64], sizes: list[int]) -> list[NDArray[np.float64]]:
    """The signal cut into pieces of the given sizes, over and over."""
    cut, at, turn = [], 0, 0
    while at < len(x):
        size = sizes[turn % len(sizes)]
        cut.append(x[at : at + size])
        at, turn = at + size, turn + 1
    return cut

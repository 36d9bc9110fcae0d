"""Normal beats made strange on purpose, in six ways, and real noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bedside.events import WINDOW_BEFORE_SAMPLES, WINDOW_SAMPLES

Array = NDArray[np.float64]

_AT = np.arange(WINDOW_SAMPLES, dtype=np.float64)
_R = WINDOW_BEFORE_SAMPLES


def corrupt(beats: Array, strangers: Array, rng: np.random.Generator) -> Array:
    """`beats` (n, 192) in patient amplitudes, each stretched, inverted, shifted, bumped, scaled or
    replaced by one of `strangers` (n, 192), another patient's beats.
    """
    strange = np.empty_like(beats)
    kinds = (_stretched, _inverted, _shifted, _bumped, _scaled)
    kind = rng.integers(len(kinds) + 1, size=len(beats))
    for number, make in enumerate(kinds):
        strange[kind == number] = make(beats[kind == number], rng)
    swapped = kind == len(kinds)
    strange[swapped] = strangers[swapped] * rng.uniform(0.6, 1.8, (int(swapped.sum()), 1))
    return strange


def noise_pieces(noise_mv: NDArray[np.float32], count: int, rng: np.random.Generator) -> Array:
    """`count` windows (count, 192) of recorded noise (n,), from anywhere in it, either way up."""
    start = rng.integers(len(noise_mv) - WINDOW_SAMPLES, size=count)
    pieces = noise_mv[start[:, None] + np.arange(WINDOW_SAMPLES)].astype(np.float64)
    return pieces * _signs(count, rng)


def _stretched(beats: Array, rng: np.random.Generator) -> Array:
    factor = np.exp(_signs(len(beats), rng) * rng.uniform(0.2, 0.9, (len(beats), 1)))
    return _read(beats, _R + (_AT - _R) / factor)


def _inverted(beats: Array, rng: np.random.Generator) -> Array:
    return -beats * rng.uniform(0.4, 1.5, (len(beats), 1))


def _shifted(beats: Array, rng: np.random.Generator) -> Array:
    return _read(beats, _AT + _signs(len(beats), rng) * rng.uniform(12, 40, (len(beats), 1)))


def _bumped(beats: Array, rng: np.random.Generator) -> Array:
    count = len(beats)
    width = rng.uniform(4, 25, (count, 1))
    height = _signs(count, rng) * rng.uniform(0.2, 1.5, (count, 1))
    where = rng.uniform(30, 150, (count, 1))
    return beats + height * np.exp(-0.5 * ((_AT - where) / width) ** 2)


def _scaled(beats: Array, rng: np.random.Generator) -> Array:
    small = rng.random((len(beats), 1)) < 0.5
    low, high = rng.uniform(0.1, 0.6, small.shape), rng.uniform(1.6, 3.0, small.shape)
    return beats * np.where(small, low, high)


def _signs(count: int, rng: np.random.Generator) -> Array:
    return rng.choice((-1.0, 1.0), (count, 1))


def _read(beats: Array, where: Array) -> Array:
    """The beats (n, 192) at fractional indices (n, 192); beyond an edge, the edge."""
    inside = np.clip(where, 0, WINDOW_SAMPLES - 1.001)
    left = inside.astype(int)
    share = inside - left
    rows = np.arange(len(beats))[:, None]
    return beats[rows, left] * (1 - share) + beats[rows, left + 1] * share

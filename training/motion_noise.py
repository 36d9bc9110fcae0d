"""Electrode motion that never was: noise for training, made from jumps, bumps and wiggles.

A moving electrode jumps and creeps back, swings with the step, or makes a deflection that looks
like a QRS complex (Moody et al. 1984 call it the worst of noises for that). The recording of such
noise in nstdb is kept for tests; besides a worn AD8232 (`worn_noise`), what trains is drawn here,
each stretch with habits of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bedside.events import WINDOW_RATE_HZ

RATE = int(WINDOW_RATE_HZ)
Floats = NDArray[np.float32]


def motion(count: int, rng: np.random.Generator) -> Floats:
    """One stretch of `count` samples at 250 Hz with a standard deviation of 1, shape (count,)."""
    noise = _deflections(count, rng)
    if rng.random() < 0.7:
        noise = noise + rng.uniform(0.0, 0.8) * _deflections(count, rng)
    if rng.random() < 0.8:
        noise = noise + rng.uniform(0.0, 1.0) * _coloured(count, rng.uniform(1.0, 3.0), rng)
    if rng.random() < 0.6:
        noise = noise * _loudness(count, rng)
    return (noise / noise.std()).astype(np.float32)


def _deflections(count: int, rng: np.random.Generator) -> Floats:
    """Separate events, at random or in step, mostly of one width and one polarity."""
    noise = np.zeros(count, np.float32)
    per_s = np.exp(rng.uniform(np.log(0.3), np.log(5.0)))
    if rng.random() < 0.4:
        step_s = 1.0 / rng.uniform(0.8, 3.0)
        at_s = np.cumsum(step_s * (1.0 + 0.12 * rng.normal(size=int(count / RATE / step_s) + 1)))
        at_s = at_s[rng.random(len(at_s)) < 0.85]
    else:
        at_s = np.cumsum(rng.exponential(1.0 / per_s, size=int(count / RATE * per_s) + 5))
    kinds = rng.dirichlet(np.full(5, 0.7))
    usual_s = np.exp(rng.uniform(np.log(0.012), np.log(0.15)))
    creep_s = np.exp(rng.uniform(np.log(0.08), np.log(1.5)))
    upward = rng.random()
    for start in (at_s * RATE).astype(int):
        if start < 0 or start >= count - 5:
            continue
        size = np.exp(0.7 * rng.normal()) * (1.0 if rng.random() < upward else -1.0)
        width_s = usual_s * np.exp(0.4 * rng.normal())
        kind = int(rng.choice(5, p=kinds))
        longest_s = max(6.0 * width_s, 4.0 * creep_s if kind == 0 else 0.0)
        t = np.arange(min(count - start, int(RATE * longest_s) + 8)) / RATE
        noise[start : start + len(t)] += size * _deflection(kind, t, width_s, creep_s, rng)
    b, a = signal.butter(1, rng.uniform(8.0, 40.0), fs=RATE)
    smooth = signal.lfilter(b, a, noise)
    return (smooth / max(float(smooth.std()), 1e-6)).astype(np.float32)


def _deflection(
    kind: int, t: NDArray[np.float64], width_s: float, creep_s: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """A jump that creeps back, a bump, a biphasic bump, a wiggle or a triangle, about 1 high."""
    shape: NDArray[np.float64]
    if kind == 0:
        shape = (1.0 - np.exp(-3.0 * t / width_s)) * np.exp(-t / creep_s)
    elif kind == 1:
        shape = np.exp(-0.5 * (t / width_s - 3.0) ** 2)
    elif kind == 2:
        shape = (3.0 - t / width_s) * np.exp(0.5 - 0.5 * (t / width_s - 3.0) ** 2)
    elif kind == 3:
        shape = np.zeros(len(t))
        for _ in range(int(rng.integers(2, 5))):
            centre_s, spread_s = rng.uniform(1.0, 5.0) * width_s, rng.uniform(0.25, 1.0) * width_s
            shape += rng.normal() * np.exp(-0.5 * ((t - centre_s) / spread_s) ** 2)
    else:
        top_s, foot_s = rng.uniform(0.5, 2.0) * width_s, rng.uniform(2.5, 6.0) * width_s
        shape = np.interp(t, [0.0, top_s, foot_s], [0.0, 1.0, 0.0])
    return shape


def _coloured(count: int, slope: float, rng: np.random.Generator) -> Floats:
    """Noise whose power falls with frequency to the power of `slope`, 0.05 to 40 Hz."""
    frequency = np.fft.rfftfreq(count, 1.0 / RATE)
    inside = (frequency > 0.05) & (frequency < 40.0)
    size = np.zeros(len(frequency))
    size[inside] = frequency[inside] ** (-slope / 2.0)
    noise = np.fft.irfft(size * np.exp(2j * np.pi * rng.random(len(frequency))), count)
    return (noise / noise.std()).astype(np.float32)


def _loudness(count: int, rng: np.random.Generator) -> Floats:
    """A slow, log-normal change of size."""
    points = max(4, count // (RATE * int(rng.integers(1, 12)))) + 2
    sizes = np.exp(rng.uniform(0.2, 1.2) * rng.normal(size=points))
    return np.interp(np.arange(count), np.linspace(0, count, points), sizes).astype(np.float32)

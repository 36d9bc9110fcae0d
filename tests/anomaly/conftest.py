"""A patient whose every beat is known: bumps with noise, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from bedside.anomaly.autoencoder import Autoencoder
from bedside.events import WINDOW_SAMPLES, BeatClass, BeatTiming, BeatWindow

MakeBeats = Callable[..., list[BeatWindow]]


@pytest.fixture(scope="session")
def autoencoder() -> Autoencoder:
    """The model that comes with bedside."""
    return Autoencoder.load()


@pytest.fixture
def make_beats() -> MakeBeats:
    """Beats of a synthetic patient: `width_s` of the QRS, noise in mV, how many, class."""

    def make(
        count: int = 300,
        *,
        noise_mv: float = 0.02,
        width_s: float = 0.02,
        height_mv: float = 1.0,
        beat_class: BeatClass = BeatClass.NORMAL,
        usable: bool = True,
        seed: int = 1,
    ) -> list[BeatWindow]:
        rng = np.random.default_rng(seed)
        at_s = (np.arange(WINDOW_SAMPLES) - 80) / 250.0
        shape_mv = (
            height_mv * np.exp(-0.5 * (at_s / width_s) ** 2)
            + 0.1 * np.exp(-0.5 * ((at_s + 0.16) / 0.025) ** 2)
            + 0.25 * np.exp(-0.5 * ((at_s - 0.26) / 0.05) ** 2)
        )
        return [
            BeatWindow(
                sample=1000 + 200 * number,
                window_mv=(shape_mv + noise_mv * in_band(rng)).astype(np.float32),
                timing=BeatTiming(prematurity=float(rng.normal(0, 0.02))),
                beat_class=beat_class,
                usable=usable,
            )
            for number in range(count)
        ]

    return make


def in_band(rng: np.random.Generator) -> np.ndarray:
    """Noise (192,) of standard deviation 1 in the band that the monitor lets through."""
    white = rng.normal(0, 1, WINDOW_SAMPLES + 200)
    noise = signal.sosfilt(signal.butter(2, (0.5, 40.0), "bandpass", fs=250.0, output="sos"), white)
    return noise[200:] / noise[200:].std()

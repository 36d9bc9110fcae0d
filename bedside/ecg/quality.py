"""How far the signal can be trusted, second by second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bedside.events import WINDOW_RATE_HZ, Float64Array

_SECOND = int(WINDOW_RATE_HZ)


@dataclass(frozen=True, slots=True)
class QualitySecond:
    """The verdict on one second of signal.

    `position` is its first sample (250 Hz, since the reset); `index` runs from 0 (unusable) to 1;
    `reason` is empty or one of flat, saturated, mains, motion, noise. Only the last four are
    evidence of artefact: a flat line with both electrodes on may be an arrest.
    """

    position: int
    index: float
    reason: str

    @property
    def is_artefact(self) -> bool:
        """Whether there is positive evidence that this second shows something else than a heart."""
        return self.index < 0.5 and self.reason not in ("", "flat")


class SignalQuality:
    """Signal quality at 250 Hz; any split of the input gives the same seconds."""

    def __init__(self) -> None:
        """Start with no past."""
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0."""
        self._held: Float64Array = np.empty(0)
        self._position = 0

    def process(self, samples_mv: Float64Array) -> list[QualitySecond]:
        """Take raw samples of shape (n,) in mV; give the verdict on each second completed."""
        self._held = np.concatenate((self._held, samples_mv))
        seconds = []
        while len(self._held) >= _SECOND:
            index, reason = _judge(self._held[:_SECOND])
            seconds.append(QualitySecond(self._position, index, reason))
            self._held = self._held[_SECOND:]
            self._position += _SECOND
        return seconds


def _judge(second_mv: Float64Array) -> tuple[float, str]:
    """Quality and its reason for one second, shape (250,)."""
    spread = float(np.ptp(second_mv))
    if spread < 0.03:
        return 1.0, "flat"
    at_rail = float(np.mean(second_mv == second_mv.max()) + np.mean(second_mv == second_mv.min()))
    if spread > 1.0 and at_rail > 0.25:
        return 0.0, "saturated"
    if spread > 12.0:
        return 0.0, "motion"
    power = np.abs(np.fft.rfft((second_mv - second_mv.mean()) * np.hanning(_SECOND))) ** 2
    total = float(power[1:].sum())
    mains = float(power[48:53].sum() + power[58:63].sum())
    high = float(power[40:].sum()) - mains
    if mains > 0.5 * total:
        return 0.2, "mains"
    if high > 0.35 * total:
        return 0.3, "noise"
    return 1.0, ""

"""How far the signal can be trusted, second by second.

Only positive evidence of artefact counts against a second: hum of the mains, muscle noise between
the beats, swings far beyond this patient's own, a rail. Neither a flat line nor fibrillation is
any: both must reach their alarms.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np

from bedside.ecg.mains import hum
from bedside.ecg.recursion import recursive
from bedside.events import WINDOW_RATE_HZ, Float64Array

ARTEFACT_BELOW = 0.5
"""A second with an index below this shows an artefact."""

_SECOND = int(WINDOW_RATE_HZ)
_FLAT_MV = 0.03
_RAIL_SHARE = 0.2
_RAIL_MV = 1.0
_SMALLEST_NOISE_MV = 0.02
_NOISE_SHARE = 0.05
"""Of the swing of the second: the usual size of what lies above 25 Hz, half bad."""

_MAINS_SHARE = 0.25
_OPEN_INPUT_MV = 3.0
"""Hum beyond this, and beyond twice this patient's ECG, comes from a lead that hangs in the air."""

_MOTION_TIMES = 4.0
_SMALLEST_MOTION_MV = 1.5
_LARGEST_MV = 20.0
_USUAL_SECONDS = 20
_FEWEST_SECONDS = 5

FAST = (
    np.array((0.6389455251590224, -1.2778910503180447, 0.6389455251590224)),
    np.array((1.0, -1.1429805025399011, 0.41280159809618877)),
)
"""Numerator and denominator of `butter(2, 25, "highpass", fs=250)`."""

FAST_AT_REST = np.array((-0.6389455251590221, 0.6389455251590223))
"""Its state after a constant 1: `lfilter_zi`."""


@dataclass(frozen=True, slots=True)
class QualitySecond:
    """The verdict on one second of signal.

    `position` is its first sample (250 Hz, since the reset); `index` runs from 0 (unusable) to 1;
    `reason` is empty or one of flat, saturated, mains, motion, no contact, noise. All but flat are
    evidence of artefact: a flat line with both electrodes on may be an arrest.
    """

    position: int
    index: float
    reason: str

    @property
    def is_artefact(self) -> bool:
        """Whether there is positive evidence that this second shows something else than a heart."""
        return self.index < ARTEFACT_BELOW and self.reason not in ("", "flat")


class SignalQuality:
    """Signal quality at 250 Hz; any split of the input gives the same seconds."""

    def __init__(self) -> None:
        """Start with no past."""
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0."""
        self._state: Float64Array | None = None
        self._held: Float64Array = np.empty(0)
        self._position = 0
        self._swings_mv: list[float] = []

    def process(self, samples_mv: Float64Array) -> list[QualitySecond]:
        """Take raw samples of shape (n,) in mV; give the verdict on each second completed."""
        self._held = np.concatenate((self._held, samples_mv))
        seconds = []
        while len(self._held) >= _SECOND:
            second_mv, self._held = self._held[:_SECOND], self._held[_SECOND:]
            if self._state is None:
                self._state = FAST_AT_REST * second_mv[0]
            fast_mv, self._state = recursive(*FAST, second_mv, self._state)
            index, reason = self._judge(second_mv, fast_mv)
            seconds.append(QualitySecond(self._position, round(index, 3), reason))
            self._position += _SECOND
        return seconds

    def _judge(self, second_mv: Float64Array, fast_mv: Float64Array) -> tuple[float, str]:
        """The index and its reason for one second, shape (250,) each."""
        highest_mv, lowest_mv = float(second_mv.max()), float(second_mv.min())
        swing_mv = highest_mv - lowest_mv
        if swing_mv < _FLAT_MV:
            return 1.0, "flat"
        at_rail = np.count_nonzero((second_mv == highest_mv) | (second_mv == lowest_mv))
        if swing_mv > _RAIL_MV and at_rail > _RAIL_SHARE * _SECOND:
            return 0.0, "saturated"
        usual_mv = median(self._swings_mv) if len(self._swings_mv) >= _FEWEST_SECONDS else 0.0
        hum_mv, _ = hum(second_mv)
        if hum_mv > _OPEN_INPUT_MV and hum_mv > 2.0 * usual_mv:
            return 0.0, "no contact"
        self._swings_mv = [*self._swings_mv[-_USUAL_SECONDS + 1 :], swing_mv]
        beyond_mv = max(_SMALLEST_MOTION_MV, _MOTION_TIMES * usual_mv)
        if swing_mv > _LARGEST_MV or (usual_mv > 0.0 and swing_mv > beyond_mv):
            return 0.2, "motion"
        # A second may fall between two beats: the usual swing tells how tall they are.
        swing_mv = max(swing_mv, usual_mv)
        if hum_mv > _SMALLEST_NOISE_MV and hum_mv > 0.5 * _MAINS_SHARE * swing_mv:
            return max(0.0, 1.0 - 0.5 * hum_mv / (_MAINS_SHARE * swing_mv)), "mains"
        middle = np.partition(np.abs(fast_mv), (_SECOND // 2 - 1, _SECOND // 2))
        noise_mv = float(middle[_SECOND // 2 - 1] + middle[_SECOND // 2]) / 2.0
        if noise_mv > _SMALLEST_NOISE_MV and noise_mv > 0.5 * _NOISE_SHARE * swing_mv:
            return max(0.0, 1.0 - 0.5 * noise_mv / (_NOISE_SHARE * swing_mv)), "noise"
        return 1.0, ""

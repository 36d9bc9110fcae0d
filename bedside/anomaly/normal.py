"""What is normal for a patient: the usual beat, how it varies, and how the rhythm does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.anomaly.alignment import aligned
from bedside.events import WINDOW_BEFORE_SAMPLES, BeatWindow

LEAST_PREMATURITY_SPREAD = 0.02
"""A patient whose rhythm seems steadier than this was only watched for too short a time."""

TYPICAL_SHAPE_ERROR = 0.013
"""The median shape error of a calibration, over the training patients."""

QRS = slice(WINDOW_BEFORE_SAMPLES - 25, WINDOW_BEFORE_SAMPLES + 38)
LEAST_LIKENESS = 0.85
"""The least correlation with the usual QRS complex of a beat that teaches."""

OF_NORMAL = 1.4826
"""The median absolute deviation times this is the standard deviation of a normal distribution."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Normal:
    """Learned from `beats` beats of one patient; arrays have shape (192,), in mV.

    `template_mv` is the median beat, `spread_mv` the robust standard deviation around it,
    `prematurity_spread` that of `BeatTiming.prematurity`; `shape_error` is the median one of the
    beats that taught it, the typical one until they are scored.
    """

    beats: int
    template_mv: NDArray[np.float32]
    spread_mv: NDArray[np.float32]
    prematurity_spread: float
    shape_error: float = TYPICAL_SHAPE_ERROR


def alike(windows: Sequence[BeatWindow]) -> list[BeatWindow]:
    """The beats whose QRS complex is like that of most of them.

    It does not trust the beat classes: an ectopic beat that was taken for a normal one teaches
    nothing either.
    """
    return _Compared(windows).alike()


def learn(windows: Sequence[BeatWindow]) -> Normal:
    """The normal of a patient whose usual beats are `windows`, at least one of them."""
    return _learned(_Compared(windows))


def learn_alike(windows: Sequence[BeatWindow], fewest: int) -> Normal | None:
    """What those of `windows` teach that are alike; None where they are fewer than `fewest`."""
    compared = _Compared(windows)
    usual = compared.alike()
    if len(usual) < fewest:
        return None
    # Mostly all are alike, and then they have been compared with their median already.
    return _learned(compared if len(usual) == len(windows) else _Compared(usual))


class _Compared:
    """Beats beside their median, which is moved to each of them: arrays of shape (n, 192), mV."""

    def __init__(self, windows: Sequence[BeatWindow]) -> None:
        self.windows = windows
        self.beats_mv = np.array([window.window_mv for window in windows], np.float64)
        self.median_mv: NDArray[np.float64] = np.median(self.beats_mv, axis=0)
        self.aligned_mv = aligned(self.median_mv, self.beats_mv)

    def alike(self) -> list[BeatWindow]:
        beats_qrs, median_qrs = _centred(self.beats_mv[:, QRS]), _centred(self.aligned_mv[:, QRS])
        norm = np.linalg.norm(beats_qrs, axis=1) * np.linalg.norm(median_qrs, axis=1)
        likeness = (beats_qrs * median_qrs).sum(axis=1) / np.maximum(norm, 1e-9)
        same = likeness >= LEAST_LIKENESS
        return [window for window, one in zip(self.windows, same, strict=True) if one]


def _learned(compared: _Compared) -> Normal:
    apart_mv = np.abs(compared.beats_mv - compared.aligned_mv)
    early = np.array([window.timing.prematurity for window in compared.windows])
    return Normal(
        beats=len(compared.windows),
        template_mv=compared.median_mv.astype(np.float32),
        spread_mv=(OF_NORMAL * np.median(apart_mv, axis=0)).astype(np.float32),
        prematurity_spread=max(
            LEAST_PREMATURITY_SPREAD, OF_NORMAL * float(np.median(np.abs(early)))
        ),
    )


def _centred(pieces: NDArray[np.float64]) -> NDArray[np.float64]:
    centred: NDArray[np.float64] = pieces - pieces.mean(axis=1, keepdims=True)
    return centred

"""What kind of beat it is: normal, supraventricular, ventricular or undecidable."""

from __future__ import annotations

import numpy as np

from bedside.events import (
    WINDOW_BEFORE_SAMPLES,
    WINDOW_RATE_HZ,
    BeatClass,
    Float64Array,
)

_QRS = slice(WINDOW_BEFORE_SAMPLES - 25, WINDOW_BEFORE_SAMPLES + 35)


class BeatClassifier:
    """Classes of AAMI EC57 from shape, width and prematurity, learned on this patient.

    Causal: a beat is judged by itself and the beats before it.
    """

    def __init__(self) -> None:
        """Start with no template."""
        self.reset()

    def reset(self) -> None:
        """Forget this patient."""
        self._template: Float64Array | None = None
        self._intervals_s: list[float] = []

    def classify(self, position: int, window_mv: Float64Array, rr_s: float | None) -> BeatClass:
        """Judge a beat by its band-passed window of shape (192,), R peak at index 80.

        `position` is the R peak on the 250 Hz count, `rr_s` the interval to the beat before.
        """
        del position
        shape = window_mv[_QRS] - window_mv[_QRS].mean()
        usual_s = float(np.median(self._intervals_s)) if self._intervals_s else None
        premature = rr_s is not None and usual_s is not None and rr_s < 0.85 * usual_s
        if rr_s is not None and rr_s < 3.0:
            self._intervals_s = [*self._intervals_s[-15:], rr_s]
        if self._template is None:
            self._template = shape
            return BeatClass.NORMAL
        norm = float(np.linalg.norm(shape) * np.linalg.norm(self._template))
        if norm < 1e-9:
            return BeatClass.UNKNOWN
        likeness = float(shape @ self._template) / norm
        if likeness > 0.85:
            self._template = 0.9 * self._template + 0.1 * shape
            return BeatClass.SUPRAVENTRICULAR if premature else BeatClass.NORMAL
        width_s = _qrs_width_s(window_mv)
        if likeness < 0.7 and (premature or width_s > 0.12):
            return BeatClass.VENTRICULAR
        return BeatClass.SUPRAVENTRICULAR if premature else BeatClass.NORMAL


def _qrs_width_s(window_mv: Float64Array) -> float:
    """How long the slope around the R peak stays above a fifth of its steepest, in seconds."""
    slope = np.abs(np.diff(window_mv[WINDOW_BEFORE_SAMPLES - 40 : WINDOW_BEFORE_SAMPLES + 40]))
    steep = np.flatnonzero(slope > 0.2 * slope.max()) if slope.max() > 0 else np.empty(0)
    return float((steep[-1] - steep[0]) / WINDOW_RATE_HZ) if len(steep) else 0.0

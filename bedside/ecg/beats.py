"""What kind of beat it is: normal, supraventricular, ventricular or undecidable.

A beat is compared with this patient's usual beat (shape, width, size, P wave) and with the rhythm
before it (prematurity), and with the other beats of its own shape seen so far: how common they are
and how early they come. The evidence is weighed by fixed weights, fitted on training records.
The evidence follows de Chazal 2004 (intervals and morphology) and, for adapting to the patient
without an expert, Llamedo and Martínez 2012 (clusters of like beats judged together).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np

from bedside.ecg.beat_weights import CLASS_BIAS, CLASS_WEIGHTS, HIDDEN, HIDDEN_BIAS
from bedside.events import (
    WINDOW_BEFORE_SAMPLES,
    WINDOW_RATE_HZ,
    WINDOW_SAMPLES,
    BeatClass,
    Float64Array,
)

_QRS = slice(WINDOW_BEFORE_SAMPLES - 25, WINDOW_BEFORE_SAMPLES + 35)
_P = slice(WINDOW_BEFORE_SAMPLES - 65, WINDOW_BEFORE_SAMPLES - 20)
_T = slice(WINDOW_BEFORE_SAMPLES + 35, WINDOW_SAMPLES)
_LAGS = 5
_SAME_SHAPE = 0.88
_SHAPES = 8
_FORGET = 0.995
_SMALLEST_MV = 0.05
_CLASSES = (BeatClass.NORMAL, BeatClass.SUPRAVENTRICULAR, BeatClass.VENTRICULAR)


@dataclass(slots=True, eq=False)
class _Shape:
    """Beats of one shape: their mean window (192,), weight, lateness and share of V."""

    window_mv: Float64Array
    weight: float
    lateness: float
    ventricular: float


class BeatClassifier:
    """Classes of AAMI EC57, adapted to this patient; causal, a beat at a time."""

    def __init__(self) -> None:
        """Start with no beat known."""
        self.reset()

    def reset(self) -> None:
        """Forget this patient."""
        self._shapes: list[_Shape] = []
        self._intervals_s: list[float] = []
        self._last_class = BeatClass.NORMAL

    def classify(self, position: int, window_mv: Float64Array, rr_s: float | None) -> BeatClass:
        """Judge a beat by its band-passed window of shape (192,) in mV, R peak at index 80.

        `position` is the R peak on the 250 Hz count, `rr_s` the interval to the beat before.
        A window without a beat's swing is `UNKNOWN` and teaches nothing.
        """
        del position
        if not np.all(np.isfinite(window_mv)) or float(np.ptp(window_mv[_QRS])) < _SMALLEST_MV:
            return BeatClass.UNKNOWN
        lateness = 0.0
        if rr_s is not None and self._intervals_s:
            lateness = _log_ratio(rr_s, median(self._intervals_s))
        own, likeness = self._nearest(window_mv)
        if own is None or likeness < _SAME_SHAPE:
            own = _Shape(window_mv.copy(), 0.0, lateness, 0.0)
            if len(self._shapes) == _SHAPES:
                self._shapes.remove(min(self._shapes, key=lambda shape: shape.weight))
            self._shapes.append(own)
        else:
            own.window_mv = 0.9 * own.window_mv + 0.1 * window_mv
            own.lateness += 0.1 * (lateness - own.lateness)
        beat_class = self._judge(self._evidence(window_mv, rr_s, lateness, own))
        for shape in self._shapes:
            shape.weight *= _FORGET
        own.weight += 1.0
        ventricular = beat_class is BeatClass.VENTRICULAR
        own.ventricular += (float(ventricular) - own.ventricular) / min(own.weight + 1.0, 10.0)
        if rr_s is not None and rr_s < 3.0:
            self._intervals_s = [*self._intervals_s[-15:], rr_s]
        self._last_class = beat_class
        return beat_class

    def _nearest(self, window_mv: Float64Array) -> tuple[_Shape | None, float]:
        if not self._shapes:
            return None, 0.0
        likeness = _likenesses(window_mv, np.array([shape.window_mv for shape in self._shapes]))
        best = int(np.argmax(likeness))
        return self._shapes[best], float(likeness[best])

    def _usual(self) -> _Shape:
        """The shape that counts as this patient's normal: common, and not found ventricular."""
        return max(self._shapes, key=lambda shape: shape.weight * (1.02 - shape.ventricular))

    def _judge(self, evidence: Float64Array) -> BeatClass:
        hidden = np.tanh(HIDDEN @ evidence + HIDDEN_BIAS)
        return _CLASSES[int(np.argmax(CLASS_WEIGHTS @ hidden + CLASS_BIAS))]

    def _evidence(
        self, window_mv: Float64Array, rr_s: float | None, lateness: float, own: _Shape
    ) -> Float64Array:
        """What speaks for each class, each about 1 in size, shape (22,)."""
        usual = self._usual()
        normal_mv = usual.window_mv
        likeness, own_likeness = _likenesses(normal_mv, np.array((window_mv, own.window_mv)))
        intervals = self._intervals_s
        middle_s = median(intervals) if intervals else 0.8
        spread = median(abs(interval - middle_s) for interval in intervals) if intervals else 0.0
        width_s, normal_width_s = _qrs_width_s(window_mv), _qrs_width_s(normal_mv)
        swing_mv, normal_swing_mv = np.ptp(window_mv[_QRS]), np.ptp(normal_mv[_QRS])
        total = sum(shape.weight for shape in self._shapes)
        slope, normal_slope = np.diff(window_mv[_QRS]), np.diff(normal_mv[_QRS])
        return np.array(
            (
                2.0 * (1.0 - likeness),
                2.0 * (1.0 - _correlation(window_mv[40:160], normal_mv[40:160])),
                own.weight / total if total > 0.0 else 1.0,
                own.weight / 10.0 if own.weight < 10.0 else 1.0,
                3.0 * own.lateness,
                2.0 * (1.0 - own_likeness),
                0.0 if own is usual else 1.0,
                own.ventricular,
                _log_ratio(swing_mv, normal_swing_mv),
                _log_ratio(np.abs(window_mv[_QRS]).mean(), np.abs(normal_mv[_QRS]).mean()),
                10.0 * (width_s - 0.08),
                _log_ratio(width_s, normal_width_s),
                _log_ratio(np.abs(slope).max(), np.abs(normal_slope).max()),
                3.0 * lateness,
                3.0 * _log_ratio(rr_s, intervals[-1]) if rr_s is not None and intervals else 0.0,
                _log_ratio(middle_s, 0.8),
                min(1.0, 5.0 * spread / middle_s),
                1.0 - _correlation(window_mv[_P], normal_mv[_P]),
                0.5 * _log_ratio(np.ptp(window_mv[_P]), np.ptp(normal_mv[_P])),
                1.0 - _correlation(window_mv[_T], normal_mv[_T]),
                1.0 if self._last_class is BeatClass.VENTRICULAR else 0.0,
                1.0 if self._last_class is BeatClass.SUPRAVENTRICULAR else 0.0,
            )
        )


def _likenesses(window_mv: Float64Array, others_mv: Float64Array) -> Float64Array:
    """The best correlation of a QRS complex with each of others, (k, 192), within ± 20 ms."""
    others = others_mv[:, _QRS]
    others = others - others.mean(axis=1, keepdims=True)
    piece = window_mv[_QRS.start - _LAGS : _QRS.stop + _LAGS]
    cuts = np.lib.stride_tricks.sliding_window_view(piece, others.shape[1])
    cuts = cuts - cuts.mean(axis=1, keepdims=True)
    energy = np.sum(cuts * cuts, axis=1)[:, None] * np.sum(others * others, axis=1)
    best: Float64Array = np.max(cuts @ others.T / np.sqrt(np.maximum(energy, 1e-18)), axis=0)
    return best


def _correlation(a: Float64Array, b: Float64Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / max(np.sqrt(float(a @ a) * float(b @ b)), 1e-9))


def _qrs_width_s(window_mv: Float64Array) -> float:
    """How long 10 to 90 % of the path of the QRS complex take, in seconds."""
    path = np.cumsum(np.diff(window_mv[_QRS]) ** 2)
    low, high = np.searchsorted(path, (0.05 * path[-1], 0.95 * path[-1]))
    return float(high - low + 1) / WINDOW_RATE_HZ


def _log_ratio(a: float, b: float) -> float:
    """ln(a / b), held within ± 2."""
    return float(np.clip(np.log(max(a, 1e-6) / max(b, 1e-6)), -2.0, 2.0))

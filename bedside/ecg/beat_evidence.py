"""What speaks for each class of a beat: its place in the rhythm, its shape and its P wave.

Every number compares the beat with this patient's other beats; nothing in here depends on how an
earlier beat was classed. The intervals and the morphology follow de Chazal 2004; judging a beat
with the others of its shape follows Llamedo and Martínez 2012. What is added: the interval after
the beat, the long memory of intervals (in a run of early beats all of the last ones are early)
and four averages of the P wave: of beats in time, of the earliest and the latest ones, and of
those after a pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from bedside.ecg.beat_intervals import EARLY, Intervals, log_ratio, within
from bedside.events import WINDOW_BEFORE_SAMPLES, WINDOW_RATE_HZ, Float64Array

LONGEST_NEXT_S = 1.6
"""The interval after a beat is waited for no longer than this."""

SMALLEST_MV = 0.05
"""A QRS complex swings by more than this."""

QRS = slice(WINDOW_BEFORE_SAMPLES - 25, WINDOW_BEFORE_SAMPLES + 35)
_P = slice(WINDOW_BEFORE_SAMPLES - 65, WINDOW_BEFORE_SAMPLES - 20)
_T = slice(WINDOW_BEFORE_SAMPLES + 35, WINDOW_BEFORE_SAMPLES + 107)
_MIDDLE = slice(WINDOW_BEFORE_SAMPLES - 40, WINDOW_BEFORE_SAMPLES + 80)
_LAGS, _P_LAGS = 5, 8


_SAME_SHAPE = 0.88
_USUAL_SHAPE = 0.9
_LIKE_USUAL = 0.12
_SHAPES = 8
_FORGET = 0.995
_LEARN = 0.1
_P_MEMORY = 32
_NARROW_S = 0.13


class BeatEvidence:
    """The evidence for one beat after the other; causal but for the interval after each."""

    def __init__(self) -> None:
        """Start with no beat known."""
        self._intervals = Intervals()
        self._shapes = _Shapes()
        self._p_waves = _PWaves()

    def weigh(
        self, window_mv: Float64Array, rr_s: float | None, next_rr_s: float | None
    ) -> Float64Array:
        """The evidence of a beat, shape (80,), each about 1 in size; then it is learned.

        `window_mv` is its band-passed window, shape (192,); `rr_s` the interval before (None: not
        known), `next_rr_s` the one after (None: longer than `LONGEST_NEXT_S`).
        """
        intervals, shapes, p_waves = self._intervals, self._shapes, self._p_waves
        after_s = LONGEST_NEXT_S if next_rr_s is None else min(next_rr_s, LONGEST_NEXT_S)
        before_s = intervals.last_s if rr_s is None else rr_s
        timing = intervals.weigh(before_s, after_s)
        form = shapes.weigh(window_mv, intervals.lateness, intervals.compensation)
        p_wave = p_waves.weigh(shapes.aligned_mv, shapes.usual)
        neighbour = (
            shapes.unlike_before,
            shapes.unlike_last,
            intervals.early_before,
            p_waves.excess_before,
        )
        usual = shapes.unlike < 1.0 - _USUAL_SHAPE
        if usual and shapes.unlike_before < _LIKE_USUAL:
            p_waves.learn(intervals)
        p_waves.excess_before = p_waves.excess
        shapes.unlike_before = shapes.unlike
        intervals.learn(before_s, usual)
        return np.array((*timing, *form, *p_wave, *neighbour))


@dataclass(slots=True, eq=False)
class _Shape:
    """Beats of one shape: their mean window (192,), how many, how early and how wide."""

    window_mv: Float64Array
    unit: Float64Array
    lateness: float
    width_s: float
    compensation: float
    weight: float = 0.0
    beats: int = 1


class _Shapes:
    """The shapes that this patient's QRS complexes have."""

    def __init__(self) -> None:
        self._shapes: list[_Shape] = []
        self._last_unit: Float64Array | None = None
        self.aligned_mv: Float64Array = np.empty(0)
        """The beat's window, moved by up to 20 ms onto the usual beat."""
        self.usual: Float64Array = np.empty(0)
        """The mean window of the usual shape."""
        self.unlike = 0.0
        """1 − correlation with it."""
        self.unlike_before = 0.0
        self.unlike_last = 0.0
        """1 − correlation with the beat before."""

    def weigh(
        self, window_mv: Float64Array, lateness: float, compensation: float
    ) -> tuple[float, ...]:
        complex_mv = window_mv[QRS]
        width_s = _width_s(complex_mv)
        cuts = _units(_shifted(window_mv, QRS, _LAGS))
        own, likeness = self._own(window_mv, cuts, lateness, width_s, compensation)
        usual = max(self._shapes, key=_commonness)
        at = cuts @ usual.unit
        lag = int(at.argmax())
        self.unlike = 1.0 - float(at[lag])
        total = sum(shape.weight for shape in self._shapes)
        share = own.weight / total if total else 1.0
        for shape in self._shapes:
            shape.weight *= _FORGET
        own.weight += 1.0
        by = _LAGS - lag
        aligned_mv = np.concatenate((window_mv[-by:], window_mv[:-by]))
        self.aligned_mv, self.usual = aligned_mv, usual.window_mv
        usual_mv = usual.window_mv[QRS]
        usual_width_s = _width_s(usual_mv)
        a, b = _centred(aligned_mv[QRS]), _centred(usual_mv)
        energy = max(float(b @ b), 1e-9)
        difference = a - b
        t_wave, usual_t = _centred(aligned_mv[_T]), _centred(usual.window_mv[_T])
        t_product, t_energy = float(t_wave @ usual_t), float(usual_t @ usual_t)
        return (
            self.unlike,
            1.0 - likeness,
            1.0 - float(_unit(aligned_mv[_MIDDLE]) @ _unit(usual.window_mv[_MIDDLE])),
            share,
            min(own.beats, 20) / 20.0,
            float(own is usual),
            own.lateness,
            own.compensation,
            log_ratio(own.width_s, usual_width_s),
            within(float(a @ b) / energy, -2.0, 3.0),
            min(float(difference @ difference) / energy, 5.0),
            log_ratio(_swing(complex_mv), _swing(usual_mv)),
            log_ratio(float(np.abs(complex_mv).sum()), float(np.abs(usual_mv).sum())),
            width_s,
            log_ratio(width_s, usual_width_s),
            log_ratio(_steepness(complex_mv), _steepness(usual_mv)),
            1.0 - t_product / max(sqrt(t_energy * float(t_wave @ t_wave)), 1e-9),
            within(t_product / max(t_energy, 1e-9), -2.0, 3.0),
        )

    def _own(
        self,
        window_mv: Float64Array,
        cuts: Float64Array,
        lateness: float,
        width_s: float,
        compensation: float,
    ) -> tuple[_Shape, float]:
        """The shape that the beat belongs to, a new one perhaps, and how like it is."""
        best, likeness = -1, 0.0
        self.unlike_last = 0.0
        if self._last_unit is not None:
            units = [shape.unit for shape in self._shapes]
            alike = (cuts @ np.array([*units, self._last_unit]).T).max(axis=0)
            self.unlike_last = 1.0 - float(alike[-1])
            best = int(alike[:-1].argmax())
            likeness = float(alike[best])
        self._last_unit = cuts[_LAGS]
        if likeness < _SAME_SHAPE:
            if len(self._shapes) == _SHAPES:
                self._shapes.remove(min(self._shapes, key=lambda shape: shape.weight))
            shape = _Shape(window_mv.copy(), cuts[_LAGS], lateness, width_s, compensation)
            self._shapes.append(shape)
            return shape, 1.0
        own = self._shapes[best]
        own.window_mv = own.window_mv + _LEARN * (window_mv - own.window_mv)
        own.unit = _unit(own.window_mv[QRS])
        own.lateness += _LEARN * (lateness - own.lateness)
        own.width_s += _LEARN * (width_s - own.width_s)
        own.compensation += _LEARN * (compensation - own.compensation)
        own.beats += 1
        return own, likeness


class _PWaves:
    """What precedes the QRS complex: in time, of the earliest, the latest, and after pauses."""

    def __init__(self) -> None:
        self._means: Float64Array | None = None
        self._present: Float64Array = np.empty(0)
        self._likenesses: list[float] = []
        self._likeness = 0.0
        self._rested = 0.0
        self.excess = 0.0
        """How much liker than usual the P wave is to that of beats in time."""
        self.excess_before = 0.0

    def weigh(self, aligned_mv: Float64Array, usual_mv: Float64Array) -> tuple[float, ...]:
        cuts = _shifted(aligned_mv, _P, _P_LAGS)
        cuts = cuts - cuts.sum(axis=1, keepdims=True) / cuts.shape[1]
        sizes = np.sqrt(np.einsum("ij,ij->i", cuts, cuts))
        self._present = cuts[_P_LAGS]
        if self._means is None:
            self._means = np.array([self._present] * 4)
        usual = self._means[0]
        mean_sizes = np.sqrt(np.einsum("ij,ij->i", self._means, self._means))
        alike = cuts @ self._means.T / np.maximum(sizes[:, None] * mean_sizes, 1e-9)
        here, early, late, rested = (float(value) for value in alike[_P_LAGS])
        lag = int(alike[:, 0].argmax())
        self._likeness = float(alike[lag, 0])
        size, usual_size = float(sizes[_P_LAGS]), float(mean_sizes[0])
        remembered = self._likenesses
        mean, recent, spread = 1.0, 1.0, 0.3
        if remembered:
            mean = sum(remembered) / len(remembered)
            recent = sum(remembered[-8:]) / len(remembered[-8:])
        if len(remembered) > 4:
            spread = sqrt(sum((one - mean) ** 2 for one in remembered) / len(remembered))
        self.excess = self._likeness - mean
        rest = self._present - usual
        swing_mv = _swing(usual_mv[QRS])
        in_time, early_ones, _, after_pauses = map(_unit, self._means)
        return (
            here,
            self._likeness,
            abs(lag - _P_LAGS) / _P_LAGS,
            within(here * size / max(usual_size, 1e-9), -2.0, 3.0),
            min(sqrt(float(rest @ rest)) / max(usual_size, 0.02 * swing_mv, 1e-9), 5.0),
            mean,
            recent,
            self.excess,
            within(self.excess / max(spread, 0.03), -8.0, 4.0),
            early - here,
            late - here,
            late - early,
            rested - here,
            1.0 - float(after_pauses @ in_time),
            1.0 - float(after_pauses @ early_ones),
            self._rested,
            log_ratio(_swing(aligned_mv[_P]), _swing(aligned_mv[QRS])),
            log_ratio(size, usual_size),
            log_ratio(usual_size, swing_mv),
        )

    def learn(self, intervals: Intervals) -> None:
        """A beat of the usual shape after another one: let it refine the averages it belongs to."""
        assert self._means is not None
        in_time = -0.15 < intervals.lateness < 0.3 and -0.15 < intervals.sinus_lateness < 0.4
        rates = (
            0.06 if in_time else 0.0,
            0.08 if intervals.rank < 0.3 else 0.0,
            0.08 if intervals.rank > 0.7 else 0.0,
            0.15 if intervals.after_pause else 0.0,
        )
        if intervals.after_pause:
            alike = float(_unit(self._present) @ _unit(self._means[3]))
            self._rested += 0.1 * (alike - self._rested)
        self._means = self._means + np.array(rates)[:, None] * (self._present - self._means)
        if in_time:
            self._likenesses = [*self._likenesses[-_P_MEMORY + 1 :], self._likeness]


def _shifted(window_mv: Float64Array, part: slice, lags: int) -> Float64Array:
    """A part of the window, shifted by −lags to +lags: shape (2 lags + 1, n)."""
    step = window_mv.strides[0]
    overlapping = np.ndarray(
        (2 * lags + 1, part.stop - part.start),
        window_mv.dtype,
        window_mv,
        (part.start - lags) * step,
        (step, step),
    )
    return overlapping.copy()


def _commonness(shape: _Shape) -> float:
    """How much a shape counts as this patient's normal: common, not early and not wide."""
    in_time = 1.0 if shape.lateness > EARLY else 0.5
    return shape.weight * in_time * min(1.0, (_NARROW_S / shape.width_s) ** 2)


def _centred(a: Float64Array) -> Float64Array:
    centred: Float64Array = a - a.sum() / len(a)
    return centred


def _unit(a: Float64Array) -> Float64Array:
    centred = _centred(a)
    scaled: Float64Array = centred / max(sqrt(float(centred @ centred)), 1e-9)
    return scaled


def _units(rows: Float64Array) -> Float64Array:
    rows = rows - rows.sum(axis=1, keepdims=True) / rows.shape[1]
    sizes = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    scaled: Float64Array = rows / np.maximum(sizes, 1e-9)[:, None]
    return scaled


def _swing(a: Float64Array) -> float:
    return float(a.max() - a.min())


def _steepness(a: Float64Array) -> float:
    return float(np.abs(a[1:] - a[:-1]).max())


def _width_s(complex_mv: Float64Array) -> float:
    """How long 5 to 95 % of the path of the QRS complex take, in seconds."""
    slope = complex_mv[1:] - complex_mv[:-1]
    path = (slope * slope).cumsum()
    low, high = path.searchsorted((0.05 * path[-1], 0.95 * path[-1]))
    return float(high - low + 1) / WINDOW_RATE_HZ

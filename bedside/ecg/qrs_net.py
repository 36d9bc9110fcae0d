"""How likely the heart beats now: a small causal convolutional network, in whole numbers.

Twenty milliseconds of signal make a frame. Layers of dilated convolutions (a temporal
convolutional network: Bai, Kolter and Koltun 2018) look back over five seconds of frames: at this
patient's beats, at the rhythm, at the noise. The output for a frame speaks of the moment
`LOOKAHEAD` frames before, so that the T wave's beginning or the end of an artefact is seen, too.

Weights and activations are whole numbers small enough for single precision to be exact: neither
the batches' size nor the machine changes a bit of the result.
"""

from __future__ import annotations

import numpy as np

from bedside.ecg import qrs_weights
from bedside.events import Float32Array, Float64Array

FRAME = 5
"""Samples of 250 Hz in a frame."""

LOOKAHEAD = 10
"""Frames between a moment and the output that speaks of it."""

SPIKE = 2
"""Samples of the longest spike that is taken away: a pacing pulse, 8 ms wide at 250 Hz."""

DILATIONS = (1, 2, 6, 20, 60)
TAPS = 4
CHANNELS = 32
INPUT_SAMPLES = 35
"""Samples that the first layer sees: 140 ms."""

WEIGHT_UNIT = 1.0 / 256.0
INPUT_UNIT = 1.0 / 32.0
ACTIVATION_UNIT = 1.0 / 64.0
LARGEST_INPUT = 64.0
LARGEST_ACTIVATION = 6.0

_LARGEST = np.array(LARGEST_INPUT / INPUT_UNIT)

_SHARE = 1.0 / 300.0
"""Of a frame in the size of the signal: a memory of 6 s."""

FLOOR_MV = 0.004
"""Changes smaller than this from one frame to the next are no heart."""

_YOUNG = 100
"""Frames until the size of the signal is known: from then on no frame counts above four sizes."""

_LEARNING = 300
"""Frames over which the first size is a plain mean."""

_PIECE = 50
"""Frames that are worked on at once."""

_ROOM = 2 * _PIECE
"""Frames that a layer takes before it moves its past to the front."""


class Unspiked:
    """A running median of five samples, whose output is `SPIKE` samples behind the input."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self._held: Float64Array | None = None

    def process(self, samples_mv: Float64Array) -> Float64Array:
        """Take samples of shape (n,); give the same number, less the first `SPIKE` of all."""
        if len(samples_mv) == 0:
            return samples_mv
        if self._held is None:
            self._held = samples_mv[[0] * SPIKE]
        held = np.concatenate((self._held, samples_mv))
        self._held = held[-2 * SPIKE :]
        if len(held) <= 2 * SPIKE:
            return np.empty(0)
        around = np.ndarray(
            (len(held) - 2 * SPIKE, 2 * SPIKE + 1), np.float64, held, strides=(8, 8)
        )
        middle: Float64Array = np.partition(around, SPIKE, axis=1)[:, SPIKE]
        return middle


class Changes:
    """What the network hears: the change from sample to sample against the signal's size."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self._last_mv: Float64Array | None = None
        self._last_sum_mv = 0.0
        self._frames = 0
        self._size_mv = 0.0

    def process(self, samples_mv: Float64Array) -> Float32Array:
        """Take whole frames, shape (5 · frames,), in mV; give whole units of the same shape."""
        sums_mv = np.add.reduce(samples_mv.reshape(-1, FRAME), axis=1)
        if self._last_mv is None:
            self._last_mv, self._last_sum_mv = samples_mv[:1], float(sums_mv[0])
        sizes_mv = self._sizes(sums_mv.tolist())
        joined = np.concatenate((self._last_mv, samples_mv))
        self._last_mv = samples_mv[-1:]
        changes = (joined[1:] - joined[:-1]).reshape(-1, FRAME)
        changes /= (INPUT_UNIT * np.array(sizes_mv))[:, None]
        np.maximum(changes, -_LARGEST, out=changes)
        np.minimum(changes, _LARGEST, out=changes)
        return np.rint(changes, out=changes).ravel().astype(np.float32)

    def _sizes(self, sums_mv: list[float]) -> list[float]:
        """The running mean of the change from frame to frame; a burst raises it slowly."""
        sizes_mv = []
        last_mv, size_mv, frames = self._last_sum_mv, self._size_mv, self._frames
        for sum_mv in sums_mv:
            step_mv = abs(sum_mv - last_mv) / FRAME
            last_mv = sum_mv
            if frames >= _YOUNG and step_mv > 4.0 * size_mv:
                step_mv = 4.0 * size_mv
            share = 1.0 / (frames + 1) if frames < _LEARNING else _SHARE
            size_mv += share * (step_mv - size_mv)
            if frames >= _YOUNG and size_mv < FLOOR_MV:
                size_mv = FLOOR_MV
            frames += 1
            sizes_mv.append(size_mv if size_mv > FLOOR_MV else FLOOR_MV)
        self._last_sum_mv, self._size_mv, self._frames = last_mv, size_mv, frames
        return sizes_mv


class _Layer:
    """One dilated convolution with the frames that it still needs.

    Each frame has one channel more than the network, which is always 1: what it weighs is the bias.
    """

    def __init__(self, weights: Float32Array, dilation: int) -> None:
        """`weights`, shape (4 · channels + 1, channels), hold the bias in the last row."""
        channels = weights.shape[1]
        by_tap = np.zeros((TAPS, channels + 1, channels), np.float32)
        by_tap[:, :-1] = weights[:-1].reshape(TAPS, channels, channels)
        by_tap[-1, -1] = weights[-1]
        self._weights: Float32Array = by_tap.reshape(-1, channels)
        self._past = (TAPS - 1) * dilation
        self._frames = np.zeros((self._past + _ROOM, channels + 1), np.float32)
        self._frames[:, -1] = 1.0
        self._next = self._past
        # All taps of every frame that there is room for, without a copy.
        frame, channel = self._frames.strides
        self._taps: Float32Array = np.ndarray(
            (_ROOM, TAPS, channels + 1),
            np.float32,
            self._frames,
            strides=(frame, dilation * frame, channel),
        )

    def process(self, sums: Float32Array) -> Float32Array:
        """Take (n, channels) sums of the layer before, n ≤ 50; give as many of its own."""
        n = len(sums)
        if self._next + n > len(self._frames):
            self._frames[: self._past] = self._frames[self._next - self._past : self._next]
            self._next = self._past
        _activate(sums, self._frames[self._next : self._next + n, :-1])
        first = self._next - self._past
        self._next += n
        # `dot` and not `@`, which takes twice as long to begin.
        found: Float32Array = self._taps[first : first + n].reshape(n, -1).dot(self._weights)
        return found


_LEAST = np.zeros((), np.float32)
_MOST = np.array(LARGEST_ACTIVATION / ACTIVATION_UNIT, np.float32)


def _activate(sums: Float32Array, out: Float32Array) -> None:
    """Between 0 and 6, in whole units; `sums` is used up."""
    np.maximum(sums, _LEAST, out=sums)
    np.minimum(sums, _MOST, out=sums)
    np.rint(sums, out=out)


def _unpacked() -> tuple[Float32Array, list[Float32Array], Float32Array]:
    """The weights of the first layer (36, c), of the dilated ones and of the output (c + 1,)."""
    weights = WEIGHT_UNIT * qrs_weights.WEIGHTS.astype(np.float32)
    sizes = [(INPUT_SAMPLES + 1) * CHANNELS, *[(TAPS * CHANNELS + 1) * CHANNELS] * len(DILATIONS)]
    first, *layers, last = np.split(weights, np.cumsum(sizes))
    return (
        first.reshape(-1, CHANNELS),
        [layer.reshape(-1, CHANNELS) for layer in layers],
        last,
    )


_FIRST, _LAYERS, _LAST = _unpacked()


class QrsNet:
    """Streaming network at 250 Hz: the log odds of a beat, one for each frame completed."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0."""
        self._held: Float64Array = np.empty(0)
        self._changes = Changes()
        self._past = np.zeros(INPUT_SAMPLES - FRAME, np.float32)
        self._seen = np.ones((_PIECE, INPUT_SAMPLES + 1), np.float32)
        self._layers = [
            _Layer(weights, dilation) for weights, dilation in zip(_LAYERS, DILATIONS, strict=True)
        ]

    def process(self, samples_mv: Float64Array) -> Float64Array:
        """Take samples of shape (n,) in mV, unspiked; give log odds, shape (frames completed,)."""
        held = np.concatenate((self._held, samples_mv))
        whole = len(held) // FRAME * FRAME
        self._held = held[whole:]
        odds = [
            self._piece(held[first : min(first + _PIECE * FRAME, whole)])
            for first in range(0, whole, _PIECE * FRAME)
        ]
        return np.concatenate(odds) if odds else np.empty(0)

    def _piece(self, samples_mv: Float64Array) -> Float64Array:
        """The log odds of whole frames, at most `_PIECE` of them."""
        n = len(samples_mv) // FRAME
        changes = np.concatenate((self._past, self._changes.process(samples_mv)))
        self._past = changes[FRAME - INPUT_SAMPLES :]
        # Overlapping windows of 140 ms, one row a frame.
        self._seen[:n, :-1] = np.ndarray(
            (n, INPUT_SAMPLES),
            np.float32,
            changes,
            strides=(FRAME * changes.itemsize, changes.itemsize),
        )
        sums: Float32Array = self._seen[:n].dot(_FIRST)
        for layer in self._layers:
            sums = layer.process(sums)
        _activate(sums, sums)
        odds: Float64Array = (sums.dot(_LAST[:-1]) + _LAST[-1]).astype(np.float64)
        return ACTIVATION_UNIT * odds

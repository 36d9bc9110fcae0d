"""The course of a bed's heart, from the beats that were recorded when they were found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.events import BeatClass, Float64Array
from bedside.recording.journal import CLASSES, BeatTable
from bedside.recording.spans import Span

LONGEST_RR_S = 3.0
"""Beats further apart tell no rate."""

_VENTRICULAR = CLASSES.index(BeatClass.VENTRICULAR)


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """One value a bin of `every_s` that begins at `wall_us`; arrays have shape (n,), NaN: unknown.

    `heart_rate_bpm` is 60 over the mean RR interval, `ectopic_per_min` counts ventricular beats,
    `abnormal_per_min` those above this patient's threshold, `error` is the median reconstruction
    error, in units of its threshold's scale.
    """

    every_s: float
    wall_us: NDArray[np.int64]
    heart_rate_bpm: Float64Array
    ectopic_per_min: Float64Array
    abnormal_per_min: Float64Array
    error: Float64Array


def trend_of(
    beats: Iterable[tuple[Span, BeatTable]], from_wall_us: int, to_wall_us: int, every_s: float
) -> Trend:
    """The trend of beats, each table within its span, in bins from `from_wall_us` on."""
    width_us = round(every_s * 1e6)
    bins = max(0, -(-(to_wall_us - from_wall_us) // width_us))
    walls_us, rr_s, errors = [np.empty(0)], [np.empty(0)], [np.empty(0)]
    ectopic, abnormal = [np.empty(0, np.bool_)], [np.empty(0, np.bool_)]
    for span, table in beats:
        since_s = (table.sample - span.first_sample) / span.rate_hz
        walls_us.append(span.from_wall_us + since_s * 1e6)
        intervals_s = np.diff(since_s, prepend=-np.inf)
        rr_s.append(np.where(intervals_s <= LONGEST_RR_S, intervals_s, np.nan))
        errors.append(table.error)
        ectopic.append(table.beat_class == _VENTRICULAR)
        abnormal.append(table.abnormal)
    number = ((np.concatenate(walls_us) - from_wall_us) // width_us).astype(np.int64)
    inside = (number >= 0) & (number < bins)
    number = number[inside]
    beats_in = np.bincount(number, minlength=bins)
    per_min = np.where(beats_in > 0, 60.0 / every_s, np.nan)

    def rate(flags: list[NDArray[np.bool_]]) -> Float64Array:
        counts = np.bincount(number[np.concatenate(flags)[inside]], minlength=bins)
        return np.asarray(counts * per_min, np.float64)

    return Trend(
        every_s=every_s,
        wall_us=from_wall_us + width_us * np.arange(bins, dtype=np.int64),
        heart_rate_bpm=60.0 / _means(number, np.concatenate(rr_s)[inside], bins),
        ectopic_per_min=rate(ectopic),
        abnormal_per_min=rate(abnormal),
        error=_medians(number, np.concatenate(errors)[inside], bins),
    )


def _means(number: NDArray[np.int64], values: Float64Array, bins: int) -> Float64Array:
    """The mean of the finite values of each bin, NaN where there are none."""
    finite = np.isfinite(values)
    counts = np.bincount(number[finite], minlength=bins)
    sums = np.bincount(number[finite], values[finite], minlength=bins)
    return np.asarray(sums / np.where(counts > 0, counts, np.nan), np.float64)


def _medians(number: NDArray[np.int64], values: Float64Array, bins: int) -> Float64Array:
    """The median of the finite values of each bin, NaN where there are none."""
    finite = np.isfinite(values)
    number, values = number[finite], values[finite]
    counts = np.bincount(number, minlength=bins)
    ordered = values[np.lexsort((values, number))]
    ends = np.cumsum(counts)
    some = counts > 0
    low = ordered[(ends - counts + (counts - 1) // 2)[some]]
    high = ordered[(ends - counts + counts // 2)[some]]
    medians = np.full(bins, np.nan)
    medians[some] = (low + high) / 2
    return medians

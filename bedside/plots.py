"""Plots in the terminal, drawn by plotext: for reports and trends, too slow for the live trace."""

from __future__ import annotations

import numpy as np
import plotext

from bedside.analysis import Analysis
from bedside.events import Float64Array

WIDTH_CELLS = 100
HEIGHT_CELLS = 14
_POINTS = 400


def trend(analysis: Analysis) -> str:
    """Heart rate and reconstruction error over a record's time, as lines of text without colour."""
    beats = [(beat, score) for beat, score in analysis.beats if beat.heart_rate_bpm]
    if len(beats) < 2:
        return "Too few beats for a trend."
    minutes = np.array([beat.time_us for beat, _ in beats]) / 60e6
    rate = np.array([beat.heart_rate_bpm for beat, _ in beats], dtype=np.float64)
    error = np.array([score.error for _, score in beats])
    return "\n".join(
        (
            _panel(minutes, rate, "heart rate, /min, over minutes"),
            _panel(minutes, np.minimum(error, 10 * np.median(error)), "reconstruction error"),
        )
    )


def course(
    hours: Float64Array,
    values: Float64Array,
    title: str,
    width: int,
    height: int,
    from_hour: float,
    step: float,
) -> list[str]:
    """Values over hours, shape (n,), up to hour 0, as lines of text; NaN leaves a hole.

    The values' axis runs between multiples of `step`.
    """
    known = np.isfinite(values)
    if np.count_nonzero(known) < 2:
        return [f"{title}: nothing is recorded yet"]
    hours, values = hours[known], values[known]
    kept = _extremes(values)
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.draw(figure.signal(hours[kept].tolist(), values[kept].tolist(), marker="braille"))
    figure.ruler("x").lim(from_hour, 0.0)
    ticks = [from_hour * quarter / 4 for quarter in range(5)]
    figure.ruler("x").ticks(ticks, [_ago(hours_ago) for hours_ago in ticks])
    low = np.floor(values.min() / step) * step
    figure.ruler("y").lim(low, max(np.ceil(values.max() / step) * step, low + step))
    figure.title(title)
    figure.plot_size(width, height)
    return str(figure.build().string(colorless=True)).splitlines()


def _ago(hours: float) -> str:
    """A moment before now: `-45 min`, `-18 h`, `now`."""
    if hours == 0:
        return "now"
    return f"{hours * 60:.0f} min" if abs(hours) < 2 else f"{hours:g} h"


def _panel(minutes: Float64Array, values: Float64Array, title: str) -> str:
    # A plain stride would drop the single high error that matters: keep each stretch's extremes.
    kept = _extremes(values)
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.draw(figure.signal(minutes[kept].tolist(), values[kept].tolist()).lines())
    figure.title(title)
    figure.plot_size(WIDTH_CELLS, HEIGHT_CELLS)
    return str(figure.build().string(colorless=True))


def _extremes(values: Float64Array) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    parts = np.array_split(np.arange(len(values)), min(len(values), _POINTS // 2))
    picked = {int(part[pick(values[part])]) for part in parts for pick in (np.argmin, np.argmax)}
    return np.array(sorted(picked), dtype=np.intp)

"""The course of heart rate and error, as plots with a common axis of hours before now."""

from __future__ import annotations

import numpy as np

from bedside import plots
from bedside.look_back import COURSE_S
from bedside.recording.trend import Trend

COURSES_H = (1.0, 6.0, 24.0, COURSE_S / 3600)
LEAST_COURSE_ROWS = 7


def hours_of(trend: Trend) -> float:
    """An hour, six, a day or three: as many as hold all that is recorded."""
    known = np.flatnonzero(np.isfinite(trend.heart_rate_bpm))
    if not len(known):
        return COURSES_H[0]
    needed = (len(trend.wall_us) - int(known[0])) * trend.every_s / 3600
    return next((hours for hours in COURSES_H if hours >= needed), COURSES_H[-1])


def course_lines(trend: Trend, hours_shown: float, width: int, height: int) -> list[str]:
    """The heart rate over the hours before now, and below it, where there is room, the error."""
    hours = (trend.wall_us - trend.wall_us[-1]) / 3.6e9 if len(trend.wall_us) else np.empty(0)
    curves = [
        (trend.heart_rate_bpm, "heart rate /min", 20.0),
        (trend.error, "reconstruction error", 0.5),
    ]
    if height < 2 * LEAST_COURSE_ROWS:
        curves = curves[:1]
    lines: list[str] = []
    for values, title, step in curves:
        rows = height // len(curves)
        lines += plots.course(hours, values, title, width, rows, -hours_shown, step)
    return lines


def plot_columns(lines: list[str]) -> tuple[int, int]:
    """Where the plot's own columns begin and stop, from the frame that plotext draws."""
    for line in lines:
        left = max(line.find(mark) for mark in "┤│┼┌")
        if left >= 0:
            return left + 1, max(left + 2, len(line.rstrip()) - 1)
    return 0, 1

"""A run of ventricular beats: how many of the last beats it is, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from bedside.events import WINDOW_RATE_HZ

BESIDE = 2
"""Ventricular beats on either side of one that ends no tachycardia …"""

FEWEST = 2 * BESIDE + 1
"""… and at least so many in all: two couplets around a normal beat are none."""

SHORTEST_S = 0.24
"""Beats nearer to each other, 250 a minute, are flutter or noise: they excuse no other beat."""

SAME_RATE = 0.92
"""A run whose RR intervals are longer than this share of the usual one has taken over nothing: it
is the same rhythm, conducted or recorded in another shape. Of 33 runs at 100/min and more in the
training records of MIT-BIH none has more than 0.84; calibration pulses have 1."""

UNEVEN = 2.0
"""Where every second RR interval is more than this many times the shortest, P or T waves were taken
for beats: no tachycardia."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run is, and whether it is faster than the rhythm before it."""

    rate_bpm: float
    taken_over: bool


def in_a_row(ventricular: Sequence[bool]) -> int:
    """Of the last beats, newest first, how many are ventricular up to the first that is not."""
    return sum(1 for _ in takewhile(bool, ventricular))


def bridged(ventricular: Sequence[bool], rr_s: Sequence[float], wanted: int) -> int:
    """The same, past one beat of another kind where `wanted` are not in a row without it.

    `rr_s` holds the interval before each of the beats, newest first; the oldest may lack one.

    The atria may capture a beat of a tachycardia, or meet one half-way (a fusion beat), and one may
    be misjudged. Such a beat ends no run if two ventricular ones stand on either side of it, they
    are `wanted` and five or more in all, and none is nearer to the next than `SHORTEST_S`.
    """
    strict = in_a_row(ventricular)
    if not BESIDE <= strict < wanted:
        return strict
    before = in_a_row(ventricular[strict + 1 :])
    if before < BESIDE or strict + before < max(wanted, FEWEST):
        return strict
    length = strict + 1 + before
    return strict if min(rr_s[: length - 1]) < SHORTEST_S else length


def pace(positions: Sequence[int], usual_s: float | None) -> Pace | None:
    """That of R peaks in order, two at least; None where it is that of the rhythm before.

    `usual_s` is the usual RR interval of that rhythm, None where it is not known.
    """
    interval_s = (positions[-1] - positions[0]) / WINDOW_RATE_HZ / (len(positions) - 1)
    if usual_s is not None and SAME_RATE <= interval_s / usual_s <= 1.0 / SAME_RATE:
        return None
    steps = [later - earlier for earlier, later in pairwise(positions)]
    taken_over = usual_s is None or interval_s < usual_s
    taken_over &= 2 * sum(step > UNEVEN * min(steps) for step in steps) < len(steps)
    return Pace(60.0 / interval_s, taken_over)

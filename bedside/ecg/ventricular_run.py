"""How many of the last beats are one ventricular tachycardia."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

BESIDE = 2
"""Ventricular beats on either side of one that ends no tachycardia …"""

FEWEST = 2 * BESIDE + 1
"""… and at least so many in all: two couplets around a normal beat are none."""

SHORTEST_S = 0.24
"""Beats nearer to each other, 250 a minute, are flutter or noise: they excuse no other beat."""


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

"""Whether every second beat is ventricular, and early; and where such a beat was not heard."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

Beats = Sequence[tuple[int, bool | None]]
"""Position of each beat, and whether it is ventricular: None where noise hides its shape."""

EARLY = 0.92
"""Into a premature beat the interval is shorter than this share of the one out of it."""

SAME_PAIR = 0.05
"""A normal beat that follows the other as a pair of them would, to within this share, hides a
ventricular one: in a lead that sees it from the side, that may be smaller than the noise."""

_TWO_PAIRS_AND_A_NORMAL = [False, True, False, True, False, False]

HIDING_BEATS = len(_TWO_PAIRS_AND_A_NORMAL)
"""So many beats `hides_ventricular` looks at."""


def hides_ventricular(beats: Beats) -> bool:
    """Whether a ventricular beat went unheard between the last two of `HIDING_BEATS` beats.

    Both are normal, two pairs came right before, and their interval is as long as a pair.
    """
    pair = _pair(beats)
    if pair is None or [early for _, early in beats] != _TWO_PAIRS_AND_A_NORMAL:
        return False
    interval = beats[-1][0] - beats[-2][0]
    return abs(interval - pair) <= SAME_PAIR * pair


def every_second_ventricular(beats: Beats, wanted: int) -> bool:
    """Judge the last `wanted` beats.

    One pair of them may be hidden, or its ventricular beat be unheard, where the pairs around it
    are as long.
    """
    beats = beats[-wanted:]
    pair = _pair(beats)
    if pair is None:
        return False
    pattern: list[bool | None] = [beats[0][1]]
    into, out_of = [], []
    for (earlier, was_early), (later, early) in pairwise(beats):
        interval = later - earlier
        if was_early is early is False and abs(interval - pair) <= SAME_PAIR * pair:
            pattern.append(None)
        elif early:
            into.append(interval)
        elif was_early:
            out_of.append(interval)
        pattern.append(early)
    pattern = pattern[-wanted:]
    return (
        len(pattern) == wanted
        and any(_alternates(pattern, first) for first in (False, True))
        and median(into) < EARLY * median(out_of)
    )


def _pair(beats: Beats) -> float | None:
    """The median length of a normal and a ventricular beat together, None where there is none."""
    lengths = [
        after[0] - before[0]
        for before, between, after in zip(beats, beats[1:], beats[2:], strict=False)
        if between[1] and before[1] is False and after[1] is False
    ]
    return median(lengths) if lengths else None


def _alternates(pattern: Sequence[bool | None], first: bool) -> bool:
    """Whether what is known of it alternates, and no more than a pair is not known."""
    for early in (False, True):
        those = pattern[0 if early is first else 1 :: 2]
        if (not early) in those or those.count(None) > 1:
            return False
    return True

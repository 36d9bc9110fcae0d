"""How many of the last beats are one ventricular run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

BESIDE = 2
"""Ventricular beats on either side of one that ends no run."""


def run_length(ventricular: Sequence[bool], wanted: int) -> int:
    """Of the last beats, newest first, those that belong to the run that ends with the newest.

    One beat of another kind among ventricular ones ends no tachycardia: the atria captured it, or
    met it half-way (a fusion beat), or it was misjudged. So where fewer than `wanted` are
    ventricular in a row, one such beat with two of them on either side belongs to the run, if that
    makes `wanted` ventricular beats. Two such beats do: couplets between normal beats are none.
    """
    strict = _in_a_row(ventricular)
    if not BESIDE <= strict < wanted:
        return strict
    before = _in_a_row(ventricular[strict + 1 :])
    if before < BESIDE or strict + before < wanted:
        return strict
    return strict + 1 + before


def _in_a_row(ventricular: Sequence[bool]) -> int:
    return sum(1 for _ in takewhile(bool, ventricular))

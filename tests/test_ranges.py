"""A set of ranges behaves like the set of its numbers."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.ranges import Ranges

spans = st.tuples(st.integers(-30, 30), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1]))


def as_ranges(numbers: set[int]) -> list[tuple[int, int]]:
    runs = groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0])
    groups = [[number for _, number in run] for _, run in runs]
    return [(group[0], group[-1]) for group in groups]


@given(st.lists(st.tuples(st.booleans(), spans)), spans)
def test_ranges_hold_what_a_set_would_hold(
    changes: list[tuple[bool, tuple[int, int]]], window: tuple[int, int]
) -> None:
    ranges, numbers = Ranges(), set[int]()
    for adds, (first, last) in changes:
        if adds:
            ranges.add(first, last)
            numbers |= set(range(first, last + 1))
        else:
            ranges.remove(first, last)
            numbers -= set(range(first, last + 1))
    assert list(ranges) == as_ranges(numbers)
    assert len(ranges) == len(as_ranges(numbers))
    assert all((n in ranges) == (n in numbers) for n in range(-40, 50))
    wanted = set(range(window[0], window[1] + 1)) - numbers
    assert list(ranges.holes(*window)) == as_ranges(wanted)
    if numbers:
        assert (ranges.first, ranges.last) == (min(numbers), max(numbers))


def test_a_reversed_range_is_refused() -> None:
    with pytest.raises(ValueError, match="reversed"):
        Ranges([(3, 2)])

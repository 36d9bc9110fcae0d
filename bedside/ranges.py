"""A set of integers kept as disjoint ranges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]
"""The first and the last number of a run, both included."""


class Ranges:
    """Integers as sorted, disjoint, non-touching ranges, both ends included."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __len__(self) -> int:
        """How many ranges (not how many numbers) there are."""
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._firsts, number) - 1
        return index >= 0 and number <= self._lasts[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def add(self, first: int, last: int) -> None:
        """Put `first` to `last` into the set; raises ValueError when they are reversed."""
        if last < first:
            raise ValueError(f"range {first} to {last} is reversed")
        left = bisect_left(self._lasts, first - 1)
        right = bisect_right(self._firsts, last + 1)
        if left < right:
            first = min(first, self._firsts[left])
            last = max(last, self._lasts[right - 1])
        self._firsts[left:right] = [first]
        self._lasts[left:right] = [last]

    def remove(self, first: int, last: int) -> None:
        """Take `first` to `last` out of the set, as far as they are in it."""
        left = bisect_left(self._lasts, first)
        right = bisect_right(self._firsts, last)
        if left >= right:
            return
        kept = []
        if self._firsts[left] < first:
            kept.append((self._firsts[left], first - 1))
        if self._lasts[right - 1] > last:
            kept.append((last + 1, self._lasts[right - 1]))
        self._firsts[left:right] = [each for each, _ in kept]
        self._lasts[left:right] = [each for _, each in kept]

    def holes(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The ranges within `first` to `last` that are not in the set, ascending."""
        index = bisect_left(self._lasts, first)
        while first <= last:
            if index == len(self._firsts) or self._firsts[index] > last:
                yield first, last
                return
            if self._firsts[index] > first:
                yield first, self._firsts[index] - 1
            first = self._lasts[index] + 1
            index += 1

    @property
    def first(self) -> int:
        """The smallest number; raises IndexError when the set is empty."""
        return self._firsts[0]

    @property
    def last(self) -> int:
        """The largest number; raises IndexError when the set is empty."""
        return self._lasts[-1]

"""How early a beat comes, from the RR intervals before it alone."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from statistics import fmean, median

from bedside.events import BeatTiming

RR_BEFORE = 8
"""RR intervals whose mean says what the next one should be."""

USUAL_RR = 300
USUAL_QUANTILE = 0.9
"""A patient's usual beat follows an interval as long as most of the last few minutes: in a run of
ectopic beats, or where they are the majority, the mean of the last eight says nothing."""

LONGEST_OF_MEDIAN = 1.5


@dataclass(eq=False)
class RRHistory:
    """The RR intervals of one stretch of signal; live monitor and training read the same."""

    _rr_s: deque[float] = field(default_factory=deque, init=False)
    _sorted_s: list[float] = field(default_factory=list, init=False)

    def add(self, rr_s: float) -> BeatTiming:
        """The timing of a beat that came `rr_s` after the beat before it; all 0 for the first."""
        timing = self._timing(rr_s) if self._rr_s else BeatTiming()
        self._rr_s.append(rr_s)
        insort(self._sorted_s, rr_s)
        if len(self._rr_s) > USUAL_RR:
            del self._sorted_s[bisect_left(self._sorted_s, self._rr_s.popleft())]
        return timing

    def _timing(self, rr_s: float) -> BeatTiming:
        recent = list(islice(reversed(self._rr_s), RR_BEFORE))
        # After a pause nothing is early: an interval counts as at most 1.5 of the median.
        longest_s = LONGEST_OF_MEDIAN * median(recent)
        usual_s = self._sorted_s[int(USUAL_QUANTILE * (len(self._sorted_s) - 1))]
        return BeatTiming(
            prematurity=1.0 - rr_s / fmean(min(one, longest_s) for one in recent),
            below_usual=1.0 - rr_s / usual_s,
        )

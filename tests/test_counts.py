"""What a station counts."""

from __future__ import annotations

import sys
from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bedside.counts import Counts, Newest

KEPT = 20_000


@given(st.integers(0, 3 * KEPT))
def test_the_newest_numbers_are_kept_in_their_order(many: int) -> None:
    newest, expected = Newest(), deque[float](maxlen=KEPT)
    for number in range(many):
        newest.append(number / 8)
        expected.append(number / 8)
    assert newest.in_order().tolist() == [*expected]
    found = newest.percentile(99)
    assert found == (float(np.percentile(expected, 99)) if expected else None)


def test_no_number_yet_has_no_percentile() -> None:
    summary = Counts().summary()
    assert summary["heart_rate_bpm"] is None
    assert summary["batch_to_event_p99_ms"] is None


def test_numbers_take_no_memory_of_their_own() -> None:
    """20 000 objects of 24 bytes each, and what points to them, would be four times as much."""
    counts = Counts()
    before = sys.getallocatedblocks()
    for number in range(KEPT):
        counts.latencies_s.append(number / 7)
    assert sys.getallocatedblocks() - before < 1000

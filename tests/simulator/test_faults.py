"""What a bad network does to publishes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bedside.simulator.faults import Faults
from bedside.simulator.uplink import Outgoing


def batches(count: int) -> list[Outgoing]:
    return [Outgoing(number, bytes([number]), replayed=False) for number in range(count)]


def sent(faults: Faults, count: int, every_s: float = 0.2, until_s: float = 60.0) -> list[int]:
    """Batches handed over one by one, and what left in the time after them."""
    left = []
    for number, each in enumerate(batches(count)):
        left += faults.apply([each], number * every_s)
    left += faults.apply([], until_s)
    return [each.sequence for each in left]


def test_a_good_network_changes_nothing() -> None:
    assert sent(Faults(), 20) == list(range(20))


def test_a_late_batch_leaves_after_its_seconds_behind_those_sent_meanwhile() -> None:
    faults = Faults(late=1.0, late_s=3.0)
    late, *others = batches(20)
    assert faults.apply([late], 10.0) == []
    faults.late = 0.0
    assert faults.apply(others, 12.9) == others
    assert faults.apply([], 13.0) == [late]
    assert faults.apply([], 14.0) == []
    assert faults.delayed == 1


def test_late_batches_keep_their_order_among_themselves() -> None:
    assert sent(Faults(late=1.0, late_s=5.0), 20) == list(range(20))


@given(
    late=st.floats(0.0, 1.0),
    hold=st.floats(0.0, 1.0),
    repeat=st.floats(0.0, 1.0),
    seed=st.integers(0, 99),
)
def test_late_held_and_repeated_batches_all_arrive_in_the_end(
    late: float, hold: float, repeat: float, seed: int
) -> None:
    faults = Faults(late=late, hold=hold, repeat=repeat, seed=seed)
    arrived = sent(faults, 40)
    faults.hold = faults.late = 0.0
    arrived += [each.sequence for each in faults.apply(batches(41)[40:], 61.0)]
    assert set(arrived) == set(range(41))

"""The stream tells live from late and repeated, reports every gap, acknowledges what is stored."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bedside.events import Batch, Flags
from bedside.node.stream import MAX_BOOTS, MAX_RANGES, Arrival, ArrivalKind, Lost, Stream
from bedside.node.wire import Ack

BOOT = 0xB007
MODULUS = 2**32
NO_FLAGS = Flags(0)


def batch(
    sequence: int,
    *,
    boot_id: int = BOOT,
    lowest_held: int = 0,
    dropped: int = 0,
    flags: Flags = NO_FLAGS,
    first_sample: int | None = None,
) -> Batch:
    return Batch(
        node="bed-1",
        flags=flags,
        boot_id=boot_id,
        sequence=sequence % MODULUS,
        first_sample=50 * sequence if first_sample is None else first_sample,
        wall_us=0,
        rate_mhz=250_000,
        nv_per_lsb=5000,
        dropped=dropped,
        lowest_held=lowest_held % MODULUS,
        samples=np.zeros(50, dtype=np.int16),
    )


def kinds(stream: Stream, batches: Iterable[Batch]) -> list[str]:
    return [stream.accept(each).kind.value for each in batches]


def test_batches_in_order_are_live_and_without_a_gap() -> None:
    stream = Stream("bed-1")
    assert stream.accept(batch(0)) == Arrival(ArrivalKind.LIVE, new_boot=True)
    assert stream.accept(batch(1)) == Arrival(ArrivalKind.LIVE)


def test_a_repeated_batch_is_told_from_a_new_one() -> None:
    stream = Stream("bed-1")
    assert kinds(stream, [batch(0), batch(1), batch(0), batch(1)]) == [
        "live",
        "live",
        "duplicate",
        "duplicate",
    ]
    assert stream.duplicates == 2


def test_a_gap_is_reported_with_its_batches_and_samples() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(3))
    assert stream.accept(batch(7)).gap == Lost(200, 350, first_sequence=4, last_sequence=6)


def test_samples_that_the_node_skipped_itself_are_a_gap_without_batches() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(0))
    assert stream.accept(batch(1, first_sample=75)).gap == Lost(50, 75)


def test_an_overtaken_batch_is_late_and_never_shown_as_now() -> None:
    stream = Stream("bed-1")
    assert kinds(stream, [batch(0), batch(2), batch(1), batch(3)]) == [
        "live",
        "live",
        "late",
        "live",
    ]


def test_a_replayed_batch_is_late_even_when_it_is_the_newest() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(0))
    assert stream.accept(batch(5, flags=Flags.REPLAYED)).kind is ArrivalKind.LATE
    assert stream.accept(batch(6)).gap == Lost(50, 300, first_sequence=1, last_sequence=5)


def test_a_newer_batch_with_older_samples_is_not_shown_twice() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(0))
    assert stream.accept(batch(1, first_sample=20)).kind is ArrivalKind.LATE


def test_a_new_boot_is_live_with_its_first_batch_and_the_old_boot_is_late_from_then_on() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(9))
    assert stream.accept(batch(0, boot_id=2)) == Arrival(ArrivalKind.LIVE, new_boot=True)
    assert stream.accept(batch(10)).kind is ArrivalKind.LATE
    assert stream.accept(batch(1, boot_id=2)) == Arrival(ArrivalKind.LIVE)
    assert stream.boot_id == 2


def test_boot_id_zero_is_a_boot_like_any_other() -> None:
    stream = Stream("bed-1")
    assert kinds(stream, [batch(0, boot_id=0), batch(1, boot_id=0)]) == ["live", "live"]


def test_what_a_reset_node_still_owed_is_lost() -> None:
    stream = Stream("bed-1")
    kinds(stream, [batch(0), batch(4), batch(0, boot_id=2)])
    assert stream.lost_batches == 3


def test_sequence_numbers_wrap_without_a_gap() -> None:
    stream = Stream("bed-1")
    last = MODULUS - 1
    arrivals = [
        stream.accept(batch(last + n, first_sample=50 * n, lowest_held=last)) for n in range(3)
    ]
    assert [each.kind.value for each in arrivals] == ["live"] * 3
    assert all(each.gap is None for each in arrivals)
    stream.stored(BOOT, last, 1)
    assert stream.acknowledgement() == Ack(BOOT, 1)
    assert stream.lost_batches == 0


def test_a_gap_across_wrap_around_is_asked_for() -> None:
    stream = Stream("bed-1")
    start = MODULUS - 2
    stream.accept(batch(start, lowest_held=start))
    stream.accept(batch(start + 4, lowest_held=start))
    stream.stored(BOOT, start, start)
    stream.stored(BOOT, 2, 2)
    assert stream.acknowledgement() == Ack(BOOT, 2, ((MODULUS - 1, 1),))


def test_nothing_is_acknowledged_before_it_is_stored() -> None:
    stream = Stream("bed-1")
    assert stream.acknowledgement() is None
    kinds(stream, [batch(0), batch(1), batch(2)])
    assert stream.acknowledgement() is None
    stream.stored(BOOT, 0, 1)
    assert stream.acknowledgement() == Ack(BOOT, 1)


def test_batches_before_the_first_one_are_asked_for_although_nothing_is_stored() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(1))
    assert stream.acknowledgement() == Ack(BOOT, 0, ((0, 0),))


def test_missing_batches_are_asked_for_and_acknowledged_once_they_came() -> None:
    stream = Stream("bed-1")
    kinds(stream, [batch(0), batch(5)])
    stream.stored(BOOT, 0, 0)
    stream.stored(BOOT, 5, 5)
    assert stream.acknowledgement() == Ack(BOOT, 5, ((1, 4),))
    assert stream.missing_batches == 4
    kinds(stream, [batch(n, flags=Flags.REPLAYED) for n in range(1, 5)])
    stream.stored(BOOT, 1, 4)
    assert stream.acknowledgement() == Ack(BOOT, 5)
    assert stream.missing_batches == 0


def test_the_cumulative_number_stops_before_the_17th_missing_range() -> None:
    stream = Stream("bed-1")
    for n in range(0, 60, 2):
        stream.accept(batch(n))
        stream.stored(BOOT, n, n)
    ack = stream.acknowledgement()
    assert ack == Ack(BOOT, 32, tuple((n, n) for n in range(1, 32, 2)))


def test_what_the_node_no_longer_holds_is_lost_and_no_longer_asked_for() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(0))
    stream.accept(batch(10, lowest_held=7, dropped=6))
    stream.stored(BOOT, 0, 0)
    stream.stored(BOOT, 10, 10)
    assert stream.acknowledgement() == Ack(BOOT, 10, ((7, 9),))
    assert stream.lost_batches == 6


def test_what_an_earlier_station_acknowledged_is_not_counted_as_lost() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(100, lowest_held=100, dropped=3))
    assert stream.lost_batches == 3


def test_a_stale_lowest_number_does_not_bring_lost_batches_back() -> None:
    stream = Stream("bed-1")
    stream.accept(batch(0))
    stream.accept(batch(10, lowest_held=7))
    stream.accept(batch(8, lowest_held=2, flags=Flags.REPLAYED))
    assert stream.lost_batches == 6


def test_a_batch_that_could_not_be_written_is_asked_for_again_and_welcome() -> None:
    stream = Stream("bed-1")
    kinds(stream, [batch(0), batch(1), batch(2)])
    stream.stored(BOOT, 0, 0)
    stream.stored(BOOT, 2, 2)
    stream.not_stored(BOOT, 0, 1)
    assert stream.acknowledgement() == Ack(BOOT, 2, ((1, 1),))
    assert stream.accept(batch(1, flags=Flags.REPLAYED)).kind is ArrivalKind.LATE
    assert stream.accept(batch(0)).kind is ArrivalKind.DUPLICATE


def test_after_a_restart_the_recording_tells_duplicates_and_what_is_missing() -> None:
    stream = Stream("bed-1", {1: [(0, 50)], BOOT: [(0, 10), (13, 20)]})
    assert stream.acknowledgement() is None
    assert stream.accept(batch(20)).kind is ArrivalKind.DUPLICATE
    assert stream.accept(batch(23)) == Arrival(ArrivalKind.LIVE, new_boot=True)
    stream.stored(BOOT, 23, 23)
    assert stream.acknowledgement() == Ack(BOOT, 23, ((11, 12), (21, 22)))
    assert stream.accept(batch(50, boot_id=1)).kind is ArrivalKind.DUPLICATE


def test_a_restart_after_wrap_around_finds_the_beginning_again() -> None:
    restored = {BOOT: [(0, 4), (MODULUS - 10, MODULUS - 1)]}
    stream = Stream("bed-1", restored)
    stream.accept(batch(6, lowest_held=MODULUS - 3))
    stream.stored(BOOT, 6, 6)
    assert stream.acknowledgement() == Ack(BOOT, 6, ((5, 5),))
    assert stream.lost_batches == 0


def test_memory_stays_bounded_over_many_boots_and_many_holes() -> None:
    stream = Stream("bed-1")
    for boot_id in range(3 * MAX_BOOTS):
        stream.accept(batch(0, boot_id=boot_id))
    assert len(stream._boots) == MAX_BOOTS
    for n in range(0, 2 * (MAX_RANGES + 50), 2):
        stream.accept(batch(n, boot_id=999))
    assert len(stream._boots[999].received) == MAX_RANGES
    assert stream.lost_batches == 50


deliveries = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), max_size=80)
starts = st.sampled_from([0, 7, MODULUS - 20, MODULUS - 1, 2**31])


@given(deliveries, starts)
def test_any_order_loss_and_repetition_reports_every_gap_and_invents_nothing(
    delivered: list[tuple[int, bool, bool]], start: int
) -> None:
    """Live batches and the gaps between them tile the time from the first live batch on."""
    stream = Stream("bed-1")
    kept, live_to, stored = set[int](), None, set[int]()
    for number, replayed, synced in delivered:
        flags = Flags.REPLAYED if replayed else Flags(0)
        arrival = stream.accept(
            batch(start + number, first_sample=50 * number, lowest_held=start, flags=flags)
        )
        assert (arrival.kind is ArrivalKind.DUPLICATE) == (number in kept)
        kept.add(number)
        if arrival.kind is ArrivalKind.LIVE:
            assert not replayed
            if live_to is None:
                assert arrival.new_boot
            elif arrival.gap is None:
                assert live_to == 50 * number
            else:
                assert (arrival.gap.from_sample, arrival.gap.to_sample) == (live_to, 50 * number)
                assert arrival.gap.first_sequence == (start + live_to // 50) % MODULUS
                assert arrival.gap.last_sequence == (start + number - 1) % MODULUS
            live_to = 50 * (number + 1)
        if synced:
            stream.stored(BOOT, (start + number) % MODULUS, (start + number) % MODULUS)
            stored.add(number)
        check_acknowledgement(stream.acknowledgement(), start, kept, stored)


def check_acknowledgement(ack: Ack | None, start: int, kept: set[int], stored: set[int]) -> None:
    """It frees only what is stored, asks only for what never came, and goes as far as it can."""
    first_waiting = min(kept - stored, default=max(kept) + 1)
    if ack is None:
        assert first_waiting == 0
        return
    cumulative = (ack.cumulative - start) % MODULUS
    asked = {
        number % MODULUS
        for first, last in ack.missing
        for number in range(
            (first - start) % MODULUS, (first - start) % MODULUS + (last - first) % MODULUS + 1
        )
    }
    assert set(range(cumulative + 1)) - asked <= stored
    assert not asked & kept
    assert cumulative == first_waiting - 1 or len(ack.missing) == 16


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, MODULUS - 1), st.integers(0, 2**64))))
def test_hostile_numbers_raise_nothing(numbers: list[tuple[int, int, int]]) -> None:
    stream = Stream("bed-1", {0: [(5, 4), (0, MODULUS - 1)]})
    for boot_id, sequence, other in numbers:
        stream.accept(
            batch(
                sequence,
                boot_id=boot_id,
                lowest_held=other,
                dropped=other % MODULUS,
                first_sample=other,
            )
        )
        stream.stored(boot_id, sequence, other % MODULUS)
        stream.acknowledgement()
        assert stream.lost_batches >= 0
        assert stream.missing_batches >= 0

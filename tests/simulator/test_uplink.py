"""The node keeps each batch until the bedside has it, and sends again what was asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bedside.events import Batch, Flags
from bedside.node.stream import ArrivalKind, Stream
from bedside.node.wire import Ack, decode_batch
from bedside.simulator.batcher import Cut
from bedside.simulator.uplink import Outgoing, Uplink

BOOT = 77


def uplink(store_batches: int = 100, **settings: float) -> Uplink:
    return Uplink("bed-1", BOOT, 250_000, 5000, store_batches=store_batches, **settings)


def sample(node: Uplink, numbers: range, wall_us: int = 0) -> None:
    """Keep batches number by number, each sampled at its number × 0.2 s."""
    for n in numbers:
        node.keep(Cut(50 * n, np.full(50, n, dtype=np.int16), Flags(0)), wall_us, 0.2 * n)


def decoded(outgoing: list[Outgoing]) -> list[Batch]:
    return [decode_batch(each.payload, "bed-1", 0) for each in outgoing]


def sequences(outgoing: list[Outgoing]) -> list[int]:
    return [each.sequence for each in outgoing]


def test_a_batch_leaves_at_once_and_once() -> None:
    node = uplink()
    sample(node, range(1))
    (batch,) = decoded(node.outgoing(0.0))
    assert (batch.sequence, batch.first_sample, batch.flags) == (0, 0, Flags(0))
    assert batch.samples.tolist() == [0] * 50
    assert node.outgoing(0.1) == []


def test_a_synced_clock_is_flagged() -> None:
    node = uplink()
    sample(node, range(1), wall_us=1_795_406_400_000_000)
    (batch,) = decoded(node.outgoing(0.0))
    assert batch.flags == Flags.CLOCK_SYNCED
    assert batch.wall_us == 1_795_406_400_000_000


def test_a_puback_frees_nothing_and_an_acknowledgement_does() -> None:
    node = uplink()
    sample(node, range(4))
    for token, each in enumerate(node.outgoing(0.6)):
        node.sent(each.sequence, token)
        node.published(token)
    assert node.backlog_batches == 4
    node.acknowledged(Ack(BOOT, 2, ((1, 1),)))
    assert node.backlog_batches == 2
    assert node.backlog_s(1.2) == 1.0


def test_missing_batches_are_sent_again_and_carry_the_lowest_number_held() -> None:
    node = uplink()
    sample(node, range(10))
    node.outgoing(1.8)
    node.acknowledged(Ack(BOOT, 9, ((3, 4), (7, 7))))
    again = decoded(node.outgoing(30.0))
    assert [batch.sequence for batch in again] == [3, 4, 7]
    assert {batch.lowest_held for batch in again} == {3}
    assert all(batch.flags & Flags.REPLAYED for batch in again)


def test_what_was_not_pubacked_is_sent_again_after_a_reconnect() -> None:
    node = uplink()
    sample(node, range(3))
    for each in node.outgoing(0.4):
        node.sent(each.sequence, 10 + each.sequence)
    node.published(11)
    node.disconnected()
    assert sequences(node.outgoing(0.5)) == [0, 2]


def test_what_could_not_leave_is_sent_again() -> None:
    node = uplink()
    sample(node, range(1))
    node.outgoing(0.0)
    node.sent(0, None)
    assert sequences(node.outgoing(0.5)) == [0]


def test_after_an_outage_live_goes_first_and_the_rest_oldest_first_at_20_a_second() -> None:
    node = uplink(store_batches=1000)
    sample(node, range(300))
    now_s, order = 59.8, []
    order += sequences(node.outgoing(now_s))
    live = [n for n in order if n >= 280]
    assert order[: len(live)] == live
    for step in range(1, 51):
        order += sequences(node.outgoing(now_s + 0.1 * step))
    older = order[len(live) :]
    assert older == list(range(len(older)))
    assert 90 <= len(older) <= 105


def test_the_newest_batch_of_a_stream_that_has_ended_is_sent_again_until_acknowledged() -> None:
    node = uplink()
    sample(node, range(3))
    for token, each in enumerate(node.outgoing(0.4)):
        node.sent(each.sequence, token)
    assert node.outgoing(9.0) == []
    for token in range(3):
        node.published(token)
    assert sequences(node.outgoing(9.0)) == [2]
    assert node.outgoing(14.0) == []
    assert sequences(node.outgoing(14.1)) == [2]
    node.acknowledged(Ack(BOOT, 2))
    assert node.outgoing(60.0) == []


def test_a_full_store_drops_its_oldest_and_counts_it() -> None:
    node = uplink(store_batches=5)
    sample(node, range(8))
    batches = decoded(node.outgoing(1.4))
    assert [batch.sequence for batch in batches] == [3, 4, 5, 6, 7]
    assert {(batch.dropped, batch.lowest_held) for batch in batches} == {(3, 3)}
    node.acknowledged(Ack(BOOT, 7, ((0, 2),)))
    assert node.outgoing(9.0) == []


def test_a_foreign_or_impossible_acknowledgement_changes_nothing() -> None:
    node = uplink()
    sample(node, range(3))
    node.acknowledged(Ack(BOOT + 1, 2))
    node.acknowledged(Ack(BOOT, 3))
    node.acknowledged(Ack(BOOT, 2**32 - 1))
    assert node.backlog_batches == 3


def test_acknowledgements_hold_across_wrap_around() -> None:
    node = uplink(first_sequence=2**32 - 2)
    sample(node, range(5))
    assert [b.sequence for b in decoded(node.outgoing(0.8))] == [2**32 - 2, 2**32 - 1, 0, 1, 2]
    node.acknowledged(Ack(BOOT, 1, ((2**32 - 1, 0),)))
    assert node.backlog_batches == 3
    assert [b.sequence for b in decoded(node.outgoing(5.0))] == [2**32 - 1, 0]


steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # batches sampled
        st.sampled_from(["arrive", "lost at the broker", "connection lost", "twice", "reversed"]),
        st.booleans(),  # the station syncs and acknowledges
    ),
    max_size=60,
)


@given(steps, st.integers(3, 40), st.sampled_from([0, 2**32 - 5]))
def test_nothing_is_lost_that_the_store_could_hold(
    happened: list[tuple[int, str, bool]], store_batches: int, first_sequence: int
) -> None:
    """Node and stream together, over a network that does its worst and then recovers."""
    node = uplink(store_batches=store_batches, first_sequence=first_sequence, resend_per_s=1000.0)
    stream, recorded, unsynced = Stream("bed-1"), dict[int, Batch](), list[int]()
    now_s, sampled, token = 0.0, 0, 0

    def receive(batch: Batch) -> None:
        if stream.accept(batch).kind is not ArrivalKind.DUPLICATE:
            assert batch.sequence not in recorded
            recorded[batch.sequence] = batch
            unsynced.append(batch.sequence)

    def sync() -> None:
        for sequence in unsynced:
            stream.stored(BOOT, sequence, sequence)
        unsynced.clear()
        ack = stream.acknowledgement()
        if ack is not None:
            node.acknowledged(ack)

    recovery = [(1, "arrive", True)] * (store_batches + 70)
    for count, network, syncs in [*happened, *recovery]:
        now_s += 0.2
        for _ in range(count):
            node.keep(Cut(50 * sampled, np.full(50, sampled % 30000, np.int16), Flags(0)), 0, now_s)
            sampled += 1
        outgoing = node.outgoing(now_s)
        for each in outgoing:
            token += 1
            node.sent(each.sequence, token)
            if network != "connection lost":
                node.published(token)
        if network == "connection lost":
            node.disconnected()
        elif network != "lost at the broker":
            order = outgoing[::-1] if network == "reversed" else outgoing
            for batch in decoded(order) * (2 if network == "twice" else 1):
                receive(batch)
        if syncs:
            sync()
    received = {(sequence - first_sequence) % 2**32 for sequence in recorded}
    assert stream.missing_batches == 0
    assert len(received) + node.dropped >= sampled
    assert stream.lost_batches == sampled - len(received)
    for sequence, batch in recorded.items():
        number = (sequence - first_sequence) % 2**32
        assert batch.first_sample == 50 * number
        assert set(batch.samples.tolist()) == {number % 30000}

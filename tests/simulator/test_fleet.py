"""A ward's worth of nodes sends what as many single ones would."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from bedside.broker_address import Address
from bedside.events import Batch, Flags
from bedside.node import wire
from bedside.node.link import Link
from bedside.node.stream import Stream
from bedside.simulator.fleet import Fleet, stretch_of
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from tests.mosquitto import Mosquitto

NAMES = [f"icu-{number}" for number in range(1, 21)]
WAIT_S = 60.0


class Bedside:
    """Hears every node, and acknowledges each batch at once, as if memory were a disk."""

    def __init__(self, broker: Mosquitto) -> None:
        self.kept: dict[str, dict[int, Batch]] = defaultdict(dict)
        self.news = threading.Condition()
        self.up = threading.Event()
        self._streams = {name: Stream(name) for name in NAMES}
        self.link = Link(
            Address("127.0.0.1", broker.port),
            client_id="bedside",
            subscriptions=(wire.ecg_topic("+"),),
            on_message=self._heard,
            on_state=lambda up, _: self.up.set() if up else None,
        )

    def _heard(self, topic: str, payload: bytes) -> None:
        name, _ = wire.node_of(topic) or ("", "")
        batch = wire.decode_batch(payload, name, 0)
        stream = self._streams[name]
        stream.accept(batch)
        stream.stored(batch.boot_id, batch.sequence, batch.sequence)
        ack = stream.acknowledgement()
        assert ack is not None
        self.link.publish(wire.ack_topic(name), wire.encode_ack(ack), 1)
        with self.news:
            self.kept[name][batch.sequence] = batch
            self.news.notify_all()

    def wait_for_batches(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(
                lambda: len(self.kept) == len(NAMES) and min(map(len, self.kept.values())) >= count,
                WAIT_S,
            )


def test_every_node_has_its_own_boot_and_clock_and_loses_nothing_to_a_killed_broker(
    mosquitto: Mosquitto,
) -> None:
    stretch = stretch_of(PatientSource(SyntheticPatient(), parse_episodes("sinus")), seconds=3)
    bedside = Bedside(mosquitto)
    bedside.link.start()
    try:
        assert bedside.up.wait(WAIT_S)
        with Fleet(NAMES, [stretch], Address("127.0.0.1", mosquitto.port)) as fleet:
            bedside.wait_for_batches(5)
            mosquitto.kill()
            mosquitto.start()
            bedside.wait_for_batches(20)  # more than the stretch holds: it is played in turns
            fleet.end_sampling()
            assert fleet.wait_until_acknowledged(WAIT_S)
            assert fleet.counts.dropped == 0
            assert fleet.counts.connected == len(NAMES)
    finally:
        bedside.link.stop()
    whole = np.concatenate([each.samples for each in stretch.cuts])
    for batches in bedside.kept.values():
        ordered = [batches[sequence] for sequence in sorted(batches)]
        assert sorted(batches) == list(range(len(batches)))
        assert len({batch.boot_id for batch in ordered}) == 1
        assert [batch.first_sample for batch in ordered] == [50 * n for n in range(len(ordered))]
        assert all(batch.flags & Flags.SYNTHETIC for batch in ordered)
        lasted_us = ordered[-1].wall_us - ordered[0].wall_us
        assert abs(lasted_us - 200_000 * (len(ordered) - 1)) < 1000
        sent = np.concatenate([batch.samples for batch in ordered])
        assert sent[: len(whole)].sum() == whole.sum()  # from another place, in turns
        assert np.array_equal(sent[len(whole) :], sent[: len(sent) - len(whole)])
    assert len({batches[0].boot_id for batches in bedside.kept.values()}) == len(NAMES)
    assert len({batches[0].rate_mhz for batches in bedside.kept.values()}) > 5


def test_nodes_that_nobody_hears_keep_what_they_sampled(mosquitto: Mosquitto) -> None:
    stretch = stretch_of(PatientSource(SyntheticPatient(), parse_episodes("sinus")), seconds=3)
    mosquitto.kill()
    with Fleet(NAMES[:2], [stretch], Address("127.0.0.1", mosquitto.port)) as fleet:
        wait_for(lambda: fleet.counts.waiting >= 6)
        assert fleet.counts.sent == 0
        mosquitto.start()
        wait_for(lambda: fleet.counts.sent >= 6)


def wait_for(condition: Callable[[], bool]) -> None:
    never = threading.Event()
    give_up_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_s, "it never came true"
        never.wait(0.02)

"""The virtual node over real brokers: every sample arrives, bit for bit."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import numpy as np
import pytest

from bedside.broker_address import Address
from bedside.events import Batch
from bedside.node import wire
from bedside.node.broker import DemoBroker
from bedside.node.link import Link
from bedside.node.stream import ArrivalKind, Stream
from bedside.recording.record_reader import read_record
from bedside.simulator.faults import Faults
from bedside.simulator.source import BUNDLED_RECORD, RecordSource
from bedside.simulator.virtual_node import VirtualNode
from tests.mosquitto import Mosquitto

WAIT_S = 60.0


class Bedside:
    """Takes batches and acknowledges each at once, as if memory were a disk."""

    def __init__(self, port: int) -> None:
        self.kept: dict[tuple[int, int], Batch] = {}
        self.status: list[dict[str, object]] = []
        self.stream = Stream("bed-1")
        self.changed = threading.Condition()
        self._up = threading.Event()
        self._link = Link(
            Address("127.0.0.1", port),
            client_id="bedside",
            subscriptions=(wire.ecg_topic("+"), wire.status_topic("+"), wire.meta_topic("+")),
            on_message=self._received,
            on_state=lambda up, _detail: self._up.set() if up else None,
        )

    def __enter__(self) -> Bedside:
        self._link.start()
        assert self._up.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._link.stop()

    def command(self, text: str) -> None:
        assert self._link.publish(wire.cmd_topic("bed-1"), json.dumps(text).encode(), 1)

    def wait_for(self, condition: Callable[[], object]) -> bool:
        with self.changed:
            return bool(self.changed.wait_for(condition, WAIT_S))

    def samples(self, boot_id: int) -> np.ndarray:
        batches = [batch for (boot, _), batch in sorted(self.kept.items()) if boot == boot_id]
        return np.concatenate([batch.samples for batch in batches])

    def _received(self, topic: str, payload: bytes) -> None:
        with self.changed:
            if topic == wire.ecg_topic("bed-1"):
                self._keep(wire.decode_batch(payload, "bed-1", 0))
            else:
                self.status.append(json.loads(payload))
            self.changed.notify_all()

    def _keep(self, batch: Batch) -> None:
        if self.stream.accept(batch).kind is not ArrivalKind.DUPLICATE:
            self.kept[batch.boot_id, batch.sequence] = batch
            self.stream.stored(batch.boot_id, batch.sequence, batch.sequence)
        ack = self.stream.acknowledgement()
        if ack is not None:
            self._link.publish(wire.ack_topic("bed-1"), wire.encode_ack(ack), 1)


def record_units(start_s: int, seconds: int) -> np.ndarray:
    record = read_record(BUNDLED_RECORD).samples_mv[250 * start_s : 250 * (start_s + seconds)]
    return np.round(record * 200).astype(np.int16)


def test_a_record_arrives_bit_for_bit_with_where_it_is_from() -> None:
    source = RecordSource(BUNDLED_RECORD, start_s=10, seconds=30)
    with (
        DemoBroker() as broker,
        Bedside(broker.port) as bedside,
        VirtualNode(source, "bed-1", "127.0.0.1", broker.port, speed=30) as node,
    ):
        assert node.wait_until_sent(WAIT_S)
        np.testing.assert_array_equal(bedside.samples(node.boot_id), record_units(10, 30))
        assert {batch.rate_hz for batch in bedside.kept.values()} == {250.0}
        assert bedside.wait_for(lambda: [s for s in bedside.status if s.get("state") == "online"])
        assert [meta for meta in bedside.status if meta.get("wire") == 1]


def test_wall_time_runs_with_the_samples() -> None:
    source = RecordSource(BUNDLED_RECORD, seconds=4)
    with (
        DemoBroker() as broker,
        Bedside(broker.port) as bedside,
        VirtualNode(source, "bed-1", "127.0.0.1", broker.port, speed=20) as node,
    ):
        assert node.wait_until_sent(WAIT_S)
        starts = [batch.wall_us for _, batch in sorted(bedside.kept.items())]
    assert set(np.diff(starts)) == {200_000}


def test_a_killed_broker_costs_no_batch(mosquitto: Mosquitto) -> None:
    source = RecordSource(BUNDLED_RECORD, seconds=40)
    with (
        Bedside(mosquitto.port) as bedside,
        VirtualNode(source, "bed-1", "127.0.0.1", mosquitto.port, speed=10) as node,
    ):
        assert bedside.wait_for(lambda: len(bedside.kept) >= 60)
        mosquitto.kill()
        mosquitto.start()
        assert node.wait_until_sent(WAIT_S)
        np.testing.assert_array_equal(bedside.samples(node.boot_id), record_units(0, 40))
        assert bedside.stream.lost_batches == 0


def test_a_bad_network_costs_no_batch(mosquitto: Mosquitto) -> None:
    source = RecordSource(BUNDLED_RECORD, seconds=40, loop=True)
    faults = Faults(drop=0.1, repeat=0.1, hold=0.1, late=0.1, late_s=1.0, seed=3)
    with (
        Bedside(mosquitto.port) as bedside,
        VirtualNode(source, "bed-1", "127.0.0.1", mosquitto.port, speed=20, faults=faults) as node,
    ):
        assert bedside.wait_for(
            lambda: {(node.boot_id, n) for n in range(200)} <= set(bedside.kept)
        )
        first_40_s = bedside.samples(node.boot_id)[:10_000]
    assert faults.dropped > 0
    assert faults.delayed > 0
    np.testing.assert_array_equal(first_40_s, record_units(0, 40))


def test_a_reboot_begins_a_new_boot_at_sample_zero() -> None:
    source = RecordSource(BUNDLED_RECORD, loop=True)
    with (
        DemoBroker() as broker,
        Bedside(broker.port) as bedside,
        VirtualNode(source, "bed-1", "127.0.0.1", broker.port, speed=20) as node,
    ):
        assert bedside.wait_for(lambda: len(bedside.kept) >= 5)
        first_boot = node.boot_id
        bedside.command("reboot")
        assert bedside.wait_for(lambda: [b for b, n in bedside.kept if b != first_boot and n > 1])
        assert node.boot_id != first_boot
        assert bedside.kept[node.boot_id, 0].first_sample == 0


def test_a_node_that_leaves_says_that_it_is_offline() -> None:
    source = RecordSource(BUNDLED_RECORD)
    with DemoBroker() as broker, Bedside(broker.port) as bedside:
        with VirtualNode(source, "bed-1", "127.0.0.1", broker.port) as node:
            assert bedside.wait_for(lambda: bedside.kept)
            boot_id = node.boot_id
        assert bedside.wait_for(lambda: bedside.status[-1].get("state") == "offline")
        assert bedside.status[-1]["boot_id"] == boot_id


@pytest.mark.parametrize(("name", "speed"), [("Bed 1", 1.0), ("bed-1", 0.0), ("bed-1", -1.0)])
def test_a_node_that_cannot_be_is_refused(name: str, speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        VirtualNode(RecordSource(BUNDLED_RECORD), name, "127.0.0.1", 1, speed=speed)

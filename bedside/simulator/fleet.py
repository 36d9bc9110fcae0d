"""A ward's worth of nodes without hardware, in one thread: what a station and a broker can bear.

Every node has a connection, a boot, a store and a clock of its own, follows the same policy as a
single virtual node (`uplink`) and leaves nothing out: acknowledgements, batches sent again, status,
last will. Only the signal is shared: a stretch that was computed once and that each node plays in
turns, from a place of its own.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import logging
import random
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bedside.broker_address import Address
from bedside.node import wire
from bedside.node.client import Client, new_client
from bedside.simulator.batcher import Cut, cut
from bedside.simulator.source import Source
from bedside.simulator.uplink import Uplink
from bedside.simulator.virtual_node import (
    BATCH_S,
    STATUS_EVERY_S,
    STORE_BATCHES,
    meta_payload,
    status_payload,
)

STRETCH_S = 120.0
"""How much of a source is played in turns."""

JITTER_S = 0.02
LONGEST_JITTER_S = 0.15
"""So much after it was sampled a batch leaves: on average, and at most, that none overtakes."""

CLOCK_PPM = 50.0
"""How far the clock of a node may be off."""

LOOK_EVERY_S = 0.5
RECONNECT_EVERY_S = 1.0
KEEPALIVE_S = 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The batches of a part of a source; `samples` is its length, holes included."""

    cuts: tuple[Cut, ...]
    samples: int
    rate_mhz: int
    nv_per_lsb: int


def stretch_of(source: Source, seconds: float = STRETCH_S) -> Stretch:
    """The first `seconds` of a source, or all of one that is shorter."""
    length = min(round(BATCH_S * source.rate_mhz / 1000), wire.MAX_SAMPLES)
    wanted = seconds * source.rate_mhz / 1000
    cuts = tuple(
        itertools.takewhile(lambda each: each.end_sample <= wanted, cut(source.pieces(), length))
    )
    return Stretch(cuts, cuts[-1].end_sample, source.rate_mhz, source.nv_per_lsb)


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """How a fleet fares. `late_ms`: by how much this program itself was late, at the worst."""

    connected: int
    sent: int
    waiting: int
    dropped: int
    late_ms: float


class Fleet:
    """Nodes that sample and send for as long as a `with` block lasts."""

    def __init__(
        self,
        names: Sequence[str],
        stretches: Sequence[Stretch],
        broker: Address,
        *,
        seed: int = 0,
    ) -> None:
        """`names[i]` plays `stretches[i mod n]`. Raises ValueError for a name that is none."""
        if not all(map(wire.is_node_name, names)):
            raise ValueError("a node's name has 1 to 32 of a-z, 0-9 and -")
        chance = random.Random(seed)
        self._selector = selectors.DefaultSelector()
        self._stopping = threading.Event()
        self._sampling = True
        self._worst_late_s = 0.0
        self._may_connect_s = 0.0

        def connect(node: _Node) -> None:
            node.client = new_client(node.client_id, broker)
            node.begin(self._selector, broker)

        self._connect = connect
        self._nodes = [
            _Node(name, stretches[number % len(stretches)], chance)
            for number, name in enumerate(names)
        ]
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def __enter__(self) -> Fleet:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=30.0)

    @property
    def counts(self) -> FleetCounts:
        """The counts so far; on any thread."""
        return FleetCounts(
            connected=sum(node.connected for node in self._nodes),
            sent=sum(node.sent for node in self._nodes),
            waiting=sum(node.uplink.backlog_batches for node in self._nodes),
            dropped=sum(node.uplink.dropped for node in self._nodes),
            late_ms=round(1000 * self._worst_late_s, 1),
        )

    def sent_s(self, name: str) -> dict[int, float]:
        """Sequence numbers of a node's last batches and the monotonic times at which they left."""
        return dict(next(node for node in self._nodes if node.name == name).sent_s)

    def end_sampling(self) -> None:
        """From now on only what waits is sent."""
        self._sampling = False

    def wait_until_acknowledged(self, timeout_s: float) -> bool:
        """Wait until the bedside has all that was sampled on disk."""
        give_up_s = time.monotonic() + timeout_s
        while self.counts.waiting and time.monotonic() < give_up_s:
            self._stopping.wait(0.1)
        return not self.counts.waiting

    # ── the fleet's thread ────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            self._drive()
        finally:
            for node in self._nodes:
                node.leave()
            self._selector.close()

    def _drive(self) -> None:
        started_s, started_wall_us = time.monotonic(), time.time_ns() // 1000
        for node in self._nodes:
            node.start(started_s, started_wall_us)
        due = [(node.due_s, number) for number, node in enumerate(self._nodes)]
        heapq.heapify(due)
        next_look_s = started_s
        while not self._stopping.is_set():
            now_s = time.monotonic()
            if now_s >= next_look_s:
                self._look(now_s)
                next_look_s = now_s + LOOK_EVERY_S
            while due[0][0] <= now_s:
                _, number = due[0]
                node = self._nodes[number]
                if self._sampling and node.connected:
                    self._worst_late_s = max(self._worst_late_s, now_s - node.due_s)
                node.step(now_s, sampling=self._sampling)
                heapq.heapreplace(due, (node.due_s, number))
            wait_s = max(0.0, min(due[0][0], next_look_s) - time.monotonic())
            for key, _ in self._selector.select(wait_s):
                key.data.serve()

    def _look(self, now_s: float) -> None:
        """Keep connections alive, and begin those that are missing, while the broker takes them."""
        for node in self._nodes:
            if node.client is not None:
                node.look(now_s)
        for node in self._nodes:
            if node.client is None and now_s >= self._may_connect_s:
                try:
                    self._connect(node)
                except (OSError, ValueError) as error:
                    _log.warning("node %s cannot connect: %s", node.name, error)
                    node.client = None
                    self._may_connect_s = now_s + RECONNECT_EVERY_S


class _Node:
    """One node: its boot, its place in its stretch and its connection."""

    def __init__(self, name: str, stretch: Stretch, chance: random.Random) -> None:
        self.name = name
        self.client: Client | None = None
        self.connected = False
        self.sent = 0
        self.sent_s: dict[int, float] = {}
        self.due_s = 0.0
        self._chance = chance
        self._stretch = stretch
        self._rate_mhz = round(
            stretch.rate_mhz * (1 - 1e-6 * chance.uniform(-CLOCK_PPM, CLOCK_PPM))
        )
        self._index = chance.randrange(len(stretch.cuts))
        self._turns = 0
        self._boot_first_sample = stretch.cuts[self._index].first_sample
        self._phase_s = chance.uniform(0.0, BATCH_S)
        self._started_s, self._started_wall_us = 0.0, 0
        self._said_s = 0.0
        self._selector: selectors.BaseSelector | None = None
        self.uplink = self._boot()
        self.client_id = f"node-{name}-{self.uplink.boot_id:08x}"

    def start(self, now_s: float, wall_us: int) -> None:
        """Sampling begins; the first batch is full a little later on each node."""
        self._started_s = now_s + self._phase_s
        self._started_wall_us = wall_us + round(self._phase_s * 1e6)
        self._first_sample = self._boot_first_sample
        self.due_s = self._full_s() + self._jitter_s()

    def step(self, now_s: float, *, sampling: bool) -> None:
        """A batch is full: keep it, and send what there is to send."""
        if sampling:
            each, before = self._stretch.cuts[self._index], self._turns * self._stretch.samples
            first = before + each.first_sample
            sampled_s = (first - self._first_sample) * 1000 / self._rate_mhz
            since_boot = Cut(first - self._boot_first_sample, each.samples, each.flags)
            wall_us = self._started_wall_us + round(sampled_s * 1e6)
            self.uplink.keep(since_boot, wall_us, self._full_s())
            self._index += 1
            if self._index == len(self._stretch.cuts):
                self._index, self._turns = 0, self._turns + 1
            self.due_s = self._full_s() + self._jitter_s()
        else:
            self.due_s = now_s + BATCH_S
        if self.connected and self.client is not None:
            self._send(self.client, now_s)
            self._flush(self.client)

    def begin(self, selector: selectors.BaseSelector, broker: Address) -> None:
        """Connect; the broker's answer comes later. Raises OSError."""
        client = self.client
        assert client is not None
        client.will_set(wire.status_topic(self.name), self._status("offline"), 1, retain=True)
        client.on_connect = self._welcomed
        client.on_message = self._heard
        client.on_publish = self._published
        client.connect(broker.host, broker.port, KEEPALIVE_S)
        connection = client.socket()
        if isinstance(connection, socket.socket):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector = selector
            self._connection, self._writing = connection, False
            selector.register(connection, selectors.EVENT_READ, self)

    def serve(self) -> None:
        """The connection has something to read, or room to write."""
        client = self.client
        if client is None:
            return
        client.read()
        self._flush(client)
        if client.socket() is None:
            self._fell()

    def look(self, now_s: float) -> None:
        """Time goes on for the connection; every 10 s the node says how it fares."""
        client = self.client
        assert client is not None
        client.loop_misc()
        if client.socket() is None:
            self._fell()
        elif self.connected and now_s - self._said_s > STATUS_EVERY_S:
            self._say_status(client)

    def leave(self) -> None:
        """Say offline and disconnect."""
        client = self.client
        if client is None:
            return
        if self.connected:
            client.publish(wire.status_topic(self.name), self._status("offline"), 1, retain=True)
        client.disconnect()
        self._flush(client)
        self._fell()

    def _flush(self, client: mqtt.Client) -> None:
        """Write what waits; what the connection does not take now, when it has room."""
        if client.want_write():
            client.loop_write()
        writing = client.want_write()
        if writing != self._writing and self._selector is not None and client.socket() is not None:
            self._writing = writing
            mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
            self._selector.modify(self._connection, mask, self)

    def _fell(self) -> None:
        if self._selector is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._connection)
        self.client, self.connected, self._selector = None, False, None
        self.uplink.disconnected()

    def _send(self, client: mqtt.Client, now_s: float) -> None:
        topic = wire.ecg_topic(self.name)
        for each in self.uplink.outgoing(now_s):
            sent = client.publish(topic, each.payload, 1)
            taken = sent.rc == mqtt.MQTT_ERR_SUCCESS
            self.uplink.sent(each.sequence, sent.mid if taken else None)
            self.sent += taken
            self.sent_s[each.sequence] = now_s
            if len(self.sent_s) > STORE_BATCHES:
                del self.sent_s[next(iter(self.sent_s))]

    def _boot(self) -> Uplink:
        return Uplink(
            self.name,
            secrets.randbits(32),
            self._rate_mhz,
            self._stretch.nv_per_lsb,
            store_batches=STORE_BATCHES,
        )

    def _full_s(self) -> float:
        """When the next batch is full, monotonic."""
        each, before = self._stretch.cuts[self._index], self._turns * self._stretch.samples
        samples = before + each.end_sample - self._first_sample
        return self._started_s + samples * 1000 / self._rate_mhz

    def _jitter_s(self) -> float:
        return min(self._chance.expovariate(1 / JITTER_S), LONGEST_JITTER_S)

    def _status(self, state: str) -> bytes:
        return status_payload(self.uplink, state)

    def _say_status(self, client: mqtt.Client) -> None:
        self._said_s = time.monotonic()
        client.publish(wire.status_topic(self.name), self._status("online"), 1, retain=True)

    # ── what the broker says ──────────────────────────────────────────────────────────────────

    def _welcomed(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _log.warning("the broker refuses node %s: %s", self.name, reason)
            client.disconnect()
            return
        self.connected = True
        client.subscribe([(wire.ack_topic(self.name), 1), (wire.cmd_topic(self.name), 1)])
        meta = meta_payload(self._rate_mhz, self._stretch.nv_per_lsb)
        client.publish(wire.meta_topic(self.name), meta, 1, retain=True)
        self._say_status(client)

    def _published(
        self,
        _client: mqtt.Client,
        _userdata: object,
        token: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self.uplink.published(token)

    def _heard(self, client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        try:
            if message.topic == wire.ack_topic(self.name):
                self.uplink.acknowledged(wire.decode_ack(bytes(message.payload)))
            elif json.loads(message.payload) == "reboot":
                each, before = self._stretch.cuts[self._index], self._turns * self._stretch.samples
                self._boot_first_sample = before + each.first_sample
                self.uplink = self._boot()
                self._say_status(client)
        except ValueError as error:
            _log.warning("node %s does not understand %s: %s", self.name, message.topic, error)

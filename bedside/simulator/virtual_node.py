"""A node without hardware: samples a source in real time and speaks the wire format over MQTT."""

from __future__ import annotations

import json
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bedside import __version__
from bedside.broker_address import Address
from bedside.node import wire
from bedside.node.link import Link
from bedside.simulator.batcher import Cut, cut
from bedside.simulator.faults import Faults
from bedside.simulator.source import Source
from bedside.simulator.uplink import Uplink

BATCH_S = 0.2
STATUS_EVERY_S = 10.0
RESEND_EVERY_S = 0.05
LONGEST_WAIT_S = 0.5
STORE_BATCHES = 3000
"""Ten minutes of batches, 470 kB: between an ESP32's RAM (two minutes) and its PSRAM (ninety)."""

_log = logging.getLogger(__name__)


class VirtualNode:
    """Does what the firmware does, in a thread of its own; a context manager.

    `speed` makes its time run faster than the clock: batches and the limit on resent ones. Whether
    a batch is late enough to say `replayed` is judged by the clock. Wall time is given as synced,
    and runs with the samples.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        host: str,
        port: int,
        *,
        speed: float = 1.0,
        username: str = "",
        password: str = "",
        ca_file: Path | None = None,
        store_batches: int = STORE_BATCHES,
        faults: Faults | None = None,
    ) -> None:
        """Raises ValueError for a name that is none, or a speed that is not above 0."""
        if not wire.is_node_name(name) or not speed > 0:
            raise ValueError(f"node {name!r} at speed {speed:g}")
        self.name = name
        self._source = source
        self._speed = speed
        self._store_batches = store_batches
        self._faults = faults or Faults()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._exhausted = threading.Event()
        self._settled = threading.Condition()
        self._connected = False
        self._boot_first_sample = 0
        self._upcoming_first_sample = 0
        self._uplink = self._make_uplink()
        self._link = Link(
            Address(host, port, username, password, ca_file),
            client_id=f"node-{name}-{self._uplink.boot_id:08x}",
            subscriptions=(wire.ack_topic(name), wire.cmd_topic(name)),
            will=(wire.status_topic(name), status_payload(self._uplink, "offline")),
            on_message=lambda topic, payload: self._inbox.put(lambda: self._heard(topic, payload)),
            on_state=lambda up, detail: self._inbox.put(lambda: self._link_changed(up, detail)),
            on_published=lambda token: self._inbox.put(lambda: self._uplink.published(token)),
        )
        self._thread = threading.Thread(target=self._run, name=f"node-{name}", daemon=True)

    def __enter__(self) -> VirtualNode:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def boot_id(self) -> int:
        """The present boot's id."""
        return self._uplink.boot_id

    @property
    def backlog_batches(self) -> int:
        """Batches that the bedside has not acknowledged."""
        return self._uplink.backlog_batches

    @property
    def dropped_batches(self) -> int:
        """Batches of this boot that a full store has cost."""
        return self._uplink.dropped

    def start(self) -> None:
        """Connect and begin to sample."""
        self._link.start()
        self._thread.start()

    def stop(self) -> None:
        """Say offline and leave; what the bedside has not acknowledged is gone, as with a reset."""
        self._stopping.set()
        self._inbox.put(lambda: None)
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._say("offline")
        self._link.stop()

    def reboot(self) -> None:
        """Start again under a new boot id, with an empty store, as after a reset."""
        self._inbox.put(self._reboot)

    def wait_until_sent(self, timeout_s: float) -> bool:
        """Wait until the source has ended and the bedside has acknowledged all of it."""
        with self._settled:
            return self._settled.wait_for(
                lambda: self._exhausted.is_set() and not self._uplink.backlog_batches, timeout_s
            )

    def _make_uplink(self) -> Uplink:
        return Uplink(
            self.name,
            secrets.randbits(32),
            self._source.rate_mhz,
            self._source.nv_per_lsb,
            store_batches=self._store_batches,
            resend_per_s=20.0 * self._speed,
        )

    def _run(self) -> None:
        length = min(round(BATCH_S * self._source.rate_mhz / 1000), wire.MAX_SAMPLES)
        cuts = cut(self._source.pieces(), length)
        started_s, started_wall_us = time.monotonic(), time.time_ns() // 1000
        samples_per_s = self._source.rate_mhz / 1000 * self._speed
        upcoming = self._next_cut(cuts)
        next_status_s = started_s + STATUS_EVERY_S
        while not self._stopping.is_set():
            due_s = (
                started_s + upcoming.end_sample / samples_per_s
                if upcoming is not None
                else time.monotonic() + LONGEST_WAIT_S
            )
            self._listen(due_s)
            now_s = time.monotonic()
            if upcoming is not None and now_s >= due_s:
                first_us = upcoming.first_sample * 1_000_000_000 // self._source.rate_mhz
                since_boot = upcoming.first_sample - self._boot_first_sample
                sampled = replace(upcoming, first_sample=since_boot)
                self._uplink.keep(sampled, started_wall_us + first_us, due_s)
                upcoming = self._next_cut(cuts)
            self._send(now_s)
            if now_s >= next_status_s:
                self._say("online")
                next_status_s = now_s + STATUS_EVERY_S
            with self._settled:
                self._settled.notify_all()

    def _next_cut(self, cuts: Iterator[Cut]) -> Cut | None:
        upcoming = next(cuts, None)
        if upcoming is None:
            self._exhausted.set()
        else:
            self._upcoming_first_sample = upcoming.first_sample
        return upcoming

    def _listen(self, due_s: float) -> None:
        """Handle what comes in until a batch is due, or it is time to send again."""
        wait_s = min(max(due_s - time.monotonic(), 0.0), RESEND_EVERY_S)
        try:
            handle = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
            while True:
                handle()
                handle = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _send(self, now_s: float) -> None:
        if not self._connected:
            return
        for each in self._faults.apply(self._uplink.outgoing(now_s), now_s):
            token = self._link.send(wire.ecg_topic(self.name), each.payload, 1)
            self._uplink.sent(each.sequence, token)

    def _heard(self, topic: str, payload: bytes) -> None:
        try:
            if topic == wire.ack_topic(self.name):
                self._uplink.acknowledged(wire.decode_ack(payload))
            elif json.loads(payload) == "reboot":
                self._reboot()
            else:
                _log.info("node %s was told %r", self.name, payload[:80])
        except ValueError as error:
            _log.warning("node %s does not understand what came on %s: %s", self.name, topic, error)

    def _link_changed(self, connected: bool, detail: str) -> None:
        if connected != self._connected:
            _log.info("node %s: %s", self.name, detail)
        self._connected = connected
        if not connected:
            self._uplink.disconnected()
            return
        meta = meta_payload(self._source.rate_mhz, self._source.nv_per_lsb)
        self._link.publish(wire.meta_topic(self.name), meta, 1, True)
        self._say("online")

    def _reboot(self) -> None:
        self._uplink = self._make_uplink()
        self._boot_first_sample = self._upcoming_first_sample
        self._say("online")

    def _say(self, state: str) -> None:
        payload = status_payload(self._uplink, state)
        self._link.publish(wire.status_topic(self.name), payload, 1, True)


def status_payload(uplink: Uplink, state: str) -> bytes:
    """What a virtual node says of itself: `online`, or `offline` as its last will."""
    return json.dumps(
        {
            "state": state,
            "boot_id": uplink.boot_id,
            "free_heap": None,
            "backlog_s": round(uplink.backlog_s(time.monotonic()), 1),
            "dropped": uplink.dropped,
            "expired": 0,
            "missed_ticks": None,
            "rssi": None,
        }
    ).encode()


def meta_payload(rate_mhz: int, nv_per_lsb: int) -> bytes:
    """What a virtual node is."""
    return json.dumps(
        {
            "device": "virtual node",
            "firmware": __version__,
            "rate_hz": rate_mhz / 1000,
            "units": "mV",
            "nv_per_lsb": nv_per_lsb,
            "filter_hz": None,
            "lead": None,
            "wire": wire.VERSION,
        }
    ).encode()

"""A node does what it is told over the broker, and one that is not there is said not to be."""

from __future__ import annotations

import json
import threading
from functools import partial

import pytest

from bedside.broker_address import Address
from bedside.errors import LinkError
from bedside.node import orders, wire
from bedside.node.link import Link
from bedside.node.orders import Order, tell
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource
from bedside.simulator.virtual_node import VirtualNode
from tests.mosquitto import Mosquitto

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr(orders, "ANSWER_S", WAIT_S)


def virtual_node(mosquitto: Mosquitto) -> VirtualNode:
    return VirtualNode(PatientSource(SyntheticPatient()), "icu-1", "127.0.0.1", mosquitto.port)


def test_a_node_that_is_told_to_reboot_starts_a_new_boot(mosquitto: Mosquitto) -> None:
    connect = partial(Link, Address("127.0.0.1", mosquitto.port))
    boots: list[int] = []
    known, changed = threading.Event(), threading.Event()

    def status(_topic: str, payload: bytes) -> None:
        boots.append(json.loads(payload)["boot_id"])
        known.set()
        if len(set(boots)) == 2:
            changed.set()

    watcher = connect(
        client_id="watcher", subscriptions=(wire.status_topic("icu-1"),), on_message=status
    )
    watcher.start()
    with virtual_node(mosquitto):
        assert known.wait(WAIT_S)
        tell("icu-1", Order.REBOOT, connect)
        assert changed.wait(WAIT_S)
    watcher.stop()


def test_a_node_that_has_left_is_not_told(mosquitto: Mosquitto) -> None:
    connect = partial(Link, Address("127.0.0.1", mosquitto.port))
    with virtual_node(mosquitto):
        tell("icu-1", Order.IDENTIFY, connect)
    with pytest.raises(LinkError, match="offline"):
        tell("icu-1", Order.IDENTIFY, connect)


def test_a_node_that_never_spoke_is_not_told(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "ANSWER_S", 0.5)
    with pytest.raises(LinkError, match="icu-9"):
        tell("icu-9", Order.IDENTIFY, partial(Link, Address("127.0.0.1", mosquitto.port)))


@pytest.mark.parametrize("status", [b"", b"not json", b"[]", b'{"state": "offline"}'])
def test_a_status_that_says_nothing_is_taken_for_offline(
    mosquitto: Mosquitto, status: bytes
) -> None:
    connect = partial(Link, Address("127.0.0.1", mosquitto.port))
    odd = connect(client_id="odd")
    odd.start()
    while not odd.publish(wire.status_topic("icu-1"), status or b" ", 1, True):
        threading.Event().wait(0.01)
    with pytest.raises(LinkError, match="offline"):
        tell("icu-1", Order.IDENTIFY, connect)
    odd.stop()

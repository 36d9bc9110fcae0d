"""What a node is told over the broker: one order, to a node that is there to hear it."""

from __future__ import annotations

import json
import queue
import uuid
from collections.abc import Callable
from enum import StrEnum

from bedside.errors import LinkError
from bedside.node import wire
from bedside.node.link import Link

ANSWER_S = 5.0


class Order(StrEnum):
    """What a node obeys: the JSON strings of its topic `cmd`."""

    IDENTIFY = "identify"
    REBOOT = "reboot"
    IDLE = "idle"
    RESUME = "resume"
    UPDATE = "update"


def tell(node: str, order: Order, connect: Callable[..., Link]) -> None:
    """Hand an order to a node, over `connect`, which makes a `Link` from its keywords.

    A node keeps nothing for later, so one whose retained status is missing or offline is not told.
    Raises LinkError.
    """
    statuses: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    handed_over: queue.SimpleQueue[int] = queue.SimpleQueue()
    link = connect(
        client_id=f"order-{uuid.uuid4().hex[:8]}",
        subscriptions=(wire.status_topic(node),),
        on_message=lambda _topic, payload: statuses.put(payload),
        on_published=handed_over.put,
    )
    link.start()
    try:
        if _state(statuses.get(timeout=ANSWER_S)) != "online":
            raise LinkError(f"Node {node} is offline: switch it on and tell it again.")
        link.publish(wire.cmd_topic(node), json.dumps(order.value).encode(), 1)
        handed_over.get(timeout=ANSWER_S)
    except queue.Empty:
        raise LinkError(
            f"No node {node} has spoken on this broker: check its name, and its credentials."
        ) from None
    finally:
        link.stop()


def _state(status: bytes) -> object:
    try:
        told = json.loads(status)
    except ValueError:
        return None
    return told.get("state") if isinstance(told, dict) else None

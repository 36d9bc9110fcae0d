"""One MQTT client of a broker, for as long as a `with` block lasts."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE_S = 60


class RefusedError(Exception):
    """The broker does not want us."""


class Client:
    """Subscribes and publishes, and waits until the broker has said that it heard."""

    def __init__(self, client: mqtt.Client) -> None:
        self._client = client
        self._said: queue.Queue[Any] = queue.Queue()
        self._heard: queue.Queue[bytes] = queue.Queue()
        client.on_subscribe = lambda *arguments: self._said.put(arguments)
        client.on_message = lambda _, __, message: self._heard.put(message.payload)

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, qos=1)
        self._said.get(timeout=PATIENCE_S)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)

    def until(self, last: bytes) -> list[bytes]:
        """What was heard before this one."""
        heard = []
        while (payload := self._heard.get(timeout=PATIENCE_S)) != last:
            heard.append(payload)
        return heard


@contextmanager
def connected(port: int, name: str, password: str, ca_file: Path | None) -> Iterator[Client]:
    """A connection to the broker on this port. Raises RefusedError."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    if name:
        client.username_pw_set(name, password)
    if ca_file is not None:
        client.tls_set(str(ca_file))
    answers: queue.Queue[str] = queue.Queue()
    client.on_connect = lambda _, __, ___, reason, ____: answers.put(str(reason))
    client.on_disconnect = lambda _, __, ___, reason, ____: answers.put(str(reason))
    client.connect("localhost", port)
    client.loop_start()
    try:
        answer = answers.get(timeout=PATIENCE_S)
        if answer != "Success":
            raise RefusedError(answer)
        yield Client(client)
    finally:
        client.disconnect()
        client.loop_stop()

"""A cloud on loopback: Mosquitto with TLS, required client certificates and a policy."""

from __future__ import annotations

import getpass
import json
import queue
import ssl
import threading
from pathlib import Path
from typing import Any

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.transport import LinkNews, RemoteAcknowledgement
from tests.certificates import Authority
from tests.mosquitto import Mosquitto

THING = "bedside-7"
ACK_KEY = b"0123456789abcdef0123456789abcdef"
PATIENCE_S = 60.0

MONITOR = """
import sys, threading
from pathlib import Path
from bedside.delivery.iot_core import IotCore
from bedside.delivery.iot_endpoint import IotEndpoint
host, port, thing, *files = sys.argv[1:]
core = IotCore(IotEndpoint(host, int(port), thing, *map(Path, files)))
core.start(lambda news: news.up and print("up", flush=True))
threading.Event().wait()
"""
"""A monitor's link as a process, to be killed."""


class Cloud:
    """The broker and its authority; sessions that it saved survive it, as in a cloud."""

    def __init__(self, folder: Path, more: str = "", *, server_host: str = "localhost") -> None:
        self.folder = folder
        self.authority = Authority(folder)
        certificate, key = self.authority.issue("server", host=server_host)
        policy = folder / "policy.acl"
        policy.write_text(
            f"user {THING}\n"
            f"topic write bedside/v1/thing/{THING}/alert\n"
            f"topic write bedside/v1/thing/{THING}/state\n"
            f"topic read bedside/v1/thing/{THING}/acknowledge\n"
            "user phone\ntopic readwrite bedside/#\n"
        )
        self.broker = Mosquitto(
            folder,
            # As root it would become another user, who cannot read the key.
            f"user {getpass.getuser()}\n"
            f"cafile {self.authority.file}\ncertfile {certificate}\nkeyfile {key}\n"
            f"require_certificate true\nuse_identity_as_username true\nacl_file {policy}\n"
            f"persistence true\npersistence_location {folder}/\n{more}",
        )

    def endpoint(self, thing: str = THING, **validity: Any) -> IotEndpoint:
        certificate, key = self.authority.issue(thing, **validity)
        return IotEndpoint(
            "localhost", self.broker.port, thing, certificate, key, self.authority.file
        )


class Phone:
    """Hears what leaves, and speaks back."""

    def __init__(self, cloud: Cloud, topics: str = "bedside/v1/thing/+/#") -> None:
        certificate, key = cloud.authority.issue("phone")
        self._messages: queue.Queue[MQTTMessage] = queue.Queue()
        self._topics = topics
        self._listening, self._away = threading.Event(), threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="phone", protocol=MQTTv5)
        self._client.tls_set(
            str(cloud.authority.file),
            str(certificate),
            str(key),
            tls_version=ssl.PROTOCOL_TLS_CLIENT,
        )
        self._client.on_message = lambda _, __, message: self._messages.put(message)
        self._client.on_connect = lambda *_: self._client.subscribe(self._topics, qos=1)
        self._client.on_subscribe = lambda *_: (self._away.clear(), self._listening.set())
        self._client.on_disconnect = lambda *_: (self._listening.clear(), self._away.set())
        self._client.reconnect_delay_set(1, 1)
        # What comes while the phone is away waits at the broker for as long as that lives.
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        self._client.connect("localhost", cloud.broker.port, clean_start=False, properties=session)
        self._client.loop_start()
        self.wait_until_listening()

    def wait_until_listening(self) -> None:
        """A broker that was killed knows no subscription until the phone is back."""
        assert self._listening.wait(PATIENCE_S)

    def wait_until_away(self) -> None:
        """Until the phone has noticed, it believes that it is listening."""
        assert self._away.wait(PATIENCE_S)

    def next(self, what: str = "alert", timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next message on the topic that ends so."""
        while True:
            message = self._messages.get(timeout=timeout_s)
            if message.topic.endswith(what):
                content = json.loads(message.payload)
                assert isinstance(content, dict)
                return content

    def say(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class News:
    """Hears a transport's news and lets a test wait for them."""

    def __init__(self) -> None:
        self.all: list[LinkNews | RemoteAcknowledgement] = []
        self._changed = threading.Condition()

    def __call__(self, news: LinkNews | RemoteAcknowledgement) -> None:
        with self._changed:
            self.all.append(news)
            self._changed.notify_all()

    def wait_for(
        self, wanted: type | bool | str, timeout_s: float = PATIENCE_S
    ) -> LinkNews | RemoteAcknowledgement:
        """The first news since the last wait: of a kind, of the link's state, or with words."""

        def fits(news: LinkNews | RemoteAcknowledgement) -> bool:
            if isinstance(wanted, type):
                return isinstance(news, wanted)
            if not isinstance(news, LinkNews):
                return False
            return wanted in news.detail if isinstance(wanted, str) else news.up == wanted

        def found() -> bool:
            return any(fits(news) for news in self.all)

        with self._changed:
            assert self._changed.wait_for(found, timeout_s), f"no {wanted} among {self.all}"
            index = next(i for i, news in enumerate(self.all) if fits(news))
            news = self.all[index]
            del self.all[: index + 1]
        return news

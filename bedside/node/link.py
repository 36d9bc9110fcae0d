"""The MQTT connection: one thread that connects, listens and comes back.

Each connection gets a client of its own, so nothing that was queued for an old connection leaves
unasked on a new one, and a client whose loop has died is simply replaced. What callbacks raise is
logged and counted here: it never ends the thread.
"""

from __future__ import annotations

import contextlib
import logging
import random
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import ParamSpec

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bedside.broker_address import Address
from bedside.errors import LinkError
from bedside.node.client import CONNECT_TIMEOUT_S, Client, new_client

FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 8.0
FLUSH_S = 1.0
_LOOK_EVERY_S = 0.5
"""paho looks so often whether a ping is due or its answer is late."""

_P = ParamSpec("_P")

_log = logging.getLogger(__name__)


class Link:
    """A connection to a broker that is kept up in the background (MQTT 3.1.1, clean session).

    `on_message(topic, payload)` and `on_state(connected, detail)` run on the link's thread and
    must return soon; `on_published(token)` hears that the broker has a publish of QoS 1, and may
    not wait for a thread that is publishing. `subscriptions` are of QoS 1, `streams` of QoS 0, for
    what is asked for again where it lacks. What the broker kept from before goes to `on_kept`,
    where there is one. `will` is the topic and payload that the broker
    publishes, retained, when this side vanishes.
    """

    def __init__(
        self,
        address: Address,
        *,
        client_id: str,
        subscriptions: Sequence[str] = (),
        streams: Sequence[str] = (),
        will: tuple[str, bytes] | None = None,
        keepalive_s: int = 2,
        on_message: Callable[[str, bytes], None] = lambda topic, payload: None,
        on_kept: Callable[[str, bytes], None] | None = None,
        on_state: Callable[[bool, str], None] = lambda connected, detail: None,
        on_published: Callable[[int], None] | None = None,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._subscriptions = [*((topic, 1) for topic in subscriptions)]
        self._subscriptions += [(topic, 0) for topic in streams]
        self._will = will
        self._keepalive_s = keepalive_s
        self._on_message, self._on_state = on_message, on_state
        self._on_kept = on_kept or on_message
        self._on_published = on_published
        self._client: mqtt.Client | None = None
        self._connected = False
        self._stopping = threading.Event()
        self._handed_over: deque[mqtt.MQTTMessageInfo] = deque(maxlen=100)
        self._thread = threading.Thread(target=self._run, name=f"link-{client_id}", daemon=True)
        self.suppressed_exceptions = 0
        self.last_message_monotonic_s: float | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and nothing has failed since."""
        return self._connected

    def start(self) -> None:
        """Connect in the background, and again for as long as it takes."""
        self._thread.start()

    def stop(self) -> None:
        """Hand over what was published, up to a second, and leave; the last will stays unsaid."""
        give_up_s = time.monotonic() + FLUSH_S
        for info in list(self._handed_over):
            if self._connected and time.monotonic() < give_up_s:
                info.wait_for_publish(give_up_s - time.monotonic())
        self._stopping.set()
        client = self._client
        if client is not None:
            client.disconnect()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=CONNECT_TIMEOUT_S + 2)

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        """Send a message; False where there is no connection. Nothing is queued for later."""
        return self.send(topic, payload, qos, retain) is not None

    def send(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> int | None:
        """As `publish`, giving the token that `on_published` will name, or None."""
        client = self._client
        if client is None or not self._connected:
            return None
        info = client.publish(topic, payload, qos, retain)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            return None
        self._handed_over.append(info)
        return info.mid

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            detail = self._hold_one_connection()
            if self._stopping.is_set():
                break
            failures = 0 if self._connected else failures + 1
            self._fell(detail)
            longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(failures, 10))
            self._stopping.wait(longest * random.uniform(0.5, 1.0))
        self._fell("stopped")

    def _hold_one_connection(self) -> str:
        """Connect and listen until the connection ends; returns why it ended."""
        ended: list[str] = []
        waker, wakened = socket.socketpair()
        try:
            with waker, wakened:
                wakened.setblocking(False)
                self._client = client = self._make_client(ended)
                # paho calls this from the publishing thread; only the link's thread then writes.
                client.on_socket_register_write = lambda *_: _wake(waker)
                client.connect(self._address.host, self._address.port, self._keepalive_s)
                _serve(client, wakened)
        except (OSError, ValueError) as error:
            return str(error) or type(error).__name__
        except Exception:  # noqa: BLE001 - the link must outlive any error
            self.suppressed_exceptions += 1
            _log.exception("the connection to %s:%d broke", self._address.host, self._address.port)
            return "an error in this program, see the log"
        return ended[0] if ended else "the broker closed the connection"

    def _make_client(self, ended: list[str]) -> Client:
        client = new_client(self._client_id, self._address)
        if self._will is not None:
            client.will_set(self._will[0], self._will[1], qos=1, retain=True)

        def connected(
            client: mqtt.Client,
            _userdata: object,
            _flags: mqtt.ConnectFlags,
            reason: ReasonCode,
            _properties: Properties | None,
        ) -> None:
            if reason.is_failure:
                ended.append(str(reason))
                client.disconnect()
                return
            if self._subscriptions:
                client.subscribe(self._subscriptions)
            self._connected = True
            self._guard(self._on_state, True, "connected")

        def message(_client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
            self.last_message_monotonic_s = time.monotonic()
            self._guard(self._deliver, message)

        def stream(topic: str, payload: bytes, retained: bool) -> None:
            self.last_message_monotonic_s = time.monotonic()
            self._guard(self._on_kept if retained else self._on_message, topic, payload)

        def disconnected(
            _client: mqtt.Client,
            _userdata: object,
            _flags: mqtt.DisconnectFlags,
            reason: ReasonCode,
            _properties: Properties | None,
        ) -> None:
            ended.append(str(reason))

        client.on_connect = connected
        client.on_message = message
        client.on_stream = stream
        heard = self._on_published
        if heard is not None:

            def published(
                _client: mqtt.Client,
                _userdata: object,
                token: int,
                _reason: ReasonCode,
                _properties: Properties,
            ) -> None:
                self._guard(heard, token)

            client.on_publish = published
        client.on_disconnect = disconnected
        return client

    def _deliver(self, message: mqtt.MQTTMessage) -> None:
        deliver = self._on_kept if message.retain else self._on_message
        deliver(message.topic, bytes(message.payload))

    def _guard(self, call: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            call(*args, **kwargs)
        except Exception:  # noqa: BLE001 - the link must outlive any error
            self.suppressed_exceptions += 1
            _log.exception("a message from the broker met an error in this program")

    def _fell(self, detail: str) -> None:
        self._connected = False
        self._client = None
        self._handed_over.clear()
        self._guard(self._on_state, False, detail)


def check(address: Address) -> None:
    """Connect once and leave. Raises LinkError, in one sentence, when the broker is away."""
    try:
        client = new_client("", address)
    except OSError as error:
        raise LinkError(
            f"the certificate authority {address.ca_file} cannot be read ({error}): "
            "give the path of the broker's CA certificate in PEM."
        ) from error
    where = f"{address.host}:{address.port}"
    answer: list[ReasonCode] = []

    def connected(
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        answer.append(reason)
        client.disconnect()

    client.on_connect = connected
    give_up_s = time.monotonic() + CONNECT_TIMEOUT_S
    try:
        client.connect(address.host, address.port, keepalive=10)
        while not answer and time.monotonic() < give_up_s:
            if client.loop(0.1) != mqtt.MQTT_ERR_SUCCESS:
                break
    except (OSError, ValueError) as error:
        raise LinkError(
            f"no MQTT broker answers at {where} ({error}): start one there, "
            "or set another host and port."
        ) from error
    finally:
        client.disconnect()
    if not answer:
        raise LinkError(
            f"what listens at {where} is not an answering MQTT broker: check host, port and TLS."
        )
    if answer[0].is_failure:
        raise LinkError(
            f"the MQTT broker at {where} refuses us ({answer[0]}): check user name and password."
        )


def _serve(client: Client, wakened: socket.socket) -> None:
    """Read and write until the connection ends; `wakened` turns readable when there is to write.

    paho's own loop either sleeps through what other threads publish or runs in a thread of its own
    whose death nobody is told of.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(wakened, selectors.EVENT_READ)
        connection = client.socket()
        if not isinstance(connection, socket.socket):
            return
        # Otherwise a small publish can wait 40 ms for the acknowledgement of the one before it.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wanted = selectors.EVENT_READ
        selector.register(connection, wanted)
        looked_s = time.monotonic()
        while client.socket() is not None:
            want = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
            if want != wanted:
                wanted = want
                selector.modify(connection, wanted)
            ready = {key.fileobj: mask for key, mask in selector.select(_LOOK_EVERY_S)}
            if wakened in ready:
                wakened.recv(4096)
            if ready.get(connection, 0) & selectors.EVENT_READ:
                client.read()
            if client.want_write():
                client.loop_write()
            if time.monotonic() - looked_s >= _LOOK_EVERY_S:
                client.loop_misc()
                looked_s = time.monotonic()


def _wake(waker: socket.socket) -> None:
    with contextlib.suppress(OSError):
        waker.send(b"\0", socket.MSG_DONTWAIT)

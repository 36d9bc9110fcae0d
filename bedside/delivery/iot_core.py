"""The transport `iot-core`: MQTT 5 over mutual TLS to AWS IoT Core, or any broker that speaks it.

The outbox is the only queue: while the link is down an alert is refused at once and stays on disk.
A success is a PUBACK with a reason code below 128 (MQTT 5.0, section 2.4). A timeout does not mean
that the alert did not arrive; it is sent again with the same id.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from awscrt import io, mqtt5
from awscrt.exceptions import AwsCrtError
from awsiot import mqtt5_client_builder

from bedside.delivery import acknowledgement, iot_topics
from bedside.delivery.alert import Alert
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.secret_file import check_secret_file
from bedside.delivery.transport import Heard, LinkNews, payload
from bedside.errors import DeliveryError

KEEP_ALIVE_S = 30
PING_TIMEOUT_S = 3
ACK_TIMEOUT_S = 5
CLOSE_S = 3.0
REFUSED_PAUSE_S = 300.0
"""How long a publish that the policy forbids is left alone: only a person can mend that."""

_RECONNECT_MS = (500, 5000)
_SESSION_S = 3600
_NOT_AUTHORISED = 135
_FIRST_FAILURE = 128
_TRY_CHECK = "bedside cloud check tells why."

_log = logging.getLogger(__name__)


class IotCore:
    """One link to AWS IoT Core; the client id is the thing's name."""

    def __init__(
        self,
        endpoint: IotEndpoint,
        acknowledge_key: bytes | None = None,
        *,
        keep_alive_s: int = KEEP_ALIVE_S,
        ping_timeout_s: int = PING_TIMEOUT_S,
        ack_timeout_s: int = ACK_TIMEOUT_S,
        refused_pause_s: float = REFUSED_PAUSE_S,
    ) -> None:
        """Read key and certificates; nothing connects yet. Raises `DeliveryError`.

        Without `acknowledge_key` nobody can acknowledge from afar.
        """
        self._endpoint = endpoint
        self._acknowledge_key = acknowledge_key
        self._ack_timeout_s = ack_timeout_s
        self._refused_pause_s = refused_pause_s
        self._refused_until_s: float | None = None
        self._heard: Heard = lambda news: None
        self._down: str | None = "not connected yet"
        self._closing = False
        self._tried = threading.Event()
        self._stopped = threading.Event()
        self._client = self._make_client(keep_alive_s, ping_timeout_s)

    def start(self, heard: Heard) -> None:
        """Connect in the background, and again whenever the link breaks."""
        self._heard = heard
        heard(LinkNews(False, self._down or ""))
        self._client.start()

    def send(self, alert: Alert) -> None:
        """Publish the alert; returns when the broker acknowledged it, raises `DeliveryError`."""
        topic, content = iot_topics.alert_topic(self._endpoint.thing), payload(alert)
        iot_topics.check_publish(topic, content)
        # The first attempt to connect is under way: its outcome is worth waiting for.
        self._tried.wait(self._ack_timeout_s)
        if self._down is not None:
            raise DeliveryError(self._down)
        left_s = (self._refused_until_s or 0.0) - time.monotonic()
        if left_s > 0:
            raise DeliveryError(f"{self._forbidden()} Tried again in {left_s:.0f} s.")
        try:
            acknowledged = self._client.publish(
                mqtt5.PublishPacket(topic=topic, payload=content, qos=mqtt5.QoS.AT_LEAST_ONCE)
            ).result(self._ack_timeout_s + 1.0)
        except (FutureTimeoutError, AwsCrtError) as error:
            raise DeliveryError(self._publish_failed(error)) from error
        reason = int(acknowledged.puback.reason_code)
        if reason == _NOT_AUTHORISED:
            self._refused_until_s = time.monotonic() + self._refused_pause_s
            self._heard(LinkNews(False, self._forbidden()))
            raise DeliveryError(self._forbidden())
        if reason >= _FIRST_FAILURE:
            raise DeliveryError(f"The broker refused the alert (reason code {reason}).")
        if self._refused_until_s is not None:
            self._refused_until_s = None
            self._heard(LinkNews(True))

    def close(self) -> None:
        """Say goodbye and close; leaves a link that does not answer behind after 3 s."""
        deadline_s = time.monotonic() + CLOSE_S
        self._closing = True
        if self._down is None:
            try:
                self._say("stopped").result(CLOSE_S / 3)
            except (FutureTimeoutError, AwsCrtError) as error:
                why = str(error) or type(error).__name__
                _log.warning("no goodbye to %s: %s", self._endpoint.host, why)
        self._down = "closed"
        self._tried.set()
        self._client.stop()
        if not self._stopped.wait(max(0.0, deadline_s - time.monotonic())):
            _log.warning("the link to %s did not close in time", self._endpoint.host)

    # ── the client, and what it tells on its own thread ───────────────────────────────────────

    def _make_client(self, keep_alive_s: int, ping_timeout_s: int) -> mqtt5.Client:
        endpoint = self._endpoint
        check_secret_file(endpoint.key_file)
        for path in (endpoint.certificate_file, endpoint.ca_file):
            if path is not None and not path.is_file():
                raise DeliveryError(f"The certificate {path} is missing: run bedside cloud check.")
        resolver = io.DefaultHostResolver(io.EventLoopGroup.get_or_create_static_default())
        bootstrap = io.ClientBootstrap(io.EventLoopGroup.get_or_create_static_default(), resolver)
        try:
            return mqtt5_client_builder.mtls_from_path(
                str(endpoint.certificate_file),
                str(endpoint.key_file),
                ca_filepath=None if endpoint.ca_file is None else str(endpoint.ca_file),
                endpoint=endpoint.host,
                port=endpoint.port,
                client_id=endpoint.thing,
                client_bootstrap=bootstrap,
                keep_alive_interval_sec=keep_alive_s,
                ping_timeout_ms=ping_timeout_s * 1000,
                ack_timeout_sec=self._ack_timeout_s,
                connack_timeout_ms=5000,
                min_reconnect_delay_ms=_RECONNECT_MS[0],
                max_reconnect_delay_ms=_RECONNECT_MS[1],
                offline_queue_behavior=(
                    mqtt5.ClientOperationQueueBehaviorType.FAIL_ALL_ON_DISCONNECT
                ),
                # Acknowledgements that come while the link is away wait in the session.
                session_behavior=mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS,
                session_expiry_interval_sec=_SESSION_S,
                will=mqtt5.PublishPacket(
                    topic=iot_topics.state_topic(endpoint.thing),
                    payload=iot_topics.state(endpoint.thing, "down"),
                    qos=mqtt5.QoS.AT_LEAST_ONCE,
                ),
                on_publish_received=self._on_publish,
                on_lifecycle_connection_success=self._on_connected,
                on_lifecycle_connection_failure=self._on_failure,
                on_lifecycle_disconnection=self._on_disconnected,
                on_lifecycle_stopped=lambda _: self._stopped.set(),
            )
        except (AwsCrtError, RuntimeError, ValueError) as error:
            raise DeliveryError(
                "The certificate and the key of the cloud link cannot be used together:"
                f" {_TRY_CHECK}"
            ) from error

    def _on_connected(self, _: mqtt5.LifecycleConnectSuccessData) -> None:
        self._down = None
        self._tried.set()
        # A link on which nothing may be said stays a fault until something was.
        forbidden = self._refused_until_s is not None
        self._heard(LinkNews(not forbidden, self._forbidden() if forbidden else ""))
        if self._acknowledge_key is not None:
            topic = iot_topics.acknowledgement_topic(self._endpoint.thing)
            wanted = mqtt5.Subscription(topic_filter=topic, qos=mqtt5.QoS.AT_LEAST_ONCE)
            subscribing = self._client.subscribe(mqtt5.SubscribePacket(subscriptions=[wanted]))
            subscribing.add_done_callback(self._on_subscribed)
        self._say("up").add_done_callback(self._on_said)

    def _on_failure(self, data: mqtt5.LifecycleConnectFailureData) -> None:
        code = None if data.connack_packet is None else int(data.connack_packet.reason_code)
        self._is_down(self._in_words(data.exception, code))

    def _on_disconnected(self, data: mqtt5.LifecycleDisconnectData) -> None:
        name = getattr(data.exception, "name", "")
        closed = name.startswith("AWS_IO_TLS") or name == "AWS_IO_SOCKET_CLOSED"
        broke = f"The link to {self._where()} broke."
        self._is_down(broke if closed else self._in_words(data.exception, None))

    def _is_down(self, reason: str) -> None:
        if self._closing:
            return
        self._down = reason
        self._tried.set()
        self._heard(LinkNews(False, reason))

    def _on_subscribed(self, future: Any) -> None:
        try:
            codes = [int(code) for code in future.result().reason_codes]
        except AwsCrtError as error:
            _log.warning("no acknowledgements from afar: %s", error)
            return
        if any(code >= _FIRST_FAILURE for code in codes):
            self._heard(LinkNews(False, f"Nobody can acknowledge from afar. {self._forbidden()}"))

    def _on_said(self, future: Any) -> None:
        error = future.exception()
        if error is not None:
            _log.warning("the monitor's state was not said: %s", error)

    def _on_publish(self, data: mqtt5.PublishReceivedData) -> None:
        message = data.publish_packet.payload
        if self._acknowledge_key is None or not isinstance(message, bytes):
            return
        try:
            acknowledged = acknowledgement.verified(
                message, self._endpoint.thing, self._acknowledge_key
            )
        except ValueError as error:
            _log.warning("an acknowledgement from afar is refused: %s", error)
            return
        self._heard(acknowledged)

    def _say(self, status: str) -> Any:
        thing = self._endpoint.thing
        return self._client.publish(
            mqtt5.PublishPacket(
                topic=iot_topics.state_topic(thing),
                payload=iot_topics.state(thing, status),
                qos=mqtt5.QoS.AT_LEAST_ONCE,
            )
        )

    # ── faults in words ───────────────────────────────────────────────────────────────────────

    def _forbidden(self) -> str:
        return f"The policy does not allow {self._endpoint.thing} this: {_TRY_CHECK}"

    def _publish_failed(self, error: Exception) -> str:
        if isinstance(error, AwsCrtError) and error.name != "AWS_ERROR_MQTT_TIMEOUT":
            return self._in_words(error, None)
        return f"{self._where()} did not acknowledge within {self._ack_timeout_s} s."

    def _where(self) -> str:
        return f"{self._endpoint.host}:{self._endpoint.port}"

    def _in_words(self, error: Exception, connack: int | None) -> str:
        if connack == _NOT_AUTHORISED:
            return self._forbidden()
        name = getattr(error, "name", "")
        if name == "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE":
            return f"The certificate of {self._where()} is not to be trusted: {_TRY_CHECK}"
        if name.startswith("AWS_IO_TLS") or name == "AWS_IO_SOCKET_CLOSED":
            return f"{self._where()} hung up, as for a certificate it refuses: {_TRY_CHECK}"
        if "DNS" in name:
            return f"There is no host {self._endpoint.host}, or no network."
        if name.startswith("AWS_IO_SOCKET"):
            return f"Nobody answers at {self._where()}."
        if "PING" in name or "TIMEOUT" in name:
            return f"{self._where()} stopped answering."
        return f"The link to {self._where()} broke ({name or error})."

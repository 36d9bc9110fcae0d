"""Why the cloud is not reached: name, network, certificates, clock and policy."""

from __future__ import annotations

import json
import socket
import ssl
import time
from datetime import UTC, datetime
from typing import Any

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bedside.delivery import iot_topics
from bedside.delivery.check import Finding
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.transport import VERSION

_SESSION_S = 3600
_NOT_AUTHORISED = 135
_FIRST_FAILURE = 128
_HOST_MISMATCH, _IP_MISMATCH = 62, 64
_NOT_YET_VALID, _EXPIRED = 9, 10
"""OpenSSL's verification results, X509_V_ERR_…"""


def link(endpoint: IotEndpoint, within_s: float, *, speak: bool) -> list[Finding]:
    """The way to the endpoint, and, where `speak`, whether its policy lets this thing in.

    To speak is to connect under the thing's name, which would throw a running station out.
    """
    deadline_s = time.monotonic() + within_s
    try:
        context = ssl.create_default_context(
            cafile=None if endpoint.ca_file is None else str(endpoint.ca_file)
        )
        context.load_cert_chain(endpoint.certificate_file, endpoint.key_file)
    except (OSError, ssl.SSLError) as error:
        return [Finding(False, f"Key, certificate or authority cannot be loaded: {error}.")]
    if endpoint.port == 443:
        context.set_alpn_protocols(["x-amzn-mqtt-ca"])
    fault = _trust(endpoint, context, deadline_s)
    if fault:
        return [Finding(False, fault)]
    if not speak:
        return [
            Finding(True, "The endpoint answers, and its certificate is trusted."),
            Finding(
                None, "The policy was not tried, since a station runs here: bedside test-alert."
            ),
        ]
    fault = _policy(endpoint, context, deadline_s)
    if fault:
        return [Finding(False, fault)]
    return [Finding(True, "The endpoint answers and its policy lets this monitor send alerts.")]


def silence(endpoint: IotEndpoint) -> Finding:
    """What it means when nothing at all comes of it in time."""
    sentence = f"Nothing came back from {endpoint.host}:{endpoint.port} in time"
    return Finding(False, f"{sentence}: a firewall may block the port; try port 443.")


def _trust(endpoint: IotEndpoint, context: ssl.SSLContext, deadline_s: float) -> str:
    """What keeps a TLS connection from being made, or nothing."""
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        plain = socket.create_connection((endpoint.host, endpoint.port), _left_s(deadline_s))
    except socket.gaierror:
        return f"There is no host {endpoint.host}, or no network."
    except TimeoutError:
        return silence(endpoint).sentence
    except OSError as error:
        return f"Nobody listens at {where} ({error.strerror})."
    with plain:
        plain.settimeout(_left_s(deadline_s))
        try:
            context.wrap_socket(plain, server_hostname=endpoint.host).close()
        except ssl.SSLCertVerificationError as error:
            return _distrusted(error, endpoint)
        except TimeoutError:
            return f"{where} took the connection and answers nothing."
        except (ssl.SSLError, ConnectionError):
            return _refused(where)
    return ""


def _policy(endpoint: IotEndpoint, context: ssl.SSLContext, deadline_s: float) -> str:
    """What keeps this thing from publishing, or nothing; no rule of the stack takes these."""
    thing, where = endpoint.thing, f"{endpoint.host}:{endpoint.port}"
    topics = {
        iot_topics.alert_topic(thing): json.dumps({"version": VERSION, "check": True}).encode(),
        iot_topics.state_topic(thing): iot_topics.state(thing, "check"),
    }
    reasons: list[int] = []

    def connected(client: Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        reasons.append(int(reason.value))
        if not reason.is_failure:
            for topic, content in topics.items():
                client.publish(topic, content, qos=1)

    # The session is left as it is, and acknowledgements that wait in it are left unanswered: they
    # are the station's.
    client = Client(CallbackAPIVersion.VERSION2, client_id=thing, protocol=MQTTv5, manual_ack=True)
    client.tls_set_context(context)
    client.connect_timeout = _left_s(deadline_s)
    client.on_connect = connected
    client.on_publish = lambda _, __, ___, reason, ____: reasons.append(int(reason.value))
    session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    session.SessionExpiryInterval = _SESSION_S
    try:
        client.connect(
            endpoint.host, endpoint.port, keepalive=30, clean_start=False, properties=session
        )
        while len(reasons) < 1 + len(topics) and max(reasons, default=0) < _FIRST_FAILURE:
            if time.monotonic() > deadline_s:
                return f"{where} took the connection and answers nothing."
            if client.loop(timeout=0.05) is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                return _refused(where)
    except TimeoutError:
        return f"{where} took the connection and answers nothing."
    except (ssl.SSLError, OSError):
        return _refused(where)
    finally:
        client.disconnect()
    worst = max(reasons)
    if worst == _NOT_AUTHORISED:
        sentence = f"The policy does not let {thing} in: the certificate must be attached to the"
        return f"{sentence} thing and the policy; run bedside cloud provision."
    return f"The endpoint refused {thing} (reason code {worst})." if worst >= _FIRST_FAILURE else ""


def _left_s(deadline_s: float) -> float:
    return max(0.1, deadline_s - time.monotonic())


def _refused(where: str) -> str:
    return (
        f"{where} refused this certificate: it is unknown there, inactive or expired;"
        " run bedside cloud provision."
    )


def _distrusted(error: ssl.SSLCertVerificationError, endpoint: IotEndpoint) -> str:
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    match error.verify_code:
        case code if code in (_HOST_MISMATCH, _IP_MISMATCH):
            return (
                f"The server's certificate is not for {endpoint.host}: correct"
                " alerts.iot_core.endpoint."
            )
        case code if code in (_NOT_YET_VALID, _EXPIRED):
            return f"The server's certificate is not valid at {now}: set this machine's clock."
        case _:
            return (
                f"The server's certificate is not of a trusted authority ({error.verify_message}):"
                " correct alerts.iot_core.ca_file, or leave it out for AWS."
            )

"""Why no alert arrives: files, clock, network, certificates, policy and the account, quickly."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from bedside.delivery import aws, iot_topics
from bedside.delivery.aws import AwsError
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.secret_file import check_secret_file
from bedside.errors import DeliveryError

LINK_S = 2.0
"""How long the way to the endpoint and back may take altogether."""

_CLOCK_OFF = timedelta(minutes=5)
_SOON = timedelta(days=30)
_SESSION_S = 3600
_NOT_AUTHORISED = 135
_FIRST_FAILURE = 128
_HOST_MISMATCH, _IP_MISMATCH = 62, 64
_NOT_YET_VALID, _EXPIRED = 9, 10
"""OpenSSL's verification results, X509_V_ERR_…"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence; `ok` False where something must be mended, None where it is not known."""

    ok: bool | None
    sentence: str


def certificate_faults(certificate_file: Path, key_file: Path) -> list[Finding]:
    """What is wrong with the files of the link; nothing where they fit and are valid."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        check_secret_file(key_file)
    except DeliveryError as error:
        return [Finding(False, str(error))]
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except OSError as error:
        sentence = f"The certificate {certificate_file} cannot be read ({error.strerror})"
        return [Finding(False, f"{sentence}: run bedside cloud provision.")]
    except ValueError:
        return [Finding(False, f"{certificate_file} is not a certificate: provision it again.")]
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return [Finding(False, f"{key_file} is not a private key: provision it again.")]
    if key.public_key() != certificate.public_key():
        return [
            Finding(
                False,
                f"The key {key_file} does not fit the certificate {certificate_file}: provision"
                " the certificate again.",
            )
        ]
    now = datetime.now(UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        return [
            Finding(
                False,
                f"The certificate is valid only from {begins:%Y-%m-%d %H:%M} UTC, and this"
                f" machine's clock says {now:%Y-%m-%d %H:%M} UTC: set the clock.",
            )
        ]
    if now > ends:
        return [
            Finding(
                False,
                f"The certificate expired on {ends:%Y-%m-%d}, if this machine's clock is right"
                f" ({now:%Y-%m-%d}): run bedside cloud provision.",
            )
        ]
    return []


def files(endpoint: IotEndpoint) -> list[Finding]:
    """Key and certificate: there, private, fitting and valid."""
    from cryptography import x509

    faults = certificate_faults(endpoint.certificate_file, endpoint.key_file)
    if faults:
        return faults
    certificate = x509.load_pem_x509_certificate(endpoint.certificate_file.read_bytes())
    ends = certificate.not_valid_after_utc
    if ends - datetime.now(UTC) < _SOON:
        return [Finding(True, f"Key and certificate fit; the certificate expires {ends:%Y-%m-%d}.")]
    return [Finding(True, "Key and certificate fit and are valid.")]


def link(endpoint: IotEndpoint, *, speak: bool) -> list[Finding]:
    """The way to the endpoint, and, where `speak`, whether its policy lets this thing in.

    To speak is to connect under the thing's name, which would throw a running station out.
    """
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        context = ssl.create_default_context(
            cafile=None if endpoint.ca_file is None else str(endpoint.ca_file)
        )
        context.load_cert_chain(endpoint.certificate_file, endpoint.key_file)
    except (OSError, ssl.SSLError) as error:
        return [Finding(False, f"Key, certificate or authority cannot be loaded: {error}.")]
    if endpoint.port == 443:
        context.set_alpn_protocols(["x-amzn-mqtt-ca"])
    deadline_s = time.monotonic() + LINK_S
    try:
        plain = socket.create_connection((endpoint.host, endpoint.port), timeout=LINK_S)
    except socket.gaierror:
        return [Finding(False, f"There is no host {endpoint.host}, or no network.")]
    except TimeoutError:
        sentence = f"Nothing came back from {where} within {LINK_S:.0f} s"
        return [Finding(False, f"{sentence}: a firewall may block the port; try port 443.")]
    except OSError as error:
        return [Finding(False, f"Nobody listens at {where} ({error.strerror}).")]
    with plain:
        plain.settimeout(max(0.1, deadline_s - time.monotonic()))
        try:
            with context.wrap_socket(plain, server_hostname=endpoint.host) as secured:
                secured.settimeout(max(0.1, deadline_s - time.monotonic()))
                return _policy(secured, endpoint.thing, speak)
        except ssl.SSLCertVerificationError as error:
            return [Finding(False, _distrusted(error, endpoint))]
        except TimeoutError:
            return [Finding(False, f"{where} took the connection and answers nothing.")]
        except (ssl.SSLError, ConnectionError):
            return [
                Finding(
                    False,
                    f"{where} refused this certificate: it is unknown there, inactive or expired;"
                    " run bedside cloud provision.",
                )
            ]


def account(thing: str) -> list[Finding]:
    """What only AWS can say: its clock, the SMS sandbox, the spend limit, undelivered alerts."""
    try:
        sns = aws.client("sns", patient=False)
        with aws.in_words():
            answer = sns.get_sms_attributes()
    except AwsError as error:
        return [Finding(None, f"The account could not be asked. {error}")]
    findings = [*_clock(answer)]
    limit_usd = float(answer.get("attributes", {}).get("MonthlySpendLimit", "nan"))
    questions: tuple[Callable[[], Finding], ...] = (
        lambda: _sandbox(sns),
        lambda: _spending(limit_usd),
        lambda: _undelivered(thing),
    )
    for question in questions:
        try:
            with aws.in_words():
                findings.append(question())
        except AwsError as error:
            findings.append(Finding(None, f"One question stays open. {error}"))
    return findings


# ── the link ──────────────────────────────────────────────────────────────────────────────────


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


def _policy(secured: ssl.SSLSocket, thing: str, speak: bool) -> list[Finding]:
    if not speak:
        return [
            Finding(True, "The endpoint answers, and its certificate is trusted."),
            Finding(
                None, "The policy was not tried, since a station runs here: bedside test-alert."
            ),
        ]
    secured.sendall(_connect(thing))
    reason = _answer(secured, 0x20)[1]
    if reason == 0:
        secured.sendall(_publish(iot_topics.state_topic(thing), iot_topics.state(thing, "check")))
        answer = _answer(secured, 0x40)
        # A PUBACK without a reason code means success (MQTT 5.0, 3.4.2.1).
        reason = answer[2] if len(answer) > 2 else 0
        secured.sendall(b"\xe0\x00")
    if reason == _NOT_AUTHORISED:
        sentence = f"The policy does not let {thing} in: the certificate must be attached to the"
        return [Finding(False, f"{sentence} thing and the policy; run bedside cloud provision.")]
    if reason >= _FIRST_FAILURE:
        return [Finding(False, f"The endpoint refused {thing} (reason code {reason}).")]
    return [Finding(True, "The endpoint answers and its policy lets this monitor publish.")]


def _connect(thing: str) -> bytes:
    # The session is left as it is: acknowledgements may be waiting in it.
    properties = struct.pack(">BBI", 5, 0x11, _SESSION_S)
    body = b"\x00\x04MQTT\x05\x00\x00\x1e" + properties + _text(thing)
    return b"\x10" + _length(len(body)) + body


def _publish(topic: str, message: bytes) -> bytes:
    body = _text(topic) + b"\x00\x01\x00" + message
    return b"\x32" + _length(len(body)) + body


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _length(length: int) -> bytes:
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(digits)


def _answer(secured: ssl.SSLSocket, kind: int) -> bytes:
    """The body of the next packet of a kind; others, such as waiting messages, are passed over."""
    while True:
        first = _exactly(secured, 1)[0]
        length, shift = 0, 0
        while True:
            digit = _exactly(secured, 1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        body = _exactly(secured, length)
        if first & 0xF0 == kind:
            return body
        if first & 0xF0 == 0xE0:
            raise ConnectionError("disconnected")


def _exactly(secured: ssl.SSLSocket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        more = secured.recv(count - len(read))
        if not more:
            raise ConnectionError("hung up")
        read += more
    return read


# ── the account ───────────────────────────────────────────────────────────────────────────────


def _clock(answer: dict[str, Any]) -> list[Finding]:
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if said is None:
        return []
    off = datetime.now(UTC) - parsedate_to_datetime(said)
    if abs(off) > _CLOCK_OFF:
        minutes = off.total_seconds() / 60
        return [Finding(False, f"This machine's clock is {minutes:+.0f} min off: set the clock.")]
    return [Finding(True, "The clock is right.")]


def _sandbox(sns: Any) -> Finding:
    if not sns.get_sms_sandbox_account_status()["IsInSandbox"]:
        return Finding(True, "The account may text any number.")
    return Finding(
        False,
        "The account is in the SMS sandbox and texts only verified numbers: verify the contacts'"
        " numbers in the SNS console, or ask AWS to move the account out of it.",
    )


def _spending(limit_usd: float) -> Finding:
    now = datetime.now(UTC)
    measured = aws.client("cloudwatch", patient=False).get_metric_statistics(
        Namespace="AWS/SNS",
        MetricName="SMSMonthToDateSpentUSD",
        StartTime=now.replace(day=1, hour=0, minute=0),
        EndTime=now,
        Period=86_400,
        Statistics=["Maximum"],
    )
    spent_usd = max((point["Maximum"] for point in measured["Datapoints"]), default=0.0)
    words = f"{spent_usd:.2f} of {limit_usd:.2f} USD for SMS are spent this month"
    if spent_usd >= 0.8 * limit_usd:
        return Finding(False, f"{words}: raise the limit in the SNS console, or no SMS will leave.")
    return Finding(True, f"{words}.")


def _undelivered(thing: str) -> Finding:
    sqs = aws.client("sqs", patient=False)
    url = sqs.get_queue_url(QueueName=f"bedside-{thing}-errors")["QueueUrl"]
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    failed = int(counted["Attributes"]["ApproximateNumberOfMessages"])
    if failed:
        sentence = f"{failed} alerts reached AWS and could not be handed on to SNS"
        return Finding(False, f"{sentence}: read the queue bedside-{thing}-errors.")
    return Finding(True, "AWS handed every alert on to SNS.")

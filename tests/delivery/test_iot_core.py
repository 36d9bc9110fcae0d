"""The link to the cloud, against a real broker that demands certificates."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bedside.delivery import acknowledgement, iot_topics
from bedside.delivery.iot_core import ACK_TIMEOUT_S, KEEP_ALIVE_S, IotCore
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.transport import InOrder, LinkNews, RemoteAcknowledgement
from bedside.delivery.webhook import Webhook
from bedside.errors import DeliveryError
from bedside.events import Priority
from tests.certificates import Authority
from tests.conftest import PROJECT
from tests.delivery.cloud import ACK_KEY, MONITOR, PATIENCE_S, THING, Cloud, News, Phone
from tests.delivery.server import Server
from tests.delivery.wire import an_alert

DAY = timedelta(days=1)
ALERT = an_alert("ab12cd34", Priority.HIGH, "vt")


@pytest.fixture
def news() -> News:
    return News()


@contextlib.contextmanager
def link(endpoint: IotEndpoint, news: News, **options: float) -> Iterator[IotCore]:
    """A link that is closed at the end, and must be so in time."""
    core = IotCore(endpoint, ACK_KEY, **options)
    core.start(news)
    try:
        yield core
    finally:
        began_s = time.monotonic()
        core.close()
        assert time.monotonic() - began_s < 8.0  # the client itself can take 18 s


def send_when_up(core: IotCore) -> None:
    """As the outbox would: again and again with the same id."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return core.send(ALERT)
        except DeliveryError:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)


# ── alerts ────────────────────────────────────────────────────────────────────────────────────


def test_an_alert_arrives_with_its_id_and_the_words_for_a_phone(
    cloud: Cloud, phone: Phone, news: News
) -> None:
    with link(cloud.endpoint(), news) as core:
        news.wait_for(True)
        core.send(ALERT)
        heard = phone.next("alert")
    assert (heard["id"], heard["priority"], heard["contact"]) == ("ab12cd34", "high", 1)
    assert heard["sms"] == ALERT.message()


def test_a_link_that_is_not_up_refuses_at_once_and_says_why(cloud: Cloud, news: News) -> None:
    cloud.broker.kill()
    with link(cloud.endpoint(), news) as core:
        news.wait_for("Nobody answers at localhost")
        began_s = time.monotonic()
        with pytest.raises(DeliveryError, match="Nobody answers"):
            core.send(ALERT)
        assert time.monotonic() - began_s < ACK_TIMEOUT_S / 2


def test_a_broker_that_was_away_at_the_start_is_found_when_it_comes(
    cloud: Cloud, news: News
) -> None:
    cloud.broker.kill()
    with link(cloud.endpoint(), news) as core:
        news.wait_for("Nobody answers")
        cloud.broker.start()
        news.wait_for(True)
        core.send(ALERT)


def test_a_broker_that_is_killed_mid_publish_costs_no_alert(
    cloud: Cloud, phone: Phone, news: News
) -> None:
    with link(cloud.endpoint(), news) as core:
        news.wait_for(True)
        cloud.broker.freeze()
        failure: list[str] = []

        def send() -> None:
            try:
                core.send(ALERT)
            except DeliveryError as error:
                failure.append(str(error))

        sending = threading.Thread(target=send)
        sending.start()
        cloud.broker.kill()
        sending.join(PATIENCE_S)
        assert failure, "an alert that nobody acknowledged was taken for sent"
        phone.wait_until_away()
        cloud.broker.start()
        phone.wait_until_listening()
        send_when_up(core)
        assert phone.next("alert")["id"] == ALERT.alert_id


def test_a_frozen_link_fails_the_alert_within_its_time_and_is_noticed_without_one(
    cloud: Cloud, news: News
) -> None:
    options = {"keep_alive_s": 2, "ping_timeout_s": 1, "ack_timeout_s": 1}
    with link(cloud.endpoint(), news, **options) as core:
        news.wait_for(True)
        cloud.broker.freeze()
        began_s = time.monotonic()
        with pytest.raises(DeliveryError, match="did not acknowledge within 1 s"):
            core.send(ALERT)
        assert time.monotonic() - began_s < ACK_TIMEOUT_S
        news.wait_for("stopped answering")
        assert time.monotonic() - began_s < KEEP_ALIVE_S / 2
        cloud.broker.thaw()
        news.wait_for(True)
        send_when_up(core)


def test_a_forbidden_topic_is_told_at_once_and_then_left_alone_for_its_pause(
    cloud: Cloud, news: News
) -> None:
    with link(cloud.endpoint("bedside-8"), news, refused_pause_s=3.0) as core:
        news.wait_for(True)
        with pytest.raises(DeliveryError, match="policy does not allow bedside-8"):
            core.send(ALERT)
        news.wait_for("policy does not allow")
        with pytest.raises(DeliveryError, match="Tried again in"):
            core.send(ALERT)
        policy = cloud.folder / "policy.acl"
        policy.write_text(policy.read_text() + "user bedside-8\ntopic write bedside/#\n")
        cloud.broker.kill()
        cloud.broker.start()
        send_when_up(core)


def test_while_the_cloud_forbids_an_alert_another_transport_takes_it_and_the_fault_is_shown(
    cloud: Cloud, news: News
) -> None:
    with contextlib.closing(Server()) as server:
        both = InOrder(
            {
                "iot-core": IotCore(cloud.endpoint("bedside-8")),
                "webhook": Webhook(server.url, ACK_KEY),
            }
        )
        both.start(news)
        try:
            both.send(ALERT)
            news.wait_for("iot-core: The policy does not allow bedside-8")
            both.send(ALERT)
            assert [json.loads(body)["id"] for _, body in server.posts] == [ALERT.alert_id] * 2
            last = news.all[-1] if news.all else None
            assert last is None or (isinstance(last, LinkNews) and not last.up)
        finally:
            both.close()


def test_a_link_that_comes_back_while_the_cloud_forbids_alerts_is_still_a_fault(
    cloud: Cloud, news: News
) -> None:
    with link(cloud.endpoint("bedside-8"), news) as core:
        news.wait_for(True)
        with pytest.raises(DeliveryError, match="policy"):
            core.send(ALERT)
        with pytest.raises(DeliveryError, match=r"Tried again in (300|29\d) s"):
            core.send(ALERT)
        cloud.broker.kill()
        news.wait_for("Nobody answers")
        cloud.broker.start()
        news.wait_for("policy does not allow")


def test_what_the_cloud_would_choke_on_is_never_sent() -> None:
    iot_topics.check_publish("a/b/c/d/e/f/g/h", b"x" * 131_072)
    for topic, payload in [
        ("a/b/c/d/e/f/g/h/i", b""),
        ("é" * 129, b""),
        ("a", b"x" * 131_073),
    ]:
        with pytest.raises(DeliveryError):
            iot_topics.check_publish(topic, payload)


# ── certificates ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "validity",
    [{"begins": -2 * DAY, "ends": -DAY}, {"begins": DAY, "ends": 2 * DAY}],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_outside_its_time_is_refused_in_words(
    cloud: Cloud, news: News, validity: dict[str, timedelta]
) -> None:
    with link(cloud.endpoint(**validity), news):
        news.wait_for("bedside cloud check")


def test_a_certificate_of_a_foreign_authority_is_refused_in_words(
    cloud: Cloud, news: News, tmp_path: Path
) -> None:
    (tmp_path / "foreign").mkdir()
    certificate, key = Authority(tmp_path / "foreign", "other").issue(THING)
    endpoint = replace(cloud.endpoint(), certificate_file=certificate, key_file=key)
    with link(endpoint, news):
        news.wait_for("bedside cloud check")


def test_a_client_without_a_certificate_gets_nothing(cloud: Cloud) -> None:
    context = ssl.create_default_context(cafile=str(cloud.authority.file))

    def first_answer() -> bytes:
        address = ("localhost", cloud.broker.port)
        with (
            socket.create_connection(address, timeout=PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            secured.send(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
            return secured.recv(1)

    # Under TLS 1.3 the refusal comes with the first answer.
    with pytest.raises(ssl.SSLError, match=r"EOF|certificate required"):
        first_answer()
    context.load_cert_chain(*cloud.authority.issue("phone"))
    assert first_answer() == b"\x20"


def test_closing_in_the_middle_of_a_handshake_that_fails_does_not_hang(
    tmp_path: Path, news: News
) -> None:
    cloud = Cloud(tmp_path, server_host="another.example")
    cloud.broker.start()
    # The handshake fails at once and is reported only after 13 to 30 s: closing must not wait.
    with (
        link(cloud.endpoint(), news, ack_timeout_s=1) as core,
        pytest.raises(DeliveryError, match="not connected yet"),
    ):
        core.send(ALERT)
    cloud.broker.kill()
    assert not any(isinstance(each, LinkNews) and each.up for each in news.all)


def test_a_missing_certificate_is_refused_by_name(cloud: Cloud) -> None:
    with pytest.raises(DeliveryError, match=r"nowhere\.pem"):
        IotCore(replace(cloud.endpoint(), certificate_file=Path("nowhere.pem")))


def test_a_key_that_does_not_fit_its_certificate_is_refused(cloud: Cloud) -> None:
    _, other = cloud.authority.issue("other")
    with pytest.raises(DeliveryError, match="cannot be used together"):
        IotCore(replace(cloud.endpoint(), key_file=other))


# ── acknowledgement, goodbye and last will ────────────────────────────────────────────────────


def test_a_signed_acknowledgement_from_afar_is_heard_and_a_forged_one_is_not(
    cloud: Cloud, phone: Phone, news: News
) -> None:
    topic = iot_topics.acknowledgement_topic(THING)
    good = acknowledgement.signed("ab12cd34", "dr-who", THING, ACK_KEY)
    with link(cloud.endpoint(), news):
        phone.next("state")
        forged = json.loads(good) | {"by": "somebody else"}
        phone.say(topic, json.dumps(forged).encode())
        phone.say(topic, acknowledgement.signed("ab12cd34", "dr-who", THING, b"x" * 32))
        phone.say(topic, b"\xff not JSON")
        phone.say(topic, good)
        assert news.wait_for(RemoteAcknowledgement) == RemoteAcknowledgement("ab12cd34", "dr-who")
    assert not any(isinstance(each, RemoteAcknowledgement) for each in news.all)


def test_an_acknowledgement_waits_while_the_link_is_away(
    cloud: Cloud, phone: Phone, news: News
) -> None:
    endpoint = cloud.endpoint()
    with link(endpoint, news):
        phone.next("state")
    phone.say(
        iot_topics.acknowledgement_topic(THING),
        acknowledgement.signed("ab12cd34", "dr-who", THING, ACK_KEY),
    )
    with link(endpoint, news):
        news.wait_for(RemoteAcknowledgement)


def test_a_monitor_that_is_stopped_says_so_and_leaves_no_last_will(
    cloud: Cloud, phone: Phone, news: News
) -> None:
    with link(cloud.endpoint(), news):
        assert phone.next("state")["status"] == "up"
    assert phone.next("state")["status"] == "stopped"


def test_a_monitor_that_is_killed_is_reported_by_its_last_will(cloud: Cloud, phone: Phone) -> None:
    endpoint = cloud.endpoint()
    files = [endpoint.certificate_file, endpoint.key_file, endpoint.ca_file]
    arguments = [endpoint.host, str(endpoint.port), endpoint.thing, *map(str, files)]
    with subprocess.Popen(
        [sys.executable, "-c", MONITOR, *arguments], stdout=subprocess.PIPE, cwd=PROJECT
    ) as monitor:
        assert monitor.stdout is not None
        assert monitor.stdout.readline() == b"up\n"
        assert phone.next("state")["status"] == "up"
        monitor.kill()
    # The session outlives the connection, the last will does not wait for it.
    will = phone.next("state")
    assert will["status"] == "down"
    assert "went silent" in will["sms"]

"""The link comes up, comes back, survives its user's errors, and says what is wrong."""

from __future__ import annotations

import queue
import signal
import socket
from pathlib import Path

import pytest

from bedside.broker_address import Address
from bedside.errors import LinkError
from bedside.node.broker import DemoBroker
from bedside.node.link import Link, check
from tests.certificates import Authority
from tests.mosquitto import Mosquitto

WAIT_S = 60.0


class Watched:
    """A link whose messages, states and tokens can be waited for."""

    def __init__(self, port: int, name: str = "watched", **settings: object) -> None:
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.states: queue.Queue[tuple[bool, str]] = queue.Queue()
        self.published: queue.Queue[int] = queue.Queue()
        self.link = Link(
            Address("127.0.0.1", port),
            client_id=name,
            subscriptions=("bedside/v1/+/ecg", "bedside/v1/+/status"),
            **{"on_message": lambda *message: self.messages.put(message)} | settings,
            on_state=lambda *state: self.states.put(state),
            on_published=self.published.put,
        )

    def __enter__(self) -> Watched:
        self.link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop()

    def wait_until(self, connected: bool) -> str:
        while True:
            now_connected, detail = self.states.get(timeout=WAIT_S)
            if now_connected == connected:
                return detail


def test_what_is_published_arrives_and_its_token_comes_back() -> None:
    with DemoBroker() as broker, Watched(broker.port) as watched:
        watched.wait_until(connected=True)
        token = watched.link.send("bedside/v1/bed-1/ecg", b"batch", qos=1)
        assert watched.messages.get(timeout=WAIT_S) == ("bedside/v1/bed-1/ecg", b"batch")
        assert watched.published.get(timeout=WAIT_S) == token
        assert watched.link.last_message_monotonic_s is not None


def test_a_message_that_its_user_cannot_take_is_counted_and_the_next_one_arrives() -> None:
    messages: queue.Queue[bytes] = queue.Queue()

    def fussy(_topic: str, payload: bytes) -> None:
        messages.put(payload)
        if payload == b"bad":
            raise RuntimeError("cannot take it")

    with DemoBroker() as broker, Watched(broker.port, on_message=fussy) as watched:
        watched.wait_until(connected=True)
        for payload in (b"bad", b"good"):
            assert watched.link.publish("bedside/v1/bed-1/ecg", payload, 1)
            assert messages.get(timeout=WAIT_S) == payload
        assert watched.link.suppressed_exceptions == 1
        assert watched.link.connected


def test_what_was_published_just_before_leaving_still_arrives() -> None:
    with DemoBroker() as broker, Watched(broker.port) as watched:
        watched.wait_until(connected=True)
        with Watched(broker.port, "leaving") as leaving:
            leaving.wait_until(connected=True)
            leaving.link.publish("bedside/v1/bed-1/status", b"offline", 1, True)
        assert watched.messages.get(timeout=WAIT_S) == ("bedside/v1/bed-1/status", b"offline")


def test_without_a_broker_nothing_is_queued_and_the_reason_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Watched(port) as watched:
        assert "refused" in watched.wait_until(connected=False)
        assert not watched.link.publish("bedside/v1/bed-1/ecg", b"", 1)
        assert not watched.link.connected


def test_the_link_comes_back_with_its_subscriptions_after_the_broker_was_killed(
    mosquitto: Mosquitto,
) -> None:
    with Watched(mosquitto.port) as watched:
        watched.wait_until(connected=True)
        mosquitto.kill()
        watched.wait_until(connected=False)
        assert not watched.link.publish("bedside/v1/bed-1/ecg", b"into the void", 1)
        mosquitto.start()
        watched.wait_until(connected=True)
        assert watched.link.publish("bedside/v1/bed-1/ecg", b"again", 1)
        assert watched.messages.get(timeout=WAIT_S)[1] == b"again"
        assert watched.messages.empty()


def test_a_frozen_broker_is_noticed(mosquitto: Mosquitto) -> None:
    with Watched(mosquitto.port, keepalive_s=1) as watched:
        watched.wait_until(connected=True)
        assert mosquitto._process is not None
        mosquitto._process.send_signal(signal.SIGSTOP)
        watched.wait_until(connected=False)
        mosquitto._process.send_signal(signal.SIGCONT)
        watched.wait_until(connected=True)


def test_a_client_that_vanishes_is_announced_by_its_last_will(mosquitto: Mosquitto) -> None:
    will = ("bedside/v1/bed-1/status", b"gone")
    with Watched(mosquitto.port) as watched, Watched(mosquitto.port, "node", will=will) as node:
        watched.wait_until(connected=True)
        node.wait_until(connected=True)
        client = node.link._client
        assert client is not None
        client.socket().shutdown(socket.SHUT_RDWR)
        assert watched.messages.get(timeout=WAIT_S) == will


def test_a_broker_that_answers_passes_the_check(mosquitto: Mosquitto) -> None:
    check(Address("127.0.0.1", mosquitto.port))


def test_an_absent_broker_fails_the_check_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(LinkError, match=f"no MQTT broker answers at 127.0.0.1:{port}") as caught:
        check(Address("127.0.0.1", port))
    assert str(caught.value).endswith(".")


def test_something_else_that_listens_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedside.node.link.CONNECT_TIMEOUT_S", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(LinkError, match="not an answering MQTT broker"),
    ):
        check(Address("127.0.0.1", silent.getsockname()[1]))


def test_a_handshake_that_fails_leaves_no_connection_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.node.client.CONNECT_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(LinkError):
            check(Address("127.0.0.1", port, ca_file=Authority(tmp_path).file))
        accepted, _ = silent.accept()
        with accepted:
            accepted.settimeout(WAIT_S)
            while accepted.recv(4096):
                pass


def test_a_missing_certificate_authority_fails_the_check(mosquitto: Mosquitto, tmp_path) -> None:
    with pytest.raises(LinkError, match=r"certificate authority .* cannot be read"):
        check(Address("127.0.0.1", mosquitto.port, ca_file=tmp_path / "absent.pem"))


def test_the_demo_broker_frees_its_port() -> None:
    with DemoBroker() as broker:
        check(Address("127.0.0.1", broker.port))
    with pytest.raises(LinkError):
        check(Address("127.0.0.1", broker.port))


def test_two_demo_brokers_do_not_meet() -> None:
    with DemoBroker() as one, DemoBroker() as other:
        assert one.port != other.port

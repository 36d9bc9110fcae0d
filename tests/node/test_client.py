"""What comes over the connection, however it is cut, is what paho alone would have heard."""

from __future__ import annotations

import socket

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from bedside.node.client import Client

Heard = list[tuple[str, bytes, bool]]


def publish(topic: str, payload: bytes, qos: int, retained: bool) -> bytes:
    """A PUBLISH packet of MQTT 3.1.1."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (b"\0\x07" if qos else b"") + payload
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (128 if rest else 0)])
        if not rest:
            return bytes([0x30 | qos << 1 | retained]) + length + body


def heard(pieces: list[bytes], *, streaming: bool) -> Heard:
    """What a client hears of these pieces, told by paho alone or with streams on their own."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    found: Heard = []
    client.on_message = lambda _c, _u, message: found.append(
        (message.topic, bytes(message.payload), message.retain)
    )
    if streaming:
        client.on_stream = lambda topic, payload, retained: found.append((topic, payload, retained))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        client._sock = ours
        for piece in pieces:
            theirs.sendall(piece)
            client.read()
    client._sock = None
    return found


MESSAGES = st.tuples(
    st.sampled_from(["bedside/v1/bed-1/ecg", "a", "ä/ö"]),
    st.binary(max_size=300),
    st.sampled_from([0, 0, 1]),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(messages=st.lists(MESSAGES, max_size=8), cuts=st.lists(st.integers(1, 200), max_size=8))
def test_streams_told_here_are_heard_as_by_paho(
    messages: list[tuple[str, bytes, int, bool]], cuts: list[int]
) -> None:
    sent = b"".join(publish(*message) for message in messages)
    pieces = []
    for cut in cuts:
        pieces.append(sent[:cut])
        sent = sent[cut:]
    pieces = [piece for piece in [*pieces, sent] if piece]
    expected = [(topic, payload, retained) for topic, payload, _, retained in messages]
    assert heard(pieces, streaming=True) == heard(pieces, streaming=False) == expected


@pytest.mark.parametrize(
    "broken",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length that never ends
        b"\x30\x02\x00\x09",  # a topic longer than its packet
        b"\x30\x03\x00\x00x",  # no topic
        b"\x30\x01\x00",  # half a topic's length
        b"\x30",
    ],
)
def test_after_a_broken_packet_nothing_is_heard_that_paho_would_not_hear(broken: bytes) -> None:
    whole = publish("a", b"1", 0, False)
    sent = [whole + broken + whole]
    assert heard(sent, streaming=True) == heard(sent, streaming=False) == [("a", b"1", False)]


def test_a_name_that_is_no_text_is_left_to_paho() -> None:
    with pytest.raises(UnicodeDecodeError):
        heard([b"\x30\x04\x00\x02\xff\xfe"], streaming=True)


def test_paho_hears_often_enough_that_the_broker_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """It pings a broker that it has not heard for 2 s, and leaves it 2 s later."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    by_paho: list[float] = []
    told: list[float] = []
    now_s = [0.0]
    monkeypatch.setattr("bedside.node.client.time.monotonic", lambda: now_s[0])
    client.on_message = lambda *_: by_paho.append(now_s[0])
    client.on_stream = lambda *_: told.append(now_s[0])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        client._sock = ours
        for step in range(50):
            now_s[0] = step / 5
            theirs.sendall(publish("a", b"1", 0, False))
            client.read()
    client._sock = None
    assert by_paho == [float(second) for second in range(10)]
    assert len(told) == 40

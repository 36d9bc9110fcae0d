"""The MQTT client of one connection: paho's, reading in large pieces."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bedside.broker_address import Address

CONNECT_TIMEOUT_S = 3.0
_PIECE_BYTES = 65_536

ALIVE_EVERY_S = 1.0
"""paho gets a message so often: else it takes the broker for silent, and pings it in vain where
the answer waits behind seconds of batches."""

_TYPE_AND_QOS, _PUBLISH_QOS_0, _RETAINED = 0xF6, 0x30, 0x01
_SHORTEST_PUBLISH = 4
"""Bytes: its type, its length and that of its topic."""


class Client(mqtt.Client):
    """MQTT 3.1.1, a clean session, no reconnecting of its own.

    paho asks the socket for each packet four times, and each time another thread may take the
    interpreter for milliseconds: with hundreds of nodes, nobody would get to read. Here one read
    brings all that has come. After `loop_read`, what is `held` has to be read on.

    `on_stream(topic, payload, retained)`, where it is set, hears messages of QoS 0, whose packets
    are told here: on its way through paho a batch of a node costs ten times as much. All other
    packets, and one of these a second, are paho's.
    """

    on_stream: Callable[[str, bytes, bool], None] | None = None
    _held = memoryview(b"")
    _by_paho_s = float("-inf")

    @property
    def held(self) -> bool:
        """Whether bytes that have come wait to be read, whatever the socket says."""
        connection = self.socket()
        return bool(self._held) or (
            isinstance(connection, ssl.SSLSocket)
            and connection.fileno() >= 0
            and connection.pending() > 0
        )

    def read(self) -> None:
        """Read all that has come."""
        if not self._held and self.on_stream is not None:
            with contextlib.suppress(OSError):  # paho meets it again, and knows what follows
                self._held = memoryview(super()._sock_recv(_PIECE_BYTES))
        now_s = time.monotonic()
        while True:
            if now_s - self._by_paho_s >= ALIVE_EVERY_S or not self._stream():
                self._by_paho_s = now_s
                self.loop_read()
            if not self.held or self.socket() is None:
                return

    def _stream(self) -> bool:
        """Whether a whole message of QoS 0 was held and has been taken."""
        held = self._held
        between_packets = self._in_packet["command"] == 0
        if self.on_stream is None or not between_packets or len(held) < _SHORTEST_PUBLISH:
            return False
        if held[0] & _TYPE_AND_QOS != _PUBLISH_QOS_0:
            return False
        length, shift, at = 0, 0, 1
        while True:
            length |= (held[at] & 127) << shift
            shift += 7
            at += 1
            if held[at - 1] < 128:
                break
            if shift > 21 or at == len(held):
                return False
        topic_from = at + 2
        topic_end = topic_from + int.from_bytes(held[at:topic_from], "big")
        end = at + length
        if not topic_from < topic_end <= end <= len(held):
            return False
        try:
            topic = str(held[topic_from:topic_end], "utf-8")
        except UnicodeDecodeError:
            return False
        payload, retained = bytes(held[topic_end:end]), bool(held[0] & _RETAINED)
        self._held = held[end:]
        self.on_stream(topic, payload, retained)
        return True

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """As paho's, which leaves the socket of a handshake that fails to the garbage collector."""
        assert self._ssl_context is not None
        secured = self._ssl_context.wrap_socket(
            tcp_sock, server_hostname=self._host, do_handshake_on_connect=False
        )
        try:
            secured.settimeout(self._connect_timeout)
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._held:
            self._held = memoryview(super()._sock_recv(_PIECE_BYTES))
        part, self._held = self._held[:bufsize], self._held[bufsize:]
        return bytes(part)


def new_client(client_id: str, address: Address) -> Client:
    """A client for one connection, not connected yet. Raises OSError for an unreadable CA file."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=True,
        protocol=mqtt.MQTTv311,
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    if address.username:
        client.username_pw_set(address.username, address.password or None)
    if address.ca_file is not None:
        client.tls_set(str(address.ca_file), tls_version=ssl.PROTOCOL_TLS_CLIENT)
    return client

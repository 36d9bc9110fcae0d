"""The MQTT client of one connection: paho's, reading in large pieces."""

from __future__ import annotations

import ssl

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bedside.broker_address import Address

CONNECT_TIMEOUT_S = 3.0
_PIECE_BYTES = 65_536


class Client(mqtt.Client):
    """MQTT 3.1.1, a clean session, no reconnecting of its own.

    paho asks the socket for each packet four times, and each time another thread may take the
    interpreter for milliseconds: with hundreds of nodes, nobody would get to read. Here one read
    brings all that has come. After `loop_read`, what is `held` has to be read on.
    """

    _held = memoryview(b"")

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
        self.loop_read()
        while self.held and self.socket() is not None:
            self.loop_read()

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

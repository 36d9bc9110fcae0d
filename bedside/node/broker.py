"""An MQTT broker inside the program, for the demo alone: amqtt on a free loopback port.

It keeps up with a handful of beds, never with a ward; a real installation runs Mosquitto.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from types import TracebackType
from typing import Any

from amqtt.broker import Broker

from bedside.errors import LinkError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
CLOSING_S = 1.0


class _Broker(Broker):  # type: ignore[misc]  # amqtt is untyped
    """amqtt's broker, which also closes the connections that its shutdown leaves open."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """The port that the system gave it."""
        port: int = self._servers["default"].instance.sockets[0].getsockname()[1]
        return port

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        self._open.add(writer)
        try:
            await super().stream_connected(reader, writer, listener_name)
        finally:
            writer.close()
            self._open.discard(writer)

    async def shutdown(self) -> None:
        await super().shutdown()
        for writer in self._open:
            writer.close()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}
        if handlers:
            await asyncio.wait(handlers, timeout=CLOSING_S)


class DemoBroker:
    """A context manager: the broker serves anonymous clients of this machine inside the block."""

    def __init__(self) -> None:
        self.port = 0
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="demo-broker", daemon=True)

    def __enter__(self) -> DemoBroker:
        """Start it. Raises LinkError when no port can be had."""
        for noisy in ("amqtt", "transitions"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S) or self._failure is not None:
            raise LinkError(
                f"the demo's broker did not start ({self._failure or 'no answer'}): "
                "see whether this machine lets programs listen on 127.0.0.1."
            )
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop it and free its port."""
        if self._loop is not None and self._ending is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            logging.getLogger(__name__).exception("the demo's broker ended")
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        broker = _Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:0"}},
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        await broker.start()
        try:
            self.port = broker.port
            self._ready.set()
            await self._ending.wait()
        finally:
            await broker.shutdown()

"""The air between a node and its broker: a TCP relay on loopback that can go silent."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

_PIECE_BYTES = 65_536
_LOOK_EVERY_S = 0.05


class Wifi:
    """Passes bytes to the broker on `port` and back; while `gone`, it takes nothing and says
    nothing, and no connection learns why.
    """

    def __init__(self, port: int) -> None:
        self._broker = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._there = True
        self._closing = False
        self._cutting = False
        self._other: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run, name="wifi", daemon=True)
        self._thread.start()

    def gone(self) -> None:
        self._there = False

    def back(self) -> None:
        self._there = True

    def cut(self) -> None:
        """Every connection ends, with what was on its way: one of its ends has died."""
        self._cutting = True

    def close(self) -> None:
        self._closing = True
        self._thread.join()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._closing:
                if self._cutting:
                    self._cutting = False
                    for each in list(self._other):
                        self._end(selector, each)
                if not self._there:
                    threading.Event().wait(_LOOK_EVERY_S)
                    continue
                for key, _ in selector.select(_LOOK_EVERY_S):
                    if self._there:
                        self._serve(selector, key.fileobj)
            for each in self._other:
                each.close()

    def _serve(self, selector: selectors.BaseSelector, ready: object) -> None:
        if ready is self._listener:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(self._broker, timeout=60)
            except OSError:
                near.close()
                return
            for one, other in ((near, far), (far, near)):
                self._other[one] = other
                selector.register(one, selectors.EVENT_READ)
            return
        assert isinstance(ready, socket.socket)
        if ready not in self._other:
            return
        try:
            piece = ready.recv(_PIECE_BYTES)
            if piece:
                self._other[ready].sendall(piece)
                return
        except OSError:
            pass
        self._end(selector, ready)

    def _end(self, selector: selectors.BaseSelector, one: socket.socket) -> None:
        if one not in self._other:
            return
        for each in (one, self._other[one]):
            selector.unregister(each)
            del self._other[each]
            with contextlib.suppress(OSError):
                each.close()

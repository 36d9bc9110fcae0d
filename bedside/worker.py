"""A thread with a bounded queue, which outlives every exception in its work."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

Work = ParamSpec("Work")
Item = TypeVar("Item")

_log = logging.getLogger(__name__)


class Worker(Generic[Item]):
    """Takes items in order and handles each; calls `idle` every `every_s` seconds besides.

    `failures` counts exceptions, which are logged, reported to `failed` and survived; `overflows`
    counts items that found the queue full and were refused.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[Item], None],
        *,
        capacity: int,
        every_s: float = 0.5,
        together_s: float = 0.0,
        idle: Callable[[], None] = lambda: None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        """A worker that is not yet running.

        What comes within `together_s` of the first item is taken up with it: waking up for each
        item costs more than many an item.
        """
        self.name = name
        self.failures = 0
        self.overflows = 0
        self._handle = handle
        self._idle = idle
        self._every_s = every_s
        self._together_s = together_s
        self._failed = failed
        self._moved_s = time.monotonic()
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._capacity = capacity
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, item: Item) -> bool:
        """Queue an item; False when the queue is full. Never blocks."""
        if self._queue.qsize() >= self._capacity:
            self.overflows += 1
            return False
        self._queue.put(item)
        return True

    def more(self, most: int) -> list[Item]:
        """Up to `most` items that wait, for a handler that does many at once."""
        items: list[Item] = []
        while len(items) < most:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:  # the end: `_run` shall find it
                self._queue.put(None)
                break
            items.append(item)
        return items

    @property
    def waiting(self) -> int:
        """How many items are queued."""
        return self._queue.qsize()

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    @property
    def still_s(self) -> float:
        """How long the thread has been at one thing: more than `every_s` means that it is stuck."""
        return time.monotonic() - self._moved_s if self._thread.is_alive() else 0.0

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Work off what is queued, then end; False when that took longer than the time."""
        if not self._thread.is_alive():
            return True
        self._queue.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        next_idle_s = time.monotonic() + self._every_s
        while True:
            now_s = self._moved_s = time.monotonic()
            if now_s >= next_idle_s:
                self._guard(self._idle)
                next_idle_s = max(next_idle_s + self._every_s, now_s)
            try:
                item = self._queue.get(timeout=max(0.0, next_idle_s - time.monotonic()))
            except queue.Empty:
                continue
            if item is None:
                return
            if self._together_s and self._queue.empty():
                time.sleep(self._together_s)
            self._moved_s = time.monotonic()
            self._guard(self._handle, item)

    def _guard(self, work: Callable[Work, None], *args: Work.args, **kwargs: Work.kwargs) -> None:
        try:
            work(*args, **kwargs)
        # A fault in one item must not end the thread: it is counted, logged and shown instead.
        except Exception as error:  # noqa: BLE001
            self.failures += 1
            _log.exception("%s failed", self.name)
            if self._failed is not None:
                self._failed(error)

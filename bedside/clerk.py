"""Who keeps the alarm log: a thread that appends rows in their order, many in one sync."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from bedside.alarms.log import AlarmLog
from bedside.errors import BedsideError
from bedside.ports import LogEntry
from bedside.worker import Worker

MOST_WAITING = 10_000
WRITTEN_WITHIN_S = 0.2
"""So long an alarm waits for its row to be on disk before it is shown all the same."""


class Clerk:
    """Takes rows from any thread; what the disk refuses waits and is tried again."""

    def __init__(self, log: AlarmLog, failed: Callable[[BaseException], None]) -> None:
        """For an open log; `failed` hears what the disk refused."""
        self._log = log
        self._waiting: deque[LogEntry] = deque()
        self._taken = 0
        self._done = 0
        self._refused = False
        self._news = threading.Condition()
        self._worker = Worker[bool](
            "alarm log",
            lambda _: self.write(),
            capacity=MOST_WAITING,
            every_s=1.0,
            idle=self.write,
            failed=failed,
        )

    def start(self) -> None:
        """Begin to write."""
        self._worker.start()

    def stop(self) -> bool:
        """Write what waits, then end."""
        return self._worker.stop()

    @property
    def failures(self) -> int:
        """Faults and overflows since the start."""
        return self._worker.failures + self._worker.overflows

    def put(self, entry: LogEntry) -> bool:
        """Take a row; False when too many wait. Before the start they only wait."""
        with self._news:
            if len(self._waiting) >= MOST_WAITING:
                return False
            self._waiting.append(entry)
            self._taken += 1
            first = len(self._waiting) == 1
        if first:
            self._worker.put(True)
        return True

    def written(self) -> bool:
        """Wait until all that was taken so far is on disk, for 0.2 s at most.

        While the disk refuses there is no waiting: alarms would queue up behind each other.
        """
        with self._news:
            wanted = self._taken
            if not self._worker.running:
                return False
            self._news.wait_for(lambda: self._done >= wanted or self._refused, WRITTEN_WITHIN_S)
            return self._done >= wanted

    def write(self) -> None:
        """Append what waits, in as few transactions as come. Raises BedsideError; it then stays."""
        while waiting := self._snapshot():
            try:
                self._log.append_all(
                    (entry.kind, entry.content, entry.wall_us, entry.at_us) for entry in waiting
                )
            except BedsideError:
                with self._news:
                    self._refused = True
                    self._news.notify_all()
                raise
            with self._news:
                self._refused = False
                for _ in waiting:
                    self._waiting.popleft()
                self._done += len(waiting)
                self._news.notify_all()

    def _snapshot(self) -> list[LogEntry]:
        with self._news:
            return list(self._waiting)

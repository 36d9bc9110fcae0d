"""What every way out of the building has in common."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bedside.delivery.alert import Alert
from bedside.errors import DeliveryError

VERSION = 1
"""Of the JSON that leaves."""


@dataclass(frozen=True, slots=True)
class LinkNews:
    """A transport's link came up or went away; `detail` is one sentence for the screen."""

    up: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RemoteAcknowledgement:
    """Somebody far away takes an alert on; `by` is who, and was proven by a signature."""

    alert_id: str
    by: str


Heard = Callable[[LinkNews | RemoteAcknowledgement], None]
"""Hears news of a transport, on any thread; returns at once."""


class Transport(Protocol):
    """A way out of the building."""

    def start(self, heard: Heard) -> None:
        """Open the link in the background and go on without it; raises `DeliveryError`."""
        ...

    def send(self, alert: Alert) -> None:
        """Hand the alert over; returns when it was taken, raises `DeliveryError` when not."""
        ...

    def close(self) -> None:
        """Close the link, within 3 s; an attempt under way fails."""
        ...


class InOrder:
    """Several transports: each alert goes to the first that takes it."""

    def __init__(self, transports: Mapping[str, Transport]) -> None:
        """In the order of the mapping, by their names."""
        self._transports = dict(transports)
        self._news: dict[str, LinkNews] = {}
        self._lock = threading.Lock()

    def start(self, heard: Heard) -> None:
        """Start all of them; their links are told as one, which is up when all are."""

        def heard_from(name: str) -> Heard:
            def hears(news: LinkNews | RemoteAcknowledgement) -> None:
                heard(news if isinstance(news, RemoteAcknowledgement) else self._all(name, news))

            return hears

        for name, transport in self._transports.items():
            transport.start(heard_from(name))

    def send(self, alert: Alert) -> None:
        """Hand the alert to the first that takes it; raises `DeliveryError` with every refusal."""
        refusals = []
        for name, transport in self._transports.items():
            try:
                transport.send(alert)
            except DeliveryError as error:
                refusals.append(f"{name}: {error}")
            else:
                return
        raise DeliveryError(" ".join(refusals))

    def close(self) -> None:
        """Close all of them."""
        closing = [threading.Thread(target=each.close) for each in self._transports.values()]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()

    def _all(self, name: str, news: LinkNews) -> LinkNews:
        with self._lock:
            self._news[name] = news
            down = [f"{name}: {each.detail}" for name, each in self._news.items() if not each.up]
        return LinkNews(not down, " ".join(down))


def payload(alert: Alert) -> bytes:
    """The alert as JSON, for a machine; `sms` is the same for a phone."""
    content = {
        "version": VERSION,
        "id": alert.alert_id,
        "contact": alert.contact,
        "round": alert.round,
        "test": alert.test,
        "priority": alert.priority.value,
        "code": alert.code,
        "bed": alert.bed,
        "wall_us": alert.wall_us,
        "heart_rate_bpm": alert.heart_rate_bpm,
        "still_active": alert.still_active,
        "stands_for": list(alert.members),
        "sms": alert.message(),
    }
    return json.dumps(content).encode()

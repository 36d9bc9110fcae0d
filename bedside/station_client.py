"""A face elsewhere: operator actions on a running station, over its broker."""

from __future__ import annotations

import json
import queue
import time
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from bedside import station_topics
from bedside.errors import LinkError
from bedside.node.link import Link
from bedside.settings import Settings

ANSWER_S = 5.0


class StationClient:
    """Speaks STATION topics for one user, for as long as a `with` block lasts."""

    def __init__(self, settings: Settings, user: str) -> None:
        """For the station and broker of these settings; `user` goes into the alarm log."""
        self._settings = settings
        self._user = settings.broker.username or user
        self._messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._connected: queue.Queue[bool] = queue.Queue()
        station = settings.station.name
        self._link = Link(
            settings.broker.host,
            settings.broker.port,
            client_id=f"operator-{uuid.uuid4().hex[:8]}",
            username=settings.broker.username,
            password=settings.broker.password(),
            ca_file=settings.broker.ca_file,
            subscriptions=(
                station_topics.state_topic(station),
                station_topics.bed_topic(station, "+", "state"),
                station_topics.result_topic(station, "+", self._user),
            ),
            on_message=lambda topic, payload: self._messages.put((topic, payload)),
            on_state=lambda connected, _: self._connected.put(connected),
        )

    def __enter__(self) -> StationClient:
        """Connect. Raises LinkError when the broker is away or the station is down."""
        broker = self._settings.broker
        self._link.start()
        deadline_s = time.monotonic() + ANSWER_S
        try:
            while not self._connected.get(timeout=max(0.0, deadline_s - time.monotonic())):
                pass
        except queue.Empty:
            self._link.stop()
            raise LinkError(
                f"No broker answers at {broker.host}:{broker.port}: start it, or set broker.host "
                "and broker.port in the configuration."
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self._link.stop()

    def beds(self) -> dict[str, dict[str, Any]]:
        """The beds of the station with their states. Raises LinkError when it does not run."""
        station = self._settings.station.name
        beds: dict[str, dict[str, Any]] = {}
        up = False
        deadline_s = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline_s:
            try:
                wait_s = 0.3 if up else deadline_s - time.monotonic()
                topic, payload = self._messages.get(timeout=max(0.0, wait_s))
            except queue.Empty:
                break
            content = station_topics.read(payload)
            if topic == station_topics.state_topic(station):
                up = bool(content["up"])
                if not up:
                    break
            elif "bed" in content:
                if content["bed"] in beds:
                    break
                beds[content["bed"]] = content
        if not up:
            raise LinkError(
                f"Station {station} is not running on this broker: start it with bedside run."
            )
        return beds

    def act(self, bed: str, name: str, arguments: Mapping[str, Any]) -> tuple[bool, str]:
        """Ask for an action and wait for its answer: done, or why not. Raises LinkError."""
        station = self._settings.station.name
        action_id = uuid.uuid4().hex
        self._link.publish(
            station_topics.action_topic(station, bed, self._user),
            station_topics.action_payload(action_id, name, arguments),
            1,
            False,
        )
        deadline_s = time.monotonic() + ANSWER_S
        while True:
            try:
                wait_s = max(0.0, deadline_s - time.monotonic())
                topic, payload = self._messages.get(timeout=wait_s)
            except queue.Empty:
                raise LinkError(
                    f"Station {station} does not answer: start it with bedside run."
                ) from None
            if topic != station_topics.result_topic(station, bed, self._user):
                continue
            content = json.loads(payload)
            if content.get("id") == action_id:
                return bool(content["done"]), str(content["reason"])

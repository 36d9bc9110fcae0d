"""A face elsewhere: operator actions on a running station, over its broker."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from bedside import station_topics
from bedside.anomaly.scoring import SCORES_WITHIN_S
from bedside.errors import LinkError
from bedside.node.link import Link, check
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
        self._listed: set[str] | None = None
        self._beds: dict[str, dict[str, Any]] = {}
        self._answers: dict[str, tuple[bool, str]] = {}
        self._deliveries: queue.Queue[dict[str, Any]] = queue.Queue()
        station = settings.station.name
        self._link = Link(
            settings.broker.address(),
            client_id=f"operator-{uuid.uuid4().hex[:8]}",
            subscriptions=(
                station_topics.state_topic(station),
                station_topics.bed_topic(station, "+", "state"),
                station_topics.result_topic(station, "+", self._user),
                station_topics.delivery_topic(station),
            ),
            on_message=lambda topic, payload: self._messages.put((topic, payload)),
            on_state=lambda connected, _: self._connected.put(connected),
        )

    def __enter__(self) -> StationClient:
        """Connect. Raises LinkError when the broker is away or the station is down."""
        broker = self._settings.broker
        check(broker.address())
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
        """The beds of the station with their latest states. Raises LinkError when it is down."""
        deadline_s = time.monotonic() + ANSWER_S
        while self._listed is None or not self._listed <= self._beds.keys():
            if not self._hear(deadline_s - time.monotonic()):
                break
        while self._hear(0.0):
            pass
        if self._listed is None:
            raise LinkError(
                f"Station {self._settings.station.name} is not running on this broker: start it "
                "with bedside run."
            )
        return {name: self._beds[name] for name in sorted(self._listed & self._beds.keys())}

    def _hear(self, timeout_s: float) -> bool:
        """Take one message in, if one comes in time."""
        try:
            topic, payload = self._messages.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return False
        try:
            content = station_topics.read(payload)
            self._take(topic, content)
        except (ValueError, KeyError, TypeError):
            return True  # not from a station: as good as silence
        return True

    def _take(self, topic: str, content: dict[str, Any]) -> None:
        if topic == station_topics.state_topic(self._settings.station.name):
            self._listed = set(content["beds"]) if content["up"] else None
        elif topic == station_topics.delivery_topic(self._settings.station.name):
            self._deliveries.put(content)
        elif "id" in content:
            self._answers[content["id"]] = (bool(content["done"]), str(content["reason"]))
        else:
            self._beds[content["bed"]] = content

    def delivery_step(self, timeout_s: float) -> dict[str, Any] | None:
        """The next step of any alert's delivery, None when there is none in time."""
        deadline_s = time.monotonic() + timeout_s
        while self._deliveries.empty():
            if not self._hear(deadline_s - time.monotonic()):
                return None
        return self._deliveries.get()

    def act(
        self, bed: str, name: str, arguments: Mapping[str, Any], action_id: str = ""
    ) -> tuple[bool, str]:
        """Ask for an action and wait for its answer: done, or why not. Raises LinkError."""
        station = self._settings.station.name
        action_id = action_id or uuid.uuid4().hex
        self._link.publish(
            station_topics.action_topic(station, bed, self._user),
            station_topics.action_payload(action_id, name, arguments),
            1,
            False,
        )
        deadline_s = time.monotonic() + ANSWER_S
        while action_id not in self._answers:
            if not self._hear(deadline_s - time.monotonic()):
                raise LinkError(f"Station {station} does not answer: start it with bedside run.")
        return self._answers.pop(action_id)

    def calibration_result(self, bed: str, seconds: float) -> tuple[bool, str]:
        """Wait for the end of a calibration that just began: accepted with what, or why not.

        Raises LinkError when nothing is heard of it.
        """
        deadline_s = time.monotonic() + seconds + SCORES_WITHIN_S + ANSWER_S
        began = False
        while True:
            state, _, reason = str(self._beds.get(bed, {}).get("calibration", "")).partition(": ")
            if state == "running":
                began = True
            elif began:
                return (False, reason) if state else (True, str(self._beds[bed]["calibrated"]))
            if not self._hear(deadline_s - time.monotonic()):
                raise LinkError(
                    f"Nothing was heard of the calibration of bed {bed}: bedside bed list shows "
                    "what came of it."
                )

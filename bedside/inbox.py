"""The messages of the broker's thread: batches of nodes and actions of operators elsewhere.

It only decodes, checks and hands over; nothing here waits.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bedside import station_topics
from bedside.claims import Holding
from bedside.errors import BedsideError
from bedside.events import ActionDone, Batch
from bedside.node import wire
from bedside.roles import role_needed
from bedside.settings import Settings

SAID_EVERY_S = 10.0
"""An overload is a line in the log this often, not one for each batch; it is counted and alarms."""

MOST_KNOWN = 10_000
"""Topics of batches that are told by one look; who sends under more names costs only time."""

_log = logging.getLogger(__name__)


class Act(Protocol):
    """Takes an operator's action; the last argument hears the answer."""

    def __call__(
        self,
        bed: str,
        action_id: str,
        user: str,
        name: str,
        arguments: Mapping[str, Any],
        answer: Callable[[ActionDone], None],
    ) -> None:
        """Take it; returns at once."""


class Inbox:
    """What the broker delivers to a station."""

    def __init__(
        self,
        settings: Settings,
        *,
        serves: Callable[[str], bool],
        hear: Callable[[Batch, float], bool],
        other: Callable[[Holding, bool], None],
        act: Act,
        publish: Callable[[str, bytes, int, bool], bool],
        refused: Counter[str],
        now_us: Callable[[], int],
    ) -> None:
        """`hear` takes a batch, of a node that this station `serves`, with the monotonic time in s
        at which it came; `other` what a station, perhaps this one, says that it holds, and whether
        it says so now or the broker kept it from before.
        """
        self._settings = settings
        self._serves = serves
        self._hear = hear
        self._other = other
        self._act = act
        self._publish = publish
        self._refused = refused
        self._now_us = now_us
        self._said_s = float("-inf")
        self._nodes: dict[str, str] = {}

    def streams(self) -> tuple[str, ...]:
        """The topics of batches; what does not come is asked for by the acknowledgement."""
        names = self._settings.station.bed_names
        exact = all(map(wire.is_node_name, names))
        return tuple(wire.ecg_topic(name) for name in names) if exact else (wire.ecg_topic("+"),)

    def subscriptions(self) -> tuple[str, ...]:
        """The other topics to listen to."""
        return (
            station_topics.action_topic(self._settings.station.name, "+", "+"),
            station_topics.state_topic("+"),
        )

    def receive(self, topic: str, payload: bytes) -> None:
        """Take one message."""
        received_s = time.monotonic()
        node = self._nodes.get(topic)
        if node is not None:
            self._batch(node, payload, received_s)
            return
        action = station_topics.action_of(topic, self._settings.station.name)
        if action is not None:
            self._asked(*action, payload)
            return
        if station_topics.station_of(topic):
            self._told(topic, payload, now=True)
            return
        of = wire.node_of(topic)
        if of is None or of[1] != "ecg" or not self._serves(of[0]):
            return
        if len(self._nodes) < MOST_KNOWN:
            self._nodes[topic] = of[0]
        self._batch(of[0], payload, received_s)

    def _batch(self, node: str, payload: bytes, received_s: float) -> None:
        try:
            batch = wire.decode_batch(payload, node, self._now_us())
        except wire.WireError as error:
            self._refused[error.reason] += 1
            _log.warning("a batch of node %s is refused: %s", node, error)
            return
        if not self._hear(batch, received_s) and received_s - self._said_s > SAID_EVERY_S:
            self._said_s = received_s
            _log.error("analysis cannot keep up: a batch of node %s waits at the node", node)

    def receive_kept(self, topic: str, payload: bytes) -> None:
        """Take one message that the broker kept from before."""
        if station_topics.station_of(topic):
            self._told(topic, payload, now=False)

    def _told(self, topic: str, payload: bytes, *, now: bool) -> None:
        try:
            holding = Holding.read(station_topics.read(payload))
        except (ValueError, KeyError, TypeError, BedsideError):
            return  # of another version: its beds cannot be told
        if holding.station == station_topics.station_of(topic):
            self._other(holding, now)

    def _asked(self, bed: str, user: str, payload: bytes) -> None:
        station = self._settings.station.name

        def answer(done: ActionDone) -> None:
            topic = station_topics.result_topic(station, bed, user)
            self._publish(topic, station_topics.result_payload(done), 1, False)

        try:
            action_id, name, arguments, refusal = station_topics.read_action(payload, time.time())
        except (ValueError, KeyError, TypeError, BedsideError) as error:
            _log.warning("an action of %s is refused: %s", user, error)
            return
        role, needed = self._settings.role_of(user), role_needed(name)
        if not refusal and role < needed:
            refusal = (
                f"{user} may {role.word}, this needs the role {needed.word}: see station.roles"
            )
        if refusal:
            answer(ActionDone(self._now_us(), action_id, user, False, refusal))
        else:
            self._act(bed, action_id, user, name, arguments, answer)

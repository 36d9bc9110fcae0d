"""The feed of a station elsewhere, over its broker: the same picture, drawn from what it says.

The pipeline runs once, in the station; here its events are painted, its samples kept for the
sweep, and actions sent back. An old picture never looks alive: what the station has not confirmed
for 3 s gets a fault in words.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from bedside import station_topics
from bedside.errors import LinkError
from bedside.event_json import read_shown
from bedside.events import ActionDone, Wave
from bedside.feed import BedSnapshot, Hop, LogLine, Recording, WaveSlice
from bedside.look_back import RemoteRecording
from bedside.node.link import Link, check
from bedside.picture import Picture
from bedside.settings import Settings
from bedside.wave_message import WaveMessageError, decode

ANSWER_S = 5.0
SILENT_S = 3.0
"""A station says how its beds are once a second at least: after this long it is silent."""

WANT_EVERY_S = 4.0
LOOK_BACK_S = 15.0
"""A look back makes a station read for up to a second a question; others may have asked before."""


class RemoteFeed:
    """A station's feed for as long as a `with` block lasts, for one user."""

    def __init__(self, settings: Settings, user: str) -> None:
        """For the station and broker of these settings; `user` goes into the alarm log."""
        self._settings = settings
        self._station = settings.station.name
        self._user = settings.broker.username or user
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._beds: dict[str, _RemoteBed] = {}
        self._listed: set[str] | None = None
        self._station_run = ""
        self._contacts: tuple[str, ...] = ()
        self._connected = False
        self._fault = ""
        self._stopped = False
        self._asked_s: dict[str, tuple[str, float]] = {}
        self._results: deque[ActionDone] = deque(maxlen=100)
        self._questions: dict[str, queue.SimpleQueue[Mapping[str, Any] | None]] = {}
        self._hops: deque[Hop] = deque(maxlen=500)
        station = self._station
        self._link = Link(
            settings.broker.address(),
            client_id=f"screen-{uuid.uuid4().hex[:8]}",
            subscriptions=(
                station_topics.state_topic(station),
                *(
                    station_topics.bed_topic(station, "+", what)
                    for what in ("state", "events", "wave")
                ),
                station_topics.result_topic(station, "+", self._user),
                station_topics.delivery_topic(station),
            ),
            on_message=self._heard,
            on_state=self._link_changed,
        )

    def __enter__(self) -> RemoteFeed:
        """Connect and hear the station. Raises LinkError, in one sentence, when it is not there."""
        broker = self._settings.broker
        check(broker.address())
        self._link.start()
        with self._news:
            self._news.wait_for(lambda: self._listed is not None or self._fault, ANSWER_S)
            listed, fault = self._listed, self._fault
        if listed is None:
            self._link.stop()
            raise LinkError(
                fault
                or f"Station {self._station} is not running on the broker at {broker.host}:"
                f"{broker.port}: start it with bedside run, or name another with --name."
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave; the station does not notice."""
        with self._lock:
            for waiting in self._questions.values():
                waiting.put(None)
        self._link.stop()

    # ── what a face asks ──────────────────────────────────────────────────────────────────────

    def beds(self) -> tuple[str, ...]:
        """The beds of the station of which a state has been heard, in order."""
        with self._lock:
            return tuple(sorted(self._beds.keys() & (self._listed or self._beds.keys())))

    def wait_for(self, bed: str) -> None:
        """Wait until a bed is known. Raises LinkError when the station has none of that name."""
        with self._news:
            self._news.wait_for(lambda: bed in self._beds, ANSWER_S)
            known = sorted(self._beds)
        if bed not in known:
            raise LinkError(
                f"Station {self._station} has no bed {bed}: "
                + (f"choose one of {', '.join(known)}." if known else "no node has spoken yet.")
            )

    def snapshot(self, bed: str) -> BedSnapshot:
        """What is known of a bed now. Raises KeyError for a bed that is not there."""
        now_s = time.monotonic()
        with self._lock:
            snapshot = self._beds[bed].snapshot(now_s)
            fault = self._fault or self._silence(self._beds[bed].heard_s, now_s)
        return replace(snapshot, fault=fault) if fault else snapshot

    def _silence(self, heard_s: float | None, now_s: float) -> str:
        """Why the picture may not be believed, in words; empty while the station speaks."""
        name = self._station.upper()
        if self._stopped:
            return f"STATION {name} HAS STOPPED: this picture is old"
        if heard_s is None:
            return f"WAITING FOR STATION {name}"
        if now_s - heard_s <= SILENT_S:
            return ""
        if not self._connected:
            return f"NO BROKER FOR {now_s - heard_s:.0f} s: this picture is old"
        return f"STATION {name} SILENT FOR {now_s - heard_s:.0f} s: this picture is old"

    def wave(self, bed: str, since: int) -> WaveSlice:
        """The samples since a position; asking is what makes the station send them."""
        with self._lock:
            remote = self._beds[bed]
            wanted = time.monotonic() - remote.wanted_s > WANT_EVERY_S
            if wanted:
                remote.wanted_s = time.monotonic()
        if wanted:
            self._send(bed, uuid.uuid4().hex, "want-wave", {})
        return remote.picture.ring.read(since)

    def act(self, bed: str, name: str, arguments: Mapping[str, Any] | None = None) -> str:
        """Ask for an operator action; returns its id, whose answer `results` brings.

        Raises LinkError when the broker is away.
        """
        action_id = uuid.uuid4().hex
        with self._lock:
            self._asked_s[action_id] = (bed, time.monotonic())
        if not self._send(bed, action_id, name, arguments or {}):
            with self._lock:
                del self._asked_s[action_id]
            raise LinkError("the broker is away, nothing was done: try again when it is back")
        return action_id

    def results(self) -> list[ActionDone]:
        """Answers to this face's actions since the last call; silence for 5 s is one, too."""
        now_s = time.monotonic()
        with self._lock:
            late = [
                action_id
                for action_id, (_, asked_s) in self._asked_s.items()
                if now_s - asked_s > ANSWER_S
            ]
            for action_id in late:
                del self._asked_s[action_id]
                words = "the station does not answer: look whether it was done, then ask again"
                self._results.append(ActionDone(0, action_id, self._user, False, words))
            answers = list(self._results)
            self._results.clear()
        return answers

    def hops(self, alert_id: str) -> tuple[Hop, ...]:
        """How far an alert has come, oldest first, as far as this face has heard."""
        with self._lock:
            return tuple(hop for hop in self._hops if hop.alert_id == alert_id)

    def contacts(self) -> tuple[str, ...]:
        """The names of those whom the station tells, in their order."""
        with self._lock:
            return self._contacts

    def recording(self) -> Recording:
        """What the station recorded of its beds."""
        return RemoteRecording(self.ask)

    def ask(
        self, bed: str, arguments: Mapping[str, Any], within_s: float = LOOK_BACK_S
    ) -> Mapping[str, Any]:
        """Look back at what the station recorded; waits for what is told. Raises LinkError."""
        action_id = uuid.uuid4().hex
        answer: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        with self._lock:
            self._questions[action_id] = answer
        try:
            if not self._send(bed, action_id, "look-back", arguments):
                raise LinkError("the broker is away: look back when it is here again")
            content = answer.get(timeout=within_s)
        except queue.Empty:
            raise LinkError("the station does not answer: look back when it does") from None
        finally:
            with self._lock:
                del self._questions[action_id]
        if content is None:
            raise LinkError("this screen has left the station")
        if not content["done"]:
            raise LinkError(str(content["reason"]))
        told = content["told"]
        return told if isinstance(told, Mapping) else {}

    def _send(self, bed: str, action_id: str, name: str, arguments: Mapping[str, Any]) -> bool:
        return self._link.publish(
            station_topics.action_topic(self._station, bed, self._user),
            station_topics.action_payload(action_id, name, arguments),
            1,
            False,
        )

    # ── what the link brings, on its thread ───────────────────────────────────────────────────

    def _link_changed(self, connected: bool, detail: str) -> None:
        with self._news:
            self._connected = connected
            if connected:
                # A clean session misses what was said meanwhile: each bed's log is asked for anew.
                for remote in self._beds.values():
                    remote.begin()
            self._news.notify_all()

    def _heard(self, topic: str, payload: bytes) -> None:
        bed, what = station_topics.bed_of(topic, self._station)
        try:
            if what == "wave":
                self._take_wave(bed, payload)
                return
            content = station_topics.read(payload)
            with self._news:
                ask = self._take(bed, what, content)
                self._news.notify_all()
        except LinkError as error:
            with self._news:
                self._fault = str(error)
                self._news.notify_all()
            return
        except (ValueError, KeyError, TypeError, WaveMessageError):
            return  # not from a station of this version: as good as silence
        if ask is not None:
            self._send(bed, uuid.uuid4().hex, "events-since", {"number": ask})

    def _take(self, bed: str, what: str, content: dict[str, Any]) -> int | None:
        """Take a message in; returns the number of the last event known where some are missing."""
        now_s = time.monotonic()
        match what:
            case "station":
                up, run = bool(content["up"]), str(content.get("run", ""))
                if not up and self._station_run not in ("", run):
                    return None  # another one of this name, which has given way
                self._station_run = run
                self._listed = set(map(str, content["beds"])) if up else None
                self._stopped, self._fault = not up, ""
                self._contacts = tuple(map(str, content.get("contacts", ())))
            case "delivery":
                hop = station_topics.read_hop(content)
                self._hops.append(hop)
                for remote in self._beds.values():
                    remote.picture.set_delivery(str(content["instance"]), hop.state)
            case "state":
                remote = self._beds.setdefault(bed, _RemoteBed(bed))
                return remote.state(content, now_s)
            case "events" if bed in self._beds:
                return self._beds[bed].event(content)
            case "result" if content["id"] in self._questions:
                self._questions[content["id"]].put(content)
            case "result" if "told" in content and bed in self._beds:
                self._beds[bed].told(content["told"])
            case "result" if content["id"] in self._asked_s:
                del self._asked_s[content["id"]]
                self._results.append(station_topics.read_result(content, self._user))
            case _:
                pass
        return None

    def _take_wave(self, bed: str, payload: bytes) -> None:
        piece = decode(payload)
        with self._lock:
            remote = self._beds.get(bed)
        if remote is not None and remote.run == piece.run:
            remote.picture.ring.write(
                Wave(0, piece.position, piece.whole(), piece.flags, piece.marks)
            )
            for beat in piece.beats:
                remote.picture.explain(beat)


class _RemoteBed:
    """One bed as its station has told it. `number` is that of the last event, None: unknown."""

    def __init__(self, bed: str) -> None:
        self.bed = bed
        self.picture = Picture(bed)
        self.run: int | None = None
        self.number: int | None = None
        self.asked_for_history_s = 0.0
        self.heard_s: float | None = None
        self.wanted_s = 0.0
        self._state: BedSnapshot | None = None
        self._came_s = 0.0
        self._repeated = False

    def begin(self) -> None:
        """A connection begins: what was missed is not known, and what comes first may be kept."""
        self.number = None
        self._repeated = False

    def snapshot(self, now_s: float) -> BedSnapshot:
        """The picture at a monotonic moment."""
        painted = self.picture.snapshot(0, 0)
        state = self._state
        if state is None:
            return painted
        since_s = now_s - self._came_s
        return replace(
            state,
            errors=painted.errors,
            abnormal=painted.abnormal,
            last_beat=painted.last_beat,
            last_abnormal=painted.last_abnormal,
            log=painted.log,
            wall_us=state.wall_us + round(since_s * 1e6),
            age_s=state.age_s + since_s,
            sound_paused_s=_less(state.sound_paused_s, since_s),
            standby_s=_less(state.standby_s, since_s),
        )

    def state(self, content: Mapping[str, Any], now_s: float) -> int | None:
        """The bed's own state came; returns the event's number to ask from, if any are missing."""
        run, session = int(content["run"]), str(content["session"])
        before = self._state
        if run != self.run or (before is not None and before.session != session):
            # Another start of the station or another patient: nothing of the old picture stays.
            if run != self.run:
                self.picture = Picture(self.bed)
            self.run, self.number = run, None
        self._state = station_topics.read_bed(content)
        self._came_s = now_s
        # The first one after a connection is what the broker kept, from however long ago.
        if self._repeated:
            self.heard_s = now_s
        self._repeated = True
        if self.number is None and now_s - self.asked_for_history_s > ANSWER_S / 5:
            self.asked_for_history_s = now_s
            return 0
        return None

    def event(self, content: Mapping[str, Any]) -> int | None:
        """An event came; returns the number of the last one before a hole."""
        number = int(content["number"])
        if self.number is None or content["run"] != self.run or number <= self.number:
            return None  # the history that has been asked for holds it
        if number > self.number + 1:
            return self.number
        self._paint(content)
        return None

    def told(self, told: Mapping[str, Any]) -> None:
        """The station has told what was missing."""
        number = int(told["number"])
        if "history" in told:
            history = told["history"]
            self.picture.remember(
                [LogLine(*line) for line in history["log"]], history["errors"], history["abnormal"]
            )
            self.number = number
            return
        for content in told["events"]:
            if self.number is not None and int(content["number"]) == self.number + 1:
                self._paint(content)

    def _paint(self, content: Mapping[str, Any]) -> None:
        self.number = int(content["number"])
        with contextlib.suppress(KeyError, TypeError, ValueError):
            event = read_shown(content)
            if event is not None:
                self.picture.apply(event, int(content["wall_us"]))


def _less(left_s: float | None, since_s: float) -> float | None:
    return None if left_s is None else max(0.0, left_s - since_s)

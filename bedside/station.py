"""The runtime: threads and queues around a ward.

The MQTT client's thread only decodes and queues. One analysis thread runs every monitor; scoring,
disk and delivery have a thread each, and what they have to say comes back as an input. Queues are
bounded; an overflow, like any failing part, becomes an alarm.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bedside import __version__, station_topics, systemd
from bedside.alarms import log as alarm_log
from bedside.alarms.replay import replay
from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import Baseline
from bedside.archivist import Archivist
from bedside.claims import Holding
from bedside.clerk import Clerk
from bedside.delivery.alert import Alert
from bedside.delivery.delivery import DeliveryStep
from bedside.delivery.transport import Transport
from bedside.dispatch import Dispatch
from bedside.errors import BedsideError
from bedside.events import (
    Action,
    ActionDone,
    Batch,
    BedState,
    Event,
    Health,
    Input,
    Sound,
)
from bedside.feed import Recording
from bedside.inbox import Inbox
from bedside.known_beds import known_beds
from bedside.late_review import CONTEXT_S
from bedside.librarian import Librarian
from bedside.local_feed import LocalFeed
from bedside.measures import Measures, process_use
from bedside.node.link import Link
from bedside.operators import Answer
from bedside.ports import LogEntry, Ports
from bedside.recording.bed_file import BedFile
from bedside.recording.recorder import Recorder
from bedside.review import Review
from bedside.scorer import Scorer
from bedside.settings import Settings
from bedside.sounder import Sounder
from bedside.unsent import unsent
from bedside.ward import SequenceRanges, Ward
from bedside.watch import TICK_S, Watch
from bedside.worker import Worker

_log = logging.getLogger(__name__)

NOTICED_WITHIN_S = 5.0
MEASURES_EVERY_S = 10.0

TOGETHER_S = 0.05
"""What all beds have for the model, or for the disk, within this time is done together."""


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """A decoded batch, with the monotonic time at which it came from the broker."""

    batch: Batch
    received_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """Any other input for a bed, or for the station itself where `bed` is empty."""

    bed: str
    happened: Input
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """What the recorder brought to the disk, or, where it is not `safe`, could not."""

    ranges: SequenceRanges
    safe: bool


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A step of an alert's delivery."""

    step: DeliveryStep


@dataclass(frozen=True, slots=True)
class _Told:
    """What a station says that it holds: `now`, or before, and the broker kept it."""

    holding: Holding
    now: bool


class Station:
    """Serves every bed whose node's name fits `settings.station.bed_names`.

    `on_event` hears every event with its bed and Unix time in µs, on the analysis thread.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        *,
        autoencoder: Autoencoder | None = None,
        speed: float = 1.0,
        titles: Mapping[str, str] | None = None,
        on_event: Callable[[str, Event, int], None] = lambda bed, event, wall_us: None,
        sounder: Sounder | None = None,
    ) -> None:
        """Open model, disk and outbox; nothing runs yet. Raises BedsideError.

        `titles` stand beside the traces of beds whose signal is a replay. Without a `sounder` the
        station is silent.
        """
        self._settings = settings
        self._speed = speed
        self._started_s = time.monotonic()
        folder = settings.station.data_dir
        self._beds_folder = folder / "beds"
        self._recorder = Recorder(
            folder / "recordings",
            settings.recording.sync_every_s,
            keep_h=settings.recording.keep_h,
            strips_mb=settings.recording.strips_mb,
            low_space_mb=settings.recording.low_space_mb,
            wall_us=self.wall_us,
        )
        self._log_path = folder / "alarms.sqlite"
        self._alarm_log = alarm_log.opened(self._log_path, self.wall_us())
        self._dispatch = Dispatch(
            folder / "outbox.sqlite",
            transport,
            settings.alerts,
            self,
            settings.limits.delivery_failing_s / speed,
        )
        self._stopping = False
        self._sounder = sounder
        self._on_event = on_event
        self._behind_s = 0.0
        self._clerk = Clerk(self._alarm_log, failed=lambda error: self._unwell("disk", error))
        self._make_workers(autoencoder)
        self._librarian = Librarian(self._recording(), self.now_us)
        self.ward = Ward(
            settings,
            self._scorer.facts,
            Ports(
                score=self._scorer.put,
                record=self._archivist.put,
                log=self._clerk.put,
                written=self._clerk.written,
                keep=self._archivist.keep,
                alert=self._dispatch.put,
                follow=self._dispatch.follow,
                patient_left=self._dispatch.patient_left,
                publish=self._publish,
                show=self._show,
                now_us=self.now_us,
                wall_us=self.wall_us,
            ),
            titles,
        )
        self._watch = Watch(
            self.ward.station,
            self._analysis,
            self._scorer.worker,
            at_us=self._at_us,
            speed=speed,
            behind_s=self._lag_s,
            scores_behind_s=self._scorer.behind_s,
        )
        self._inbox = Inbox(
            settings,
            serves=self.ward.serves,
            hear=self._heard,
            other=self._heard_of,
            act=self.act,
            publish=self._publish,
            refused=self.ward.counts.refused,
            now_us=self.now_us,
        )
        self._link = self._make_link()
        self._open_known_beds()
        # In one transaction: a kill in between leaves the log as the earlier run left it.
        self._clerk.write()

    def start(self) -> None:
        """Start every thread and the link to the broker."""
        self._clerk.start()
        for worker in self._workers():
            worker.start()
        self._librarian.start()
        self._watch.start()
        self._measuring.start()
        if self._sounder is not None:
            self._sounder.start(lambda ok, detail: self._well("sound", ok, detail))
        self._dispatch.start()
        self._link.start()
        if self._scorer.fault:
            self._well("model", False, self._scorer.fault)
        systemd.notify("READY=1")

    def stop(self) -> None:
        """End in order, so that nothing that was received is lost."""
        self._stopping = True
        systemd.notify("STOPPING=1")
        name = self._settings.station.name
        self._publish(
            *station_topics.state_message(Holding(name, self.ward.share.claims.run, up=False))
        )
        self._measuring.stop()
        self._link.stop()
        for worker in self._workers():
            if not worker.stop():
                _log.error("%s did not end in time", worker.name)
        if self._sounder is not None:
            self._sounder.stop()
        self._librarian.stop()
        self._watch.stop()
        self._dispatch.stop()
        self._clerk.stop()
        try:
            self._recorder.sync(self.now_us() / 1e6, at_once=True)
        finally:
            self._recorder.close()
            self._alarm_log.close()

    def admit(self, bed: str, baseline: Baseline | None = None) -> None:
        """Put a patient into a bed before the start, with a baseline that came with them."""
        self.ward.open_bed(
            bed,
            BedFile(BedState.ADMITTED, secrets.token_hex(8)),
            self._recorder.stored(bed),
            baseline,
            "the demo",
        )

    def feed(self, user: str = "bedside") -> LocalFeed:
        """A feed for a face in this process; `user` stands in the alarm log."""
        return LocalFeed(
            self.ward.pictures,
            self.act,
            self.now_us,
            self.wall_us,
            self._recording,
            user,
            self.ward.hops,
            self._settings.alerts.contact_names(),
        )

    def act(
        self,
        bed: str,
        action_id: str,
        user: str,
        name: str,
        arguments: Mapping[str, Any],
        answer: Answer,
    ) -> None:
        """An operator wants something of a bed; `answer` hears what became of it."""
        if name == "look-back":
            self._librarian.ask(bed, action_id, user, arguments, answer)
            return
        known = {**arguments}
        if name == "admit":
            known["session"] = secrets.token_hex(8)
        action = Action(self.now_us(), action_id, user, name, known)
        if not self._analysis.put(_Taken(bed, action, answer)):
            answer(ActionDone(action.at_us, action_id, user, False, "the station is overloaded"))

    def _recording(self) -> Recording:
        """What is on the disk, for one thread."""
        return Review(self._settings.station.data_dir, self._scorer.autoencoder)

    def now_us(self) -> int:
        """The station's monotonic time in µs, scaled by its speed."""
        return self._at_us(time.monotonic())

    def _at_us(self, monotonic_s: float) -> int:
        return round((monotonic_s - self._started_s) * self._speed * 1e6)

    def wall_us(self) -> int:
        """Unix time in µs."""
        return time.time_ns() // 1000

    def summary(self) -> dict[str, Any]:
        """What was counted since the start."""
        return self.ward.counts.summary() | {"failures": self._failures()}

    def measures(self) -> Measures:
        """What is counted and what waits now."""
        alerts_waiting, oldest_alert_s = self._dispatch.waiting
        cpu_s, memory_bytes = process_use()
        return Measures(
            counts=self.ward.counts,
            failures=self._failures(),
            waiting={worker.name: worker.waiting for worker in self._workers()},
            beds=len(self.ward.pictures),
            alerts_waiting=alerts_waiting,
            oldest_alert_s=oldest_alert_s,
            disk_free_bytes=shutil.disk_usage(self._settings.station.data_dir).free,
            cpu_s=cpu_s,
            memory_bytes=memory_bytes,
            up_s=time.monotonic() - self._started_s,
        )

    def _say_measures(self) -> None:
        """For whoever looks after the machine; nothing of it is about a patient."""
        topic = station_topics.metrics_topic(self._settings.station.name)
        content = {"version": station_topics.VERSION} | self.measures().json()
        self._publish(topic, json.dumps(content).encode(), 1, True)

    def _failures(self) -> dict[str, int]:
        failures = {worker.name: worker.failures + worker.overflows for worker in self._workers()}
        return failures | {
            "delivery": self._dispatch.failures,
            "alarm log": self._clerk.failures,
            "look back": self._librarian.failures,
            "watch": self._watch.failures,
        }

    def _workers(self) -> tuple[Worker[Any], ...]:
        return (self._analysis, self._scorer.worker, self._archivist.worker)

    # ── construction ──────────────────────────────────────────────────────────────────────────

    def _make_workers(self, autoencoder: Autoencoder | None) -> None:
        self._analysis = Worker[_Heard | _Taken | _Stored | _Delivered | _Told](
            "analysis",
            self._analyse,
            capacity=20_000,
            every_s=TICK_S / max(1.0, self._speed),
            idle=lambda: self.ward.tick(self._heard_to_us()),
        )
        self._scorer = Scorer(
            autoencoder,
            speed=self._speed,
            together_s=TOGETHER_S / max(1.0, self._speed),
            now_us=self.now_us,
            scored=lambda bed, scores: self._analysis.put(_Taken(bed, scores)),
            well=self._well,
            failed=lambda error: self._unwell("model", error),
        )
        self._archivist = Archivist(
            self._recorder,
            self._beds_folder,
            self._log_path,
            every_s=min(1.0, self._settings.recording.sync_every_s) / max(1.0, self._speed),
            together_s=TOGETHER_S / max(1.0, self._speed),
            now_us=self.now_us,
            stored=self._stored,
            well=self._well,
            failed=lambda error: self._unwell("disk", error),
        )

        self._measuring = Worker[None](
            "measuring",
            lambda _: None,
            capacity=1,
            every_s=MEASURES_EVERY_S / max(1.0, self._speed),
            idle=self._say_measures,
        )

    def _make_link(self) -> Link:
        broker, station = self._settings.broker, self._settings.station
        topic, payload, _, _ = station_topics.state_message(self.ward.share.claims.gone())
        return Link(
            broker.address(),
            client_id=f"{station.name}-{secrets.token_hex(4)}",
            subscriptions=self._inbox.subscriptions(),
            streams=self._inbox.streams(),
            on_kept=self._inbox.receive_kept,
            will=(topic, payload),
            on_message=self._inbox.receive,
            on_state=self._broker_changed,
        )

    def _open_known_beds(self) -> None:
        logged = self._alarm_log.of_last_run()
        self._clerk.put(LogEntry("start", {"version": __version__, "bed": ""}, self.wall_us(), 0))
        self.ward.station.go_on(replay(row.payload for row in logged.get("", ())).alarms)
        version = None if self._scorer.autoencoder is None else self._scorer.facts.version
        for bed in known_beds(self._beds_folder, self.ward.serves, logged, version):
            self.ward.open_bed(
                bed.name,
                bed.kept,
                self._recorder.stored(bed.name),
                bed.baseline,
                alarms=bed.alarms,
                newest=self._recorder.newest(bed.name, CONTEXT_S),
            )
            for alert in unsent(bed.name, bed.rows, self._dispatch.knows):
                _log.warning("not sent before the restart: %s", alert.message())
                self._dispatch.put(alert)

    def _publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        """To the broker, unless another station has this one's name: its topics are not ours."""
        return not self.ward.share.muted and self._link.publish(topic, payload, qos, retain)

    def _show(self, bed: str, event: Event, wall_us: int) -> None:
        if isinstance(event, Sound) and self._sounder is not None:
            self._sounder.play(event.priority)
        self._on_event(bed, event, wall_us)

    # ── links and parts, on any thread ────────────────────────────────────────────────────────

    def _broker_changed(self, connected: bool, detail: str) -> None:
        if self._stopping:
            return
        if connected:
            self._well("broker", True)
            return
        # The client notices a silent broker late: the fault is as old as the last message.
        heard_s = self._link.last_message_monotonic_s
        ago_s = 0.0 if heard_s is None else min(time.monotonic() - heard_s, NOTICED_WITHIN_S)
        now_us = self.now_us()
        since_us = max(0, now_us - round(ago_s * self._speed * 1e6))
        self._say(Health(now_us, "broker", False, detail, since_us))

    def _unwell(self, subject: str, error: BaseException) -> None:
        self._well(subject, False, str(error) if isinstance(error, BedsideError) else repr(error))

    def _well(self, subject: str, ok: bool, detail: str = "") -> None:
        self._say(Health(self.now_us(), subject, ok, detail))

    def _say(self, health: Health) -> None:
        self._watch.put(health)
        if health.subject == "broker":
            self._analysis.put(_Taken("", health))

    # ── the analysis thread ───────────────────────────────────────────────────────────────────

    def _analyse(self, item: _Heard | _Taken | _Stored | _Delivered | _Told) -> None:
        match item:
            case _Heard():
                self.ward.heard(item.batch)
                self._behind_s = time.monotonic() - item.received_s
                self.ward.counts.latencies_s.append(self._behind_s)
            case _Taken():
                self.ward.take(item.bed, item.happened, item.answer)
            case _Stored(safe=True):
                self.ward.stored(item.ranges)
            case _Stored():
                self.ward.not_stored(item.ranges)
            case _Delivered():
                self.ward.delivered(item.step)
            case _Told():
                self.ward.heard_of(item.holding, item.now)

    def _heard(self, batch: Batch, received_s: float) -> bool:
        return self._analysis.put(_Heard(batch, received_s))

    def _heard_of(self, holding: Holding, now: bool) -> None:
        self._analysis.put(_Told(holding, now))

    def _stored(self, ranges: SequenceRanges, safe: bool) -> None:
        self._analysis.put(_Stored(ranges, safe))

    def _lag_s(self) -> float:
        """How long the batch that was last analysed had waited, while others wait."""
        return self._behind_s if self._analysis.waiting else 0.0

    def _heard_to_us(self) -> int:
        """The moment up to which the beds have heard: a node whose batches wait is not silent."""
        return self.now_us() - round(self._lag_s() * self._speed * 1e6)

    # ── what becomes of alerts, on any thread ─────────────────────────────────────────────────

    def stepped(self, step: DeliveryStep) -> None:
        """A delivery made a step."""
        self._analysis.put(_Delivered(step))

    def health(self, subject: str, ok: bool, detail: str, since_s: float | None = None) -> None:
        """How the delivery or its link fares."""
        since_us = None if since_s is None else max(0, self._at_us(since_s))
        self._say(Health(self.now_us(), subject, ok, detail, since_us))

    def acknowledged(self, alert: Alert, by: str) -> None:
        """Somebody far away took an alert on: its alarm is acknowledged too."""

        def answer(done: ActionDone) -> None:
            if not done.done:
                _log.warning("alert %s of %s: %s", alert.alert_id, by, done.reason)

        if alert.instance_id:
            self.act(
                alert.bed,
                secrets.token_hex(8),
                f"{by} from afar",
                "acknowledge",
                {"instance": alert.instance_id},
                answer,
            )

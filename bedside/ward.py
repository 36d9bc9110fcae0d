"""All beds of one station: routes inputs to their monitors, and what comes out to its ports.

One thread calls it. It owns no thread, socket or file itself: what leaves goes through `Ports`,
which never block.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections import deque
from collections.abc import Mapping, Sequence

from bedside import station_topics
from bedside.alarms.engine import EngineState, restarted
from bedside.anomaly.baseline import Baseline
from bedside.anomaly.scoring import ModelFacts
from bedside.broadcast import Broadcast
from bedside.claims import Holding
from bedside.counts import Counts
from bedside.delivery.alert import alert_of
from bedside.delivery.delivery import DeliveryState, DeliveryStep
from bedside.event_json import to_json
from bedside.events import (
    Action,
    AlarmChanged,
    Batch,
    BedChanged,
    BedState,
    CalibrationChanged,
    Event,
    Flags,
    FoundLate,
    Health,
    Input,
    Instance,
    LimitsChanged,
    ScoreRequest,
    SoundPaused,
    SuspensionChanged,
    Tick,
)
from bedside.feed import Hop, LinkState
from bedside.late_review import LateReview
from bedside.monitor import Monitor
from bedside.node import wire
from bedside.node.stream import ArrivalKind, Stream
from bedside.operators import Answer, Operators
from bedside.picture import Picture
from bedside.ports import LogEntry, Ports
from bedside.recording.beats import BeatNote, StripNote
from bedside.recording.bed_file import BedFile
from bedside.served_bed import ServedBed
from bedside.settings import Settings
from bedside.share import Share
from bedside.station_alarms import StationAlarms

SequenceRanges = Mapping[tuple[str, int], list[tuple[int, int]]]
"""(node, boot id) → first and last sequence numbers."""

_LOGGED = (
    AlarmChanged
    | SuspensionChanged
    | SoundPaused
    | LimitsChanged
    | BedChanged
    | CalibrationChanged
    | FoundLate
)

_PARTS = (
    "broker",
    "cloud",
    "delivery",
    "analysis",
    "model",
    "disk",
    "damage",
    "outbox",
    "clock",
    "clock-step",
    "sound",
)

NODE_SILENT_S = 3.0
STATE_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class Ward:
    """The beds by their names; a bed has the name of its node."""

    def __init__(
        self,
        settings: Settings,
        model: ModelFacts,
        ports: Ports,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        """An empty ward; beds come with `open_bed` or with their first batch.

        `titles` stand beside the traces of beds whose signal is a replay.
        """
        self.counts = Counts()
        self.pictures: dict[str, Picture] = {}
        self._settings = settings
        self._model = model
        self._ports = ports
        self._titles = titles or {}
        self._beds: dict[str, ServedBed] = {}
        self._run = secrets.token_hex(2)
        self.station = StationAlarms(
            settings.station.name,
            self._run,
            settings.limits,
            ports,
            self.pictures,
            self.counts,
            self._publish_states,
        )
        self.share = Share(settings.station.name, settings.station.bed_names)
        self._left: dict[str, ServedBed] = {}
        self._said_us: int | None = None
        self._operators = Operators(settings, ports, self._beds, self.station, self._emit)
        self._hops: deque[Hop] = deque(maxlen=500)

    def serves(self, name: str) -> bool:
        """Whether a node's name fits the patterns of this station."""
        return self.share.fits(name)

    def open_bed(
        self,
        name: str,
        kept: BedFile | None = None,
        stored: Mapping[int, list[tuple[int, int]]] | None = None,
        baseline: Baseline | None = None,
        user: str = "the station, as it was before",
        alarms: EngineState | None = None,
        newest: Sequence[Batch] = (),
    ) -> None:
        """A bed as it was left: its patient, what its recording holds, baseline and alarms.

        `user` stands in the log as who admitted the patient; of `alarms`, as they were when an
        earlier run ended, what is latched and the limits are taken over. Late samples that join on
        to the `newest` of the recording are judged together with them.
        """
        state = BedState.DISCHARGED if kept is None else kept.state
        session = "" if kept is None else kept.session
        limits = self._settings.limits
        left, changes = restarted(alarms or EngineState(limits=limits))
        monitor = Monitor(
            name,
            self._model,
            limits,
            state=state,
            session=session,
            baseline=baseline,
            run=self._run,
            alarms=left,
        )
        picture = Picture(name, self._titles.get(name, ""), limits)
        late = LateReview(monitor, self._model)
        station, run = self._settings.station.name, int(self._run, 16)
        broadcast = Broadcast(station, name, run, picture, self._ports.publish)
        stream = Stream(name, stored or {})
        bed = ServedBed(monitor, stream, picture, broadcast, late, session=session)
        self._beds[name] = bed
        self.pictures[name] = picture
        if state is not BedState.DISCHARGED:
            self._emit(name, [*monitor.begun(user, self._ports.now_us()), *changes])
        for instance in self.station.instances:
            picture.apply(AlarmChanged(instance.at_us, instance), self._ports.wall_us())
        for batch in newest if state is BedState.ADMITTED else ():
            late.live(batch)
        self._calibrated(bed, baseline)

    # ── inputs ────────────────────────────────────────────────────────────────────────────────

    def heard(self, batch: Batch) -> None:
        """A batch came from a node."""
        if batch.node not in self._beds:
            if not (self.serves(batch.node) and self._may_serve(batch.node)):
                return
            if batch.node not in self._left:
                self.open_bed(batch.node)
            else:
                self._take_back(batch.node)
        bed = self._beds[batch.node]
        self.counts.batches += 1
        arrival = bed.stream.accept(batch)
        if arrival.kind is ArrivalKind.DUPLICATE:
            self.counts.duplicates += 1
        if not self._ports.record(batch):
            self._disk_is_behind()
            bed.stream.not_stored(batch.boot_id, batch.sequence, batch.sequence)
        if arrival.kind is ArrivalKind.LIVE:
            bed.pairs.heard_of(batch.boot_id)
            clock_set = batch.flags.has(Flags.CLOCK_SYNCED)
            if clock_set != bed.clock_set:
                bed.clock_set = clock_set
                self._step(batch.node, Health(batch.at_us, "clock", clock_set))
            self._step(batch.node, batch)
            if bed.monitor.state is BedState.ADMITTED and (found := bed.late.live(batch)):
                self._emit(batch.node, [*found])
        elif arrival.kind is ArrivalKind.LATE:
            self.counts.late += 1
            if bed.monitor.state is BedState.ADMITTED:
                self._emit(batch.node, list(bed.late.heard(batch)))

    def take(self, name: str, happened: Input, answer: Answer | None = None) -> None:
        """Any other input: of a bed, or of all beds where the name is empty."""
        match happened:
            case Health():
                self._said_us = None
                if happened.subject == "broker" and happened.ok:
                    self.share.claims.connected(self._now_s())
                self._step_all(happened)
            case Action():
                self._operators.act(name, happened, answer)
            case _ if name in self._beds:
                self._step(name, happened)
            case _:
                pass

    def stored(self, ranges: SequenceRanges) -> None:
        """The recorder synced these: they are acknowledged to their nodes."""
        for (node, boot_id), parts in ranges.items():
            bed = self._beds.get(node)
            if bed is None:
                continue
            for first, last in parts:
                bed.stream.stored(boot_id, first, last)
            ack = bed.stream.acknowledgement()
            if ack is not None:
                self._ports.publish(wire.ack_topic(node), wire.encode_ack(ack), 1, False)

    def not_stored(self, ranges: SequenceRanges) -> None:
        """The recorder could not write these: they will be asked for again."""
        for (node, boot_id), parts in ranges.items():
            for first, last in parts if node in self._beds else ():
                self._beds[node].stream.not_stored(boot_id, first, last)

    def tick(self, at_us: int) -> None:
        """Time goes on for every bed: all that came up to `at_us` was heard."""
        self.share.claims.tick(self._now_s())
        self._look_at_claims()
        now_us = self._ports.now_us()
        if self._said_us is None or now_us - self._said_us >= STATE_EVERY_S * 1e6:
            contacts = self._settings.alerts.contact_names()
            message = station_topics.state_message(self.holding(), self._parts(), contacts)
            self._said_us = now_us if self._ports.publish(*message) else None
        self._say_unmatched()
        self._step_all(Tick(at_us))
        wall_us = self._ports.wall_us()
        for name, bed in self._beds.items():
            for instance in bed.notifications.tick(at_us):
                self._alert(name, instance, wall_us)
            bed.picture.set_links(self._links(bed))
            bed.broadcast.state(self._ports.now_us(), wall_us)

    def _parts(self) -> tuple[LinkState, ...]:
        """How the station's links and parts fare, as far as anything was heard of them."""
        heard = [(subject, self.station.health_of(subject)) for subject in _PARTS]
        return tuple(LinkState(name, one.ok, one.detail) for name, one in heard if one is not None)

    def holding(self) -> Holding:
        """The beds that this station serves, for others to hear."""
        return self.share.claims.holding(self._with_patient(), self._now_s())

    def heard_of(self, holding: Holding, now: bool) -> None:
        """A station, perhaps this one itself, says what it holds, or said so before (not `now`)."""
        claims = self.share.claims
        if holding.run == claims.run:
            return
        if not now:
            claims.kept(holding, self._now_s())
            return
        claims.heard(holding, self._now_s())
        if holding.station == self._settings.station.name:
            self._said_us = None  # it has overwritten, on the broker, what this one says
        self._look_at_claims()

    def delivered(self, step: DeliveryStep) -> None:
        """An alert's delivery made a step: it stands beside its alarm in every picture."""
        wall_us = self._ports.wall_us()
        for picture in self.pictures.values() if step.instance_id else ():
            picture.set_delivery(step.instance_id, step.state.value)
        link = self.station.health_of("cloud")
        content = station_topics.delivery_json(step, wall_us, None if link is None else link.ok)
        self._hops.append(station_topics.read_hop(content))
        topic = station_topics.delivery_topic(self._settings.station.name)
        self._ports.publish(topic, json.dumps(content).encode(), 1, False)
        first = step.attempt <= 1
        if step.state is not DeliveryState.SENT and (
            step.state is not DeliveryState.FAILED or first
        ):
            self._ports.log(LogEntry("delivery", content, wall_us, self._ports.now_us()))

    def hops(self, alert_id: str) -> tuple[Hop, ...]:
        """How far an alert has come, oldest step first, of the last 500 steps; on any thread."""
        return tuple(hop for hop in tuple(self._hops) if hop.alert_id == alert_id)

    # ── other stations ────────────────────────────────────────────────────────────────────────

    def _now_s(self) -> float:
        return self._ports.now_us() / 1e6

    def _with_patient(self) -> dict[str, bool]:
        """The beds held, and whether a patient lies in each; on any thread."""
        beds = list(self._beds.items())
        return {name: bed.monitor.state is not BedState.DISCHARGED for name, bed in beds}

    def _may_serve(self, name: str) -> bool:
        may = self.share.may_serve(name, self._now_s())
        self._say_elsewhere()
        return may

    def _look_at_claims(self) -> None:
        """Leave beds that another station has, and take back those that it has let go."""
        for name, other in self.share.left_to(self._with_patient(), self._now_s()).items():
            self._leave(name, other)
        for name in [] if self.share.muted else list(self._left):
            if name not in self.share.elsewhere:
                self._take_back(name)
        self._say_elsewhere()

    def _say_unmatched(self) -> None:
        for pattern in self.share.unmatched(self._beds, self._now_s()):
            _log.warning(
                "no node whose name fits %r has spoken: check the nodes' names, or --beds and "
                "station.bed_names",
                pattern,
            )

    def _leave(self, name: str, other: str) -> None:
        bed = self._left[name] = self._beds.pop(name)
        bed.picture.set_fault(f"STATION {other.upper()} SERVES THIS BED: this picture is old")
        self._ports.patient_left(name)
        self._said_us = None
        _log.warning("bed %s is left to station %s, which has it", name, other)

    def _take_back(self, name: str) -> None:
        bed = self._beds[name] = self._left.pop(name)
        bed.picture.set_fault("")
        self._said_us = None
        _log.warning("bed %s is served here again", name)

    def _say_elsewhere(self) -> None:
        words, said = self.share.lacks, self.station.health_of("beds")
        if words != ("" if said is None else said.detail):
            self.station.health(Health(self._ports.now_us(), "beds", not words, words))

    # ── steps ─────────────────────────────────────────────────────────────────────────────────

    def _step(self, name: str, happened: Input) -> None:
        self._emit(name, self._beds[name].monitor.step(happened))

    def _step_all(self, happened: Input) -> None:
        """One input for every bed. A fault in one bed is raised after the others had theirs."""
        followed: list[tuple[str, list[Event]]] = []
        fault: Exception | None = None
        for name, bed in self._beds.items():
            try:
                followed.append((name, bed.monitor.step(happened)))
            except Exception as error:  # noqa: BLE001 - raised below
                fault = error
        self._emit_all(followed)
        if fault is not None:
            raise fault

    def _emit(self, name: str, events: list[Event]) -> None:
        self._emit_all([(name, events)])

    def _emit_all(self, followed: list[tuple[str, list[Event]]]) -> None:
        """Everything that follows from events of beds: first to the log, then to all who look.

        What happens to many beds at once waits for the disk once.
        """
        wall_us = self._ports.wall_us()
        alarmed = False
        for name, events in followed:
            for event in events:
                if isinstance(event, _LOGGED):
                    self._log(name, event, wall_us)
                    alarmed = alarmed or isinstance(event, AlarmChanged)
        if alarmed:
            self._ports.written()
        for name, events in followed:
            self._show(name, events, wall_us)

    def _show(self, name: str, events: list[Event], wall_us: int) -> None:
        bed = self._beds[name]
        for event in events:
            bed.picture.apply(event, wall_us)
            self.counts.event(event)
            for beat in bed.pairs.take(event):
                self._ports.record(BeatNote(name, beat))
            match event:
                case ScoreRequest():
                    if not self._ports.score(name, event):
                        self.station.health(Health(event.at_us, "model", False, "too slow"))
                case AlarmChanged(instance=instance):
                    self._alarm_changed(name, instance, wall_us)
                case BedChanged() | CalibrationChanged():
                    self._bed_changed(name, bed, event)
                case _:
                    pass
            self._ports.show(name, event, wall_us)
            bed.broadcast.heard(event, self._ports.now_us(), wall_us)

    def _alarm_changed(self, name: str, instance: Instance, wall_us: int) -> None:
        bed = self._beds[name]
        for leaving in bed.notifications.changed(instance):
            self._alert(name, leaving, wall_us)
        self._ports.follow(name, instance)
        heard_to = bed.monitor.heard_to
        if heard_to is not None and instance.active_us == instance.at_us:
            since_s = (instance.at_us - instance.onset_us) / 1e6
            self._ports.record(StripNote(name, *heard_to, since_s))

    def _bed_changed(
        self, name: str, bed: ServedBed, event: BedChanged | CalibrationChanged
    ) -> None:
        if isinstance(event, BedChanged):
            bed.late.forget()
            if event.session != bed.session or event.state is not BedState.ADMITTED:
                self._ports.patient_left(name)
            if event.session != bed.session:
                self._calibrated(bed, None)
            bed.session = event.session
        elif event.baseline is not None:
            self._calibrated(bed, event.baseline)
        else:
            return
        stored = None if bed.baseline is None else bed.baseline.to_json()
        if not self._ports.keep(name, BedFile(bed.monitor.state, bed.session, stored)):
            self._disk_is_behind()

    def _log(self, name: str, event: Event, wall_us: int) -> None:
        """A row for the alarm log, stamped now, with the newest sample of the bed."""
        content = (to_json(event) or {}) | {"bed": name}
        heard_to = self._beds[name].monitor.heard_to
        if heard_to is not None:
            content |= {"boot_id": heard_to[0], "sample": heard_to[1]}
        if not self._ports.log(LogEntry(content["event"], content, wall_us, event.at_us)):
            self._disk_is_behind()

    def _disk_is_behind(self) -> None:
        self.station.health(Health(self._ports.now_us(), "disk", False, "the disk cannot keep up"))

    def _calibrated(self, bed: ServedBed, baseline: Baseline | None) -> None:
        bed.baseline = baseline
        bed.picture.set_calibrated(
            "not calibrated"
            if baseline is None
            else f"{baseline.beats} beats of this patient: {baseline.promise}"
        )

    def _alert(self, name: str, instance: Instance, wall_us: int) -> None:
        """An alert leaves; it has the time of the alarm's row in the log, from which `unsent`
        builds it again."""
        self.counts.alerts += 1
        vitals = self.pictures[name].snapshot(0, 0).vitals
        alert = alert_of(
            instance,
            name,
            wall_us,
            None if vitals is None else vitals.heart_rate_bpm,
        )
        self._ports.alert(alert)

    def _publish_states(self) -> None:
        """Every bed as it is now; on any thread."""
        now_us, wall_us = self._ports.now_us(), self._ports.wall_us()
        for bed in list(self._beds.values()):
            bed.broadcast.state(now_us, wall_us)

    def _links(self, bed: ServedBed) -> tuple[LinkState, ...]:
        age_s = bed.picture.age_s(self._ports.now_us())
        node = None if age_s == float("inf") else age_s < NODE_SILENT_S
        links = [LinkState("node", node)]
        cloud = self.station.health_of("cloud")
        for name, subject in (
            ("broker", "broker"),
            ("analysis", "analysis"),
            ("disk", "disk"),
            ("cloud", "delivery" if cloud is None or cloud.ok else "cloud"),
        ):
            health = self.station.health_of(subject)
            links.append(
                LinkState(name, None)
                if health is None
                else LinkState(name, health.ok, health.detail)
            )
        return tuple(links)

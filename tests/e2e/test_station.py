"""The station with a real broker: nothing lost, nothing silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bedside.broker_address import Address
from bedside.cli.main import app
from bedside.delivery.log_transport import LogTransport
from bedside.errors import BedsideError
from bedside.events import AlarmChanged, AlarmState, BedChanged, Event
from bedside.node import wire
from bedside.node.link import Link
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, RecordSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from bedside.station_client import StationClient
from tests.mosquitto import Mosquitto
from tests.recording.batches import a_signal
from tests.records import BUNDLED

SPEED = 10.0
BED = "bed-1"


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Look until it is so, and leave the processor to the threads that shall make it so."""
    never = threading.Event()
    give_up_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_s, "it never came true"
        never.wait(0.01)


class Listener:
    """Hears a station's events and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self._news = threading.Condition()

    def __call__(self, bed: str, event: Event, wall_us: int) -> None:
        with self._news:
            self.events.append((bed, event))
            self._news.notify_all()

    def alarm(self, code: str, state: AlarmState, timeout_s: float = 60) -> AlarmChanged:
        def found() -> AlarmChanged | None:
            changes = [event for _, event in self.events if isinstance(event, AlarmChanged)]
            wanted = (code, state)
            return next((e for e in changes if (e.instance.code, e.instance.state) == wanted), None)

        with self._news:
            assert self._news.wait_for(found, timeout_s), f"no {code} became {state}"
            event = found()
        assert event is not None
        return event


def settings(broker: Mosquitto, folder: Path) -> Settings:
    return Settings(
        broker=BrokerSettings(port=broker.port),
        station=StationSettings(data_dir=folder / "data"),
        recording=RecordingSettings(sync_every_s=1.0),
    )


@pytest.fixture
def heard() -> Listener:
    return Listener()


@contextmanager
def operator(wanted: Settings) -> Iterator[StationClient]:
    """Somebody elsewhere, once the station is sure to hear what they ask for."""
    with StationClient(wanted, "nurse") as client:
        client.beds()
        yield client


@pytest.fixture
def station(mosquitto: Mosquitto, tmp_path: Path, heard: Listener) -> Iterator[Station]:
    running = Station(settings(mosquitto, tmp_path), LogTransport(), speed=SPEED, on_event=heard)
    running.admit(BED)
    running.start()
    yield running
    running.stop()


def test_the_recording_opens_in_wfdb_while_the_station_runs(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    wfdb = pytest.importorskip("wfdb", reason="needs the extra records")
    source = RecordSource(BUNDLED, seconds=10)
    with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED) as node:
        assert node.wait_until_sent(20)
        header = next((tmp_path / "data" / "recordings" / BED).glob("*.hea"))
        record = wfdb.rdrecord(str(header.with_suffix("")))
    original = wfdb.rdrecord(str(BUNDLED), sampto=2500)
    assert record.fs == 250
    assert np.allclose(record.p_signal[:, 0], original.p_signal[:, 0], atol=0.006)


def test_an_operator_elsewhere_sees_the_bed_and_acknowledges_its_alarm(
    station: Station, mosquitto: Mosquitto, tmp_path: Path, heard: Listener
) -> None:
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/20,asystole"))
    with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED):
        raised = heard.alarm("asystole", AlarmState.ACTIVE)
        with operator(settings(mosquitto, tmp_path)) as client:
            wait_for(
                lambda: "asystole" in [alarm["code"] for alarm in client.beds()[BED]["alarms"]]
            )
            arguments = {"instance": raised.instance.instance_id}
            assert client.act(BED, "acknowledge", arguments) == (True, "")
            done, reason = client.act(BED, "acknowledge", arguments)
            assert not done
            assert "nurse" in reason
        seen = heard.alarm("asystole", AlarmState.ACKNOWLEDGED)
        assert seen.instance.acknowledged_by == "nurse"


def test_a_bed_is_discharged_and_admitted_from_elsewhere(
    station: Station, mosquitto: Mosquitto, tmp_path: Path, heard: Listener
) -> None:
    with operator(settings(mosquitto, tmp_path)) as client:
        assert client.act(BED, "discharge", {}) == (True, "")
        assert client.act(BED, "admit", {}) == (True, "")
        assert client.act("nowhere", "admit", {})[0] is False
    states = [event.state.value for _, event in heard.events if isinstance(event, BedChanged)]
    assert states == ["admitted", "discharged", "admitted"]


@pytest.mark.parametrize(
    ("rhythm", "words"),
    [
        ("sinus/60", "about 10 false alarms a day expected"),
        ("vt/60", "A lethal alarm was active meanwhile"),
    ],
)
def test_calibrate_waits_for_its_result_and_says_what_it_promises_or_why_not(
    rhythm: str, words: str, station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    config = tmp_path / "bedside.toml"
    config.write_text(f"[broker]\nport = {mosquitto.port}\n")
    source = PatientSource(SyntheticPatient(), parse_episodes(rhythm))
    with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED):
        wait_for(lambda: station.ward.counts.beats > 3)
        given = ["calibrate", BED, "--seconds", "30", "--alarms-per-day", "10"]
        said = CliRunner().invoke(app, [*given, "--config", str(config)])
    assert words in said.output + str(said.exception)
    assert isinstance(said.exception, BedsideError) == rhythm.startswith("vt")


def test_limits_and_pauses_are_set_from_elsewhere_and_stay_visible(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with operator(settings(mosquitto, tmp_path)) as client:
        lax = {"limits": {"asystole_s": 6.0}}
        done, reason = client.act(BED, "set-limit", lax)
        assert (done, reason.endswith("confirm it")) == (False, True)
        assert client.act(BED, "set-limit", lax | {"confirmed": True}) == (True, "")
        assert client.act(BED, "pause-sound", {}) == (True, "")
        wait_for(lambda: client.beds()[BED]["sound_paused_s"] is not None)
        state = client.beds()[BED]
        assert state["limits"]["asystole_s"] == 6.0
        assert state["relaxed"] == ["asystole only after 6 s (adult: 4)"]
        assert client.act(BED, "admit", {})[0] is False
        assert client.act(BED, "standby", {"seconds": 600}) == (True, "")
        wait_for(lambda: client.beds()[BED]["standby_s"] is not None)
        assert client.act(BED, "discharge", {}) == (True, "")
        assert client.act(BED, "admit", {"population": "child"}) == (True, "")
        wait_for(lambda: client.beds()[BED]["population"] == "child")
        assert client.beds()[BED]["relaxed"] == []
    snapshot = station.feed().snapshot(BED)
    assert (snapshot.low_bpm, snapshot.high_bpm) == (75, 160)


def test_who_is_in_the_bed_survives_a_restart(mosquitto: Mosquitto, tmp_path: Path) -> None:
    first = Station(settings(mosquitto, tmp_path), LogTransport())
    first.start()
    with operator(settings(mosquitto, tmp_path)) as client:
        with VirtualNode(RecordSource(BUNDLED), BED, "127.0.0.1", mosquitto.port):
            wait_for(lambda: BED in client.beds())
        assert client.act(BED, "admit", {}) == (True, "")
        session = client.beds()[BED]["session"]
    first.stop()
    again = Station(settings(mosquitto, tmp_path), LogTransport())
    snapshot = again.feed().snapshot(BED)
    again.stop()
    assert (snapshot.bed_state.value, snapshot.session) == ("admitted", session)


def test_a_high_alarm_that_nobody_acknowledged_is_shown_again_after_a_restart(
    mosquitto: Mosquitto, tmp_path: Path, heard: Listener
) -> None:
    first = Station(settings(mosquitto, tmp_path), LogTransport(), speed=SPEED, on_event=heard)
    first.start()
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/10,asystole/10"))
    with (
        operator(settings(mosquitto, tmp_path)) as client,
        VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED),
    ):
        wait_for(lambda: BED in client.beds())
        assert client.act(BED, "admit", {}) == (True, "")
        raised = heard.alarm("asystole", AlarmState.ACTIVE)
    first.stop()
    for run in range(2):
        again = Station(settings(mosquitto, tmp_path), LogTransport())
        again.start()
        shown = again.feed().snapshot(BED).instances
        assert [i.instance_id for i in shown if i.code == "asystole"] == (
            [raised.instance.instance_id] if run == 0 else []
        )
        if run == 0:
            with operator(settings(mosquitto, tmp_path)) as client:
                arguments = {"instance": raised.instance.instance_id}
                assert client.act(BED, "acknowledge", arguments) == (True, "")
        again.stop()


def stranger(mosquitto: Mosquitto, folder: Path) -> Link:
    """A connection of one's own, once the station is sure to hear what comes over it."""
    with operator(settings(mosquitto, folder)):
        pass
    connected = threading.Event()
    link = Link(
        Address("127.0.0.1", mosquitto.port),
        client_id="stranger",
        on_state=lambda up, _: up and connected.set(),
    )
    link.start()
    assert connected.wait(10)
    return link


def test_garbage_from_a_node_is_counted_and_does_no_harm(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    link = stranger(mosquitto, tmp_path)
    topic = "bedside/v1/station/bedside/bed/bed-1/action/eve"
    for payload in (b"", b"BE", b"\x00" * 160, b'{"version": 1}', b'{"version": 9}', b"[]"):
        link.publish(wire.ecg_topic(BED), payload, 1)
        link.publish(topic, payload, 1)
    link.stop()
    with VirtualNode(
        RecordSource(BUNDLED, seconds=2), BED, "127.0.0.1", mosquitto.port, speed=SPEED
    ) as node:
        assert node.wait_until_sent(20)
    assert sum(station.ward.counts.refused.values()) == 6
    assert station.ward.counts.batches == 10
    assert station.summary()["failures"] == dict.fromkeys(
        ("analysis", "scoring", "disk", "delivery", "alarm log", "watch", "look back"), 0
    )


def test_a_node_that_does_not_know_the_time_is_named(
    station: Station, mosquitto: Mosquitto, tmp_path: Path, heard: Listener
) -> None:
    link = stranger(mosquitto, tmp_path)
    try:
        (unset,) = a_signal(1, flags=0)
        link.publish(wire.ecg_topic(BED), wire.encode_batch(unset), 1)
        alarm = heard.alarm("clock-unsynced", AlarmState.ACTIVE)
        assert alarm.instance.text == "the node's clock is not set"
    finally:
        link.stop()


def test_two_stations_cannot_record_into_one_folder(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with pytest.raises(BedsideError, match="Another station"):
        Station(settings(mosquitto, tmp_path), LogTransport())

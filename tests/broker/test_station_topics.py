"""Every topic, action and refusal of a station, over TLS, as somebody else's program sees them."""

from __future__ import annotations

import json
import queue
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bedside import station_topics, wave_message
from bedside.broker.mosquitto import Site
from bedside.broker_address import Address
from bedside.delivery.log_transport import LogTransport
from bedside.node import wire
from bedside.node.link import Link
from bedside.settings import BrokerSettings, Settings, StationSettings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.broker.site import STATION, password
from tests.mosquitto import Mosquitto

BED = "icu-1"
ROOT = f"bedside/v1/station/{STATION}"
PATIENCE_S = 60.0


class Screen:
    """Hears everything that a screen may, and says what it is told to."""

    def __init__(self, link: Link, user: str, heard: queue.Queue[tuple[str, bytes]]) -> None:
        self._link, self._user, self._heard = link, user, heard

    def next_of(self, topic: str) -> bytes:
        """The next message on a topic; what comes on others meanwhile is passed over."""
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            heard, payload = self._heard.get(timeout=give_up_s - time.monotonic())
            if heard == f"{ROOT}/{topic}":
                return payload

    def wait_until_up(self) -> None:
        """The broker may have kept what a station before this one said last."""
        while not json.loads(self.next_of("state"))["up"]:
            pass

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """The answer to an action."""
        return self.say({"action": action, "arguments": arguments})

    def say(self, content: dict[str, Any]) -> dict[str, Any]:
        """The answer to what it says, with what every action has filled in."""
        asked = {"version": 1, "id": uuid.uuid4().hex, "wall_s": time.time()} | content
        topic = f"{ROOT}/bed/{BED}/action/{self._user}"
        assert self._link.publish(topic, json.dumps(asked).encode(), 1)
        while True:
            answer = json.loads(self.next_of(f"bed/{BED}/result/{self._user}"))
            if answer["id"] == asked["id"]:
                assert answer["version"] == 1
                return dict(answer)


@contextmanager
def screen(site: Site, user: str) -> Iterator[Screen]:
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
    up: queue.Queue[bool] = queue.Queue()
    link = Link(
        Address(
            "localhost", site.port, user, password(site, user), site.authority.certificate_file
        ),
        client_id=f"screen-{user}",
        subscriptions=(f"{ROOT}/#",),
        on_message=lambda topic, payload: heard.put((topic, payload)),
        on_state=lambda is_up, _: up.put(is_up) if is_up else None,
    )
    link.start()
    assert up.get(timeout=PATIENCE_S)
    try:
        yield Screen(link, user, heard)
    finally:
        link.stop()


@contextmanager
def running(site: Site, folder: Path) -> Iterator[Station]:
    settings = Settings(
        broker=BrokerSettings(
            host="localhost",
            port=site.port,
            username=STATION,
            password_file=site.users.clients_folder / f"{STATION}.password",
            ca_file=site.authority.certificate_file,
        ),
        station=StationSettings(
            name=STATION, data_dir=folder, roles={"doctor": "configure", "nurse": "operate"}
        ),
    )
    station = Station(settings, LogTransport())
    station.admit(BED)
    station.start()
    yield station
    station.stop()


@pytest.fixture
def station(broker: Mosquitto, site: Site, tmp_path: Path) -> Iterator[Station]:
    with running(site, tmp_path) as one:
        yield one


@pytest.fixture
def doctor(station: Station, site: Site) -> Iterator[Screen]:
    with screen(site, "doctor") as one:
        one.wait_until_up()  # what is asked before the station listens is not heard
        yield one


def test_no_topic_has_more_slashes_than_aws_iot_core_takes() -> None:
    topics = [
        station_topics.action_topic(STATION, BED, "nurse"),
        station_topics.result_topic(STATION, BED, "nurse"),
        station_topics.bed_topic(STATION, BED, "events"),
        wire.ecg_topic(BED),
    ]
    assert max(topic.count("/") for topic in topics) == 7


def test_a_screen_hears_of_station_bed_events_and_its_trace(doctor: Screen, site: Site) -> None:
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus"))
    secret, ca_file = password(site, BED), site.authority.certificate_file
    with VirtualNode(
        source, BED, "localhost", site.port, username=BED, password=secret, ca_file=ca_file
    ):
        assert json.loads(doctor.next_of(f"bed/{BED}/state"))["bed"] == BED
        assert doctor.ask("want-wave")["done"]
        assert wave_message.decode(doctor.next_of(f"bed/{BED}/wave")).samples_mv.size
        assert json.loads(doctor.next_of(f"bed/{BED}/events"))["version"] == 1


def test_every_action_is_done_or_refused_in_words(doctor: Screen) -> None:
    assert doctor.ask("pause-sound")["done"]
    assert doctor.ask("calibrate")["done"]
    assert doctor.ask("set-limit", limits={"tachy_bpm": 130})["done"]
    assert doctor.ask("test-alert")["done"]
    assert doctor.ask("standby", seconds=60)["done"]
    assert doctor.ask("admit")["done"]
    assert doctor.ask("events-since", number=0)["told"]
    assert doctor.ask("discharge")["done"]
    assert "has no patient" in doctor.ask("discharge")["reason"]
    assert doctor.ask("acknowledge", instance="no such")["reason"]
    assert doctor.ask("sing")["reason"] == "this station knows no action sing"


def test_a_grave_limit_asks_for_confirmation_first(doctor: Screen) -> None:
    answer = doctor.ask("set-limit", limits={"asystole_s": 9})
    assert (answer["done"], answer["needs_confirmation"]) == (False, True)
    assert doctor.ask("set-limit", limits={"asystole_s": 9}, confirmed=True)["done"]


def test_an_old_action_one_of_another_version_and_one_that_was_done_are_refused(
    doctor: Screen,
) -> None:
    old = doctor.say({"action": "pause-sound", "wall_s": time.time() - 11})
    assert "came too late" in old["reason"]
    newer = doctor.say({"action": "pause-sound", "version": 2})
    assert "speaks version 1, not 2" in newer["reason"]
    first = doctor.say({"action": "pause-sound", "id": "one"})
    again = doctor.say({"action": "pause-sound", "id": "one"})
    assert (first["done"], again["done"]) == (True, False)
    assert again["reason"] == "this action was done already"


def test_nobody_acts_in_another_name(station: Station, site: Site, doctor: Screen) -> None:
    with screen(site, "nurse") as nurse:
        topic = f"{ROOT}/bed/{BED}/action/doctor"
        forged = {"version": 1, "id": "forged", "action": "discharge", "wall_s": time.time()}
        nurse._link.publish(topic, json.dumps(forged).encode(), 1)
        assert nurse.ask("events-since", number=0)["told"]
        assert "needs the role configure" in nurse.ask("discharge")["reason"]
    assert doctor.ask("discharge")["done"]


def test_a_station_that_ends_says_so(broker: Mosquitto, site: Site, tmp_path: Path) -> None:
    with screen(site, "doctor") as doctor:
        with running(site, tmp_path):
            doctor.wait_until_up()
        while json.loads(doctor.next_of("state"))["up"]:
            pass

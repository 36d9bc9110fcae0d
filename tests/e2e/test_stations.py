"""Several stations on one broker: each bed has one, and the next one when that one dies."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bedside import station_topics
from bedside.broker_address import Address
from bedside.claims import Holding
from bedside.delivery.log_transport import LogTransport
from bedside.errors import LinkError
from bedside.events import AlarmState
from bedside.node.link import Link
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.source import RecordSource
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from bedside.station_client import StationClient
from tests.e2e.test_station import Listener, wait_for
from tests.mosquitto import Mosquitto
from tests.records import BUNDLED

SPEED = 3.0


def settings(broker: Mosquitto, folder: Path, name: str, *patterns: str) -> Settings:
    return Settings(
        broker=BrokerSettings(port=broker.port),
        station=StationSettings(name=name, data_dir=folder / name, bed_names=patterns or ("*",)),
        recording=RecordingSettings(sync_every_s=1.0),
    )


@contextmanager
def running(wanted: Settings, heard: Listener, speed: float = SPEED) -> Iterator[Station]:
    station = Station(wanted, LogTransport(), speed=speed, on_event=heard)
    station.start()
    try:
        yield station
    finally:
        station.stop()


def node(broker: Mosquitto, name: str) -> VirtualNode:
    return VirtualNode(
        RecordSource(BUNDLED, loop=True), name, "127.0.0.1", broker.port, speed=SPEED
    )


def serves(station: Station, name: str) -> bool:
    return name in station.ward.holding().beds


def test_the_second_station_leaves_a_bed_says_so_and_takes_over_when_the_first_goes(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    heard, north = Listener(), ExitStack()
    with node(mosquitto, "icu-1"), north:
        first = north.enter_context(running(settings(mosquitto, tmp_path, "north"), Listener()))
        wait_for(lambda: first.ward.holding().settled and serves(first, "icu-1"))
        with running(settings(mosquitto, tmp_path, "south"), heard) as second:
            told = heard.alarm("two-stations", AlarmState.ACTIVE)
            assert told.instance.text == "not served here: bed icu-1 is served by station north"
            assert not serves(second, "icu-1")
            before = [each.ward.counts.batches for each in (first, second)]
            wait_for(lambda: first.ward.counts.batches > before[0] + 20)
            assert serves(first, "icu-1")
            assert second.ward.counts.batches <= before[1] + 1
            north.close()
            heard.alarm("two-stations", AlarmState.ENDED)
            wait_for(lambda: serves(second, "icu-1"))
            batches = second.ward.counts.batches
            wait_for(lambda: second.ward.counts.batches > batches + 5)


def test_a_killed_station_loses_its_beds_to_the_next_one(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    config = tmp_path / "bedside.toml"
    config.write_text(
        f'[broker]\nport = {mosquitto.port}\n[station]\ndata_dir = "{tmp_path}/north"\n'
    )
    command = [sys.executable, "-m", "bedside", "run", "--headless", "--config", str(config)]
    command += ["--name", "north", "--beds", "icu-*"]
    heard = Listener()
    with node(mosquitto, "icu-1"), subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
        try:
            wait_until_settled(mosquitto, "north", "icu-1")
            with running(settings(mosquitto, tmp_path, "south"), heard, speed=1) as second:
                heard.alarm("two-stations", AlarmState.ACTIVE)
                first.send_signal(signal.SIGKILL)
                wait_for(lambda: serves(second, "icu-1"))
                heard.alarm("two-stations", AlarmState.ENDED)
        finally:
            first.kill()


def wait_until_settled(broker: Mosquitto, station: str, bed: str) -> None:
    settled = threading.Event()

    def heard(topic: str, payload: bytes) -> None:
        said = Holding.read(json.loads(payload))
        if said.settled and bed in said.beds:
            settled.set()

    link = Link(
        Address("127.0.0.1", broker.port),
        client_id="ear",
        subscriptions=(station_topics.state_topic(station),),
        on_message=heard,
    )
    link.start()
    assert settled.wait(180)
    link.stop()


def beds_of(client: StationClient) -> set[str]:
    try:
        return set(client.beds())
    except LinkError:
        return set()


def test_a_station_of_the_same_name_keeps_silent_until_it_is_alone(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    heard = Listener()
    wanted = settings(mosquitto, tmp_path, "ward")
    other = wanted.model_copy(
        update={"station": wanted.station.model_copy(update={"data_dir": tmp_path / "other"})}
    )
    with node(mosquitto, "icu-1"), ExitStack() as stack:
        first = stack.enter_context(running(wanted, Listener()))
        wait_for(lambda: first.ward.holding().settled and serves(first, "icu-1"))
        with running(other, heard) as second:
            told = heard.alarm("two-stations", AlarmState.ACTIVE)
            assert "another station is called ward: set station.name" in told.instance.text
            assert not serves(second, "icu-1")
            with StationClient(wanted, "nurse") as client:
                wait_for(lambda: "icu-1" in beds_of(client))
                assert client.act("icu-1", "admit", {}) == (True, "")
            assert first.feed().snapshot("icu-1").bed_state.value == "admitted"
            stack.close()
            wait_for(lambda: serves(second, "icu-1"))


def test_stations_share_a_brokers_nodes_by_disjoint_patterns(
    mosquitto: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "bedside.ward")
    north, south = Listener(), Listener()
    with (
        node(mosquitto, "icu-1"),
        node(mosquitto, "ccu-1"),
        node(mosquitto, "ccu-2"),
        running(settings(mosquitto, tmp_path, "north", "icu-*"), north) as first,
        running(settings(mosquitto, tmp_path, "south", "ccu-1", "ccu-2", "er-9"), south) as second,
    ):
        wait_for(lambda: first.ward.holding().beds == {"icu-1"})
        wait_for(lambda: second.ward.holding().beds == {"ccu-1", "ccu-2"})
        wait_for(lambda: "er-9" in caplog.text)
        assert first.ward.holding().beds == {"icu-1"}
        assert second.ward.holding().beds == {"ccu-1", "ccu-2"}
    assert [line.message.split(" has ")[0] for line in caplog.records] == [
        "no node whose name fits 'er-9'"
    ]

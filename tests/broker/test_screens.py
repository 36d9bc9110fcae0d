"""Fifty screens at once over TLS: all see the bed, and the station says everything once."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bedside import station_topics
from bedside.broker.mosquitto import Site
from bedside.broker_address import Address
from bedside.delivery.log_transport import LogTransport
from bedside.node.link import Link
from bedside.remote_feed import RemoteFeed
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.source import RecordSource
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.broker.site import STATION, password
from tests.e2e.test_station import wait_for
from tests.mosquitto import Mosquitto
from tests.records import BUNDLED

SCREENS = 50
BED = "icu-1"


def settings(site: Site, user: str, folder: Path) -> Settings:
    return Settings(
        broker=BrokerSettings(
            host="localhost",
            port=site.port,
            username=user,
            password_file=site.users.clients_folder / f"{user}.password",
            ca_file=site.authority.certificate_file,
        ),
        station=StationSettings(name=STATION, data_dir=folder),
        recording=RecordingSettings(sync_every_s=1.0),
    )


def test_fifty_screens_come_look_and_go_and_the_station_says_everything_once(
    broker: Mosquitto, site: Site, tmp_path: Path
) -> None:
    ca_file = site.authority.certificate_file
    positions: list[str] = []
    listening = Link(
        Address("localhost", site.port, "doctor", password(site, "doctor"), ca_file),
        client_id="listening",
        subscriptions=(station_topics.bed_topic(STATION, BED, "wave"),),
        on_message=lambda topic, payload: positions.append(payload[:16].hex()),
    )
    listening.start()
    station = Station(settings(site, STATION, tmp_path), LogTransport())
    station.admit(BED)
    station.start()
    node = VirtualNode(
        RecordSource(BUNDLED, loop=True),
        BED,
        "localhost",
        site.port,
        username=BED,
        password=password(site, BED),
        ca_file=ca_file,
    )
    try:
        with node:
            wait_for(lambda: station.ward.counts.beats > 0)
            with ExitStack() as stack:
                feeds = [
                    stack.enter_context(RemoteFeed(settings(site, "nurse", tmp_path), "nurse"))
                    for _ in range(SCREENS)
                ]
                wait_for(lambda: all(BED in feed.beds() for feed in feeds))
                wait_for(lambda: all(not feed.snapshot(BED).fault for feed in feeds))
                wait_for(lambda: all(feed.wave(BED, 0).newest > 0 for feed in feeds))
            beats = station.ward.counts.beats
            wait_for(lambda: station.ward.counts.beats > beats)
        assert positions
        assert len(positions) == len(set(positions)) <= station.ward.counts.batches
        assert set(station.summary()["failures"].values()) == {0}
    finally:
        station.stop()
        listening.stop()

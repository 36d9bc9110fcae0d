"""A ward's broker hands its nodes on to a hospital's, where the station is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bedside.cli.main import app
from bedside.delivery.log_transport import LogTransport
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.source import RecordSource
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.broker.site import STATION, made_site, password
from tests.e2e.test_station import wait_for
from tests.mosquitto import Mosquitto
from tests.records import BUNDLED

SPEED = 10.0


def test_a_station_on_the_far_broker_has_every_sample_although_that_broker_is_killed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hospital_site = made_site(tmp_path_factory.mktemp("hospital"))
    secret = hospital_site.users.add("ward-a", "bridge")
    ward_site = made_site(tmp_path_factory.mktemp("ward"))
    lines = CliRunner().invoke(
        app,
        [
            *("broker", "bridge", "ward-a", "--to", "localhost"),
            *("--port", str(hospital_site.port), "--password-file", str(secret)),
            *("--ca-file", str(hospital_site.authority.certificate_file)),
        ],
    )
    assert lines.exit_code == 0
    (ward_site.included.parent / "bridge.conf").write_text(lines.output)
    hospital, ward = (
        Mosquitto(folder, f"include_dir {site.included.parent}\nuser {folder.owner()}\n")
        for site, folder in (
            (hospital_site, tmp_path_factory.mktemp("a")),
            (ward_site, tmp_path_factory.mktemp("b")),
        )
    )
    station = Station(
        Settings(
            broker=BrokerSettings(
                host="localhost",
                port=hospital_site.port,
                username=STATION,
                password_file=hospital_site.users.clients_folder / f"{STATION}.password",
                ca_file=hospital_site.authority.certificate_file,
            ),
            station=StationSettings(name=STATION, data_dir=tmp_path / "data"),
            recording=RecordingSettings(sync_every_s=1.0),
        ),
        LogTransport(),
        speed=SPEED,
    )
    source = RecordSource(BUNDLED, seconds=60)
    sent = np.concatenate([piece.samples for piece in source.pieces()])
    hospital.start()
    ward.start()
    station.start()
    try:
        with VirtualNode(
            source,
            "icu-1",
            "localhost",
            ward_site.port,
            speed=SPEED,
            username="icu-1",
            password=password(ward_site, "icu-1"),
            ca_file=ward_site.authority.certificate_file,
        ) as node:
            wait_for(lambda: station.ward.counts.batches > 50)
            hospital.kill()
            wait_for(lambda: node.backlog_batches > 50)
            hospital.start()
            assert node.wait_until_sent(60)
            assert node.dropped_batches == 0
    finally:
        station.stop()
        ward.kill()
        hospital.kill()
    files = sorted((tmp_path / "data" / "recordings" / "icu-1").glob("*.dat"))
    recorded = np.concatenate([np.fromfile(path, dtype="<i2") for path in files])
    assert np.array_equal(recorded, sent)

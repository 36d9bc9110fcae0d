"""What a station counts, as Prometheus reads it."""

from __future__ import annotations

import json
import queue
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bedside import __version__, station_topics
from bedside.broker_address import Address
from bedside.delivery.log_transport import LogTransport
from bedside.errors import SettingsError
from bedside.metrics import MetricsServer
from bedside.node.link import Link
from bedside.settings import BrokerSettings, Settings, StationSettings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.e2e.test_station import wait_for
from tests.mosquitto import Mosquitto


def test_prometheus_reads_what_happened(mosquitto: Mosquitto, tmp_path: Path) -> None:
    settings = Settings(
        broker=BrokerSettings(port=mosquitto.port), station=StationSettings(data_dir=tmp_path)
    )
    station = Station(settings, LogTransport(), speed=10)
    station.start()
    source = PatientSource(SyntheticPatient(seed=1), parse_episodes("sinus"))
    try:
        with (
            MetricsServer(0, station.measures) as server,
            VirtualNode(source, "bed-1", "127.0.0.1", mosquitto.port, speed=10),
        ):
            wait_for(lambda: station.measures().counts.beats > 3)
            read = _read(server.port)
            counted = station_topics.metrics_topic("bedside")
            wait_for(lambda: retained(mosquitto, counted)["batches"] > 0)
            said = retained(mosquitto, counted)
            wait_for(lambda: {"broker", "clock", "disk"} <= parts(mosquitto))
            state = retained(mosquitto, station_topics.state_topic("bedside"))
    finally:
        station.stop()
    assert (state["up"], state["program"], state["beds"]) == (True, __version__, ["bed-1"])
    fares = {name: ok for name, ok, _ in state["links"]}
    assert fares["broker"]
    assert fares["clock"]
    assert fares["disk"]
    assert said["batches"] > 0
    assert said["beds"] == 1
    assert said["cpu_s"] > 0
    assert said["memory_bytes"] > 1e6
    assert said["queue_depth"].keys() == {"analysis", "scoring", "disk"}
    assert read["bedside_beats_total"] > 3
    assert read["bedside_batches_total"] > 0
    assert read["bedside_beds"] == 1
    assert read["bedside_disk_free_bytes"] > 0
    assert 0 < read["bedside_batch_to_event_p50_seconds"] < 10
    assert read["process_resident_memory_bytes"] > 1e6
    assert "bedside_queue_depth" in read


def test_only_this_machine_is_answered(tmp_path: Path) -> None:
    with MetricsServer(0, lambda: pytest.fail("nobody asked")) as server:
        assert server.address == "127.0.0.1"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        with pytest.raises(SettingsError, match=str(port)), MetricsServer(port, pytest.fail):
            pass


def retained(mosquitto: Mosquitto, topic: str) -> dict[str, Any]:
    """What the broker keeps on a topic."""
    kept: queue.Queue[bytes] = queue.Queue()
    link = Link(
        Address("127.0.0.1", mosquitto.port),
        client_id="reader",
        subscriptions=(topic,),
        on_message=lambda _, payload: kept.put(payload),
    )
    link.start()
    try:
        content = json.loads(kept.get(timeout=60))
        assert isinstance(content, dict)
        return content
    finally:
        link.stop()


def parts(mosquitto: Mosquitto) -> set[str]:
    """The links and parts of which the station's state says how they fare."""
    links = retained(mosquitto, station_topics.state_topic("bedside"))["links"]
    return {name for name, _, _ in links}


def _read(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

"""The node's firmware core over a real broker to the real station: nothing lost, nothing silent."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bedside.broker_address import Address
from bedside.delivery.log_transport import LogTransport
from bedside.events import Flags
from bedside.node import wire
from bedside.node.link import Link
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.source import Piece, RecordSource
from bedside.station import Station
from tests.firmware.native_node import NativeNode
from tests.firmware.secure_broker import SecureBroker
from tests.mosquitto import Mosquitto
from tests.records import BUNDLED

BED = "bed-1"
SPEED = 10.0
WFDB_INVALID = -32768


def settings(port: int, folder: Path, *, sync_every_s: float = 0.5, **broker: object) -> Settings:
    return Settings(
        broker=BrokerSettings.model_validate({"port": port, **broker}),
        station=StationSettings(data_dir=folder / "data"),
        recording=RecordingSettings(sync_every_s=sync_every_s),
    )


@contextmanager
def running_station(config: Settings) -> Iterator[Station]:
    station = Station(config, LogTransport(), speed=SPEED)
    station.admit(BED)
    station.start()
    try:
        yield station
    finally:
        station.stop()


def wait_for_batches(station: Station, count: int) -> None:
    waiting = threading.Event()
    for _ in range(1200):
        if station.ward.counts.batches >= count:
            return
        waiting.wait(0.05)
    raise AssertionError(f"{station.ward.counts.batches} batches, not {count}")


def recorded(folder: Path) -> np.ndarray:
    files = sorted((folder / "data" / "recordings" / BED).glob("*.dat"))
    return np.concatenate([np.fromfile(path, dtype="<i2") for path in files])


class Acknowledgements:
    """What the station acknowledges, as seen on the broker; a context manager."""

    def __init__(self, port: int) -> None:
        self.all: list[wire.Ack] = []
        self._news = threading.Condition()
        self._link = Link(
            Address("127.0.0.1", port),
            client_id="watcher",
            subscriptions=(wire.ack_topic(BED),),
            on_message=self._heard,
        )

    def __enter__(self) -> Acknowledgements:
        self._link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.stop()

    def wait_for(self, cumulative: int) -> None:
        """Wait until everything up to this sequence number is acknowledged."""
        with self._news:
            assert self._news.wait_for(
                lambda: self.all and self.all[-1].cumulative >= cumulative, 120
            )

    def _heard(self, _topic: str, payload: bytes) -> None:
        with self._news:
            self.all.append(wire.decode_ack(payload))
            self._news.notify_all()


def sent(source: RecordSource) -> np.ndarray:
    return np.concatenate([piece.samples for piece in source.pieces()])


def test_a_record_arrives_bit_for_bit(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    source = RecordSource(BUNDLED, seconds=30)
    with (
        running_station(settings(mosquitto.port, tmp_path)) as station,
        NativeNode(native_node, source, tmp_path, mosquitto.port) as node,
    ):
        assert node.wait_until_ended() == 0
        assert station.ward.counts.refused == {}
    assert np.array_equal(recorded(tmp_path), sent(source))


CLIENTS = pytest.mark.parametrize(
    "options", [(), ("--client-keeps",)], ids=["fresh", "client-keeps"]
)


@CLIENTS
def test_a_broker_that_is_killed_and_comes_back_costs_no_sample(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path, options: tuple[str, ...]
) -> None:
    source = RecordSource(BUNDLED, seconds=60)
    with (
        running_station(settings(mosquitto.port, tmp_path)) as station,
        NativeNode(native_node, source, tmp_path, mosquitto.port, *options) as node,
    ):
        for turn in (1, 2):
            wait_for_batches(station, 60 * turn)
            mosquitto.kill()
            node.wait_for("disconnected")
            mosquitto.start()
            node.wait_for("connected")
        assert node.wait_until_ended() == 0
        assert node.events[-1]["dropped"] == 0
    assert np.array_equal(recorded(tmp_path), sent(source))


def test_a_station_that_is_away_for_a_while_costs_no_sample(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    source = RecordSource(BUNDLED, seconds=120)
    config = settings(mosquitto.port, tmp_path)
    with NativeNode(native_node, source, tmp_path, mosquitto.port) as node:
        with running_station(config) as station:
            wait_for_batches(station, 40)
        with running_station(config):
            assert node.wait_until_ended() == 0
        assert node.events[-1]["dropped"] == 0
    assert np.array_equal(np.sort(recorded(tmp_path)), np.sort(sent(source)))


def headless_station(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bedside", "run", "--headless", "--config", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_station_that_is_killed_and_comes_back_costs_no_sample(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    source = RecordSource(BUNDLED, seconds=90)
    store = ("--store-batches", "2000")
    config = tmp_path / "bedside.toml"
    config.write_text(
        f"[broker]\nport = {mosquitto.port}\n[station]\ndata_dir = '{tmp_path / 'data'}'\n"
        "[recording]\nsync_every_s = 0.5\n"
    )
    with (
        Acknowledgements(mosquitto.port) as acks,
        NativeNode(native_node, source, tmp_path, mosquitto.port, *store) as node,
    ):
        station = headless_station(config)
        try:
            acks.wait_for(40)
            station.kill()
            station.wait(60)
            station = headless_station(config)
            assert node.wait_until_ended() == 0
        finally:
            station.terminate()
            station.wait(60)
        assert node.events[-1]["dropped"] == 0
    assert np.array_equal(np.sort(recorded(tmp_path)), np.sort(sent(source)))


def test_batches_that_the_client_delivers_late_as_if_they_were_live_are_in_their_place(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    source = RecordSource(BUNDLED, seconds=90)
    heard: list[tuple[float, wire.Batch]] = []
    watcher = Link(
        Address("127.0.0.1", mosquitto.port),
        client_id="watcher",
        keepalive_s=60,
        subscriptions=(wire.ecg_topic(BED),),
        on_message=lambda _, payload: heard.append(
            (time.monotonic(), wire.decode_batch(payload, BED, 0))
        ),
    )
    watcher.start()
    with (
        running_station(settings(mosquitto.port, tmp_path)) as station,
        NativeNode(native_node, source, tmp_path, mosquitto.port, "--client-keeps") as node,
    ):
        wait_for_batches(station, 40)
        mosquitto.freeze()
        frozen_s = time.monotonic()
        threading.Event().wait(3.0)
        thawed_s = time.monotonic()
        mosquitto.thaw()
        assert node.wait_until_ended() == 0
    watcher.stop()
    aged = [
        (at_s, at_s - batch.end_sample / (SPEED * batch.rate_hz), batch) for at_s, batch in heard
    ]
    began_s = min(born_s for at_s, born_s, _ in aged if at_s < frozen_s)
    assert [
        batch
        for at_s, born_s, batch in aged
        if at_s > thawed_s and born_s - began_s > 2 and not batch.flags & Flags.REPLAYED
    ]
    assert np.array_equal(recorded(tmp_path), sent(source))


def test_publishes_that_vanish_in_more_than_16_places_are_sent_again(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    source = RecordSource(BUNDLED, seconds=120)
    faults = ("--swallow-permille", "300", "--swallow-most", "80", "--seed", "7")
    with (
        Acknowledgements(mosquitto.port) as acks,
        running_station(settings(mosquitto.port, tmp_path, sync_every_s=20.0)),
        NativeNode(native_node, source, tmp_path, mosquitto.port, *faults) as node,
    ):
        assert node.wait_until_ended() == 0
    assert max(len(ack.missing) for ack in acks.all) == wire.MAX_MISSING_RANGES
    assert np.array_equal(recorded(tmp_path), sent(source))


class PausedRecord:
    """300 batches of a record, 160 s in which nothing is sampled, and 100 batches more."""

    def __init__(self) -> None:
        self._record = RecordSource(BUNDLED, seconds=80)
        self.rate_mhz, self.nv_per_lsb = self._record.rate_mhz, self._record.nv_per_lsb

    def pieces(self) -> Iterator[Piece]:
        for number, piece in enumerate(self._record.pieces()):
            if number == 300:
                yield Piece(np.zeros(0, np.int16), skipped=40_000)
            yield piece


def test_a_full_store_costs_exactly_what_it_counts_and_the_station_stops_asking(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    source = PausedRecord()
    all_sent = np.concatenate([piece.samples for piece in source.pieces()])
    store = ("--store-batches", "100")
    mosquitto.kill()
    with (
        Acknowledgements(mosquitto.port) as acks,
        running_station(settings(mosquitto.port, tmp_path)) as station,
        NativeNode(native_node, source, tmp_path, mosquitto.port, *store, speed=20.0) as node,
    ):
        while node.wait_for("disconnected")["samples"] < 15_000:
            pass
        mosquitto.start()
        assert node.wait_until_ended() == 0
        assert node.events[-1]["dropped"] == 200
        assert station.ward.counts.batches - station.ward.counts.duplicates == 200
    assert (acks.all[-1].cumulative, acks.all[-1].missing) == (399, ())
    there = recorded(tmp_path)
    assert np.array_equal(there[there != WFDB_INVALID], all_sent[200 * 50 :])


def test_a_reboot_by_command_begins_a_new_boot(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    source = RecordSource(BUNDLED, seconds=60)
    with (
        running_station(settings(mosquitto.port, tmp_path)) as station,
        NativeNode(native_node, source, tmp_path, mosquitto.port) as node,
    ):
        first = node.wait_for("boot")["boot_id"]
        wait_for_batches(station, 40)
        told = Link(Address("127.0.0.1", mosquitto.port), client_id="nurse")
        told.start()
        while not told.publish(wire.cmd_topic(BED), b'"reboot"', 1):
            threading.Event().wait(0.01)
        assert node.wait_for("boot")["boot_id"] != first
        told.stop()
        assert node.wait_until_ended() == 0


def test_a_killed_node_is_said_to_be_offline_by_the_broker(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    heard: list[bytes] = []
    offline = threading.Event()

    def status(_topic: str, payload: bytes) -> None:
        heard.append(payload)
        if b'"state": "offline"' in payload:
            offline.set()

    watcher = Link(
        Address("127.0.0.1", mosquitto.port),
        client_id="watcher",
        subscriptions=(wire.status_topic(BED),),
        on_message=status,
    )
    watcher.start()
    source = RecordSource(BUNDLED, seconds=60)
    with NativeNode(native_node, source, tmp_path, mosquitto.port, speed=1.0) as node:
        node.wait_for("connected")
        node.send(signal.SIGKILL)
        assert offline.wait(60)
    watcher.stop()


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[SecureBroker]:
    broker = SecureBroker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


def node_options(broker: SecureBroker, password: str, ca_file: Path) -> tuple[str, ...]:
    password_file = broker.folder / "node-password"
    password_file.write_text(f"{password}\n")
    return (
        *("--host", "localhost", "--username", BED, "--linger"),
        *("--password-file", str(password_file), "--ca-file", str(ca_file)),
    )


def station_of(broker: SecureBroker) -> Settings:
    password_file = broker.folder / "station-password"
    password_file.write_text("station-secret\n")
    password_file.chmod(0o600)
    return settings(
        broker.port,
        broker.folder,
        host="localhost",
        username="station",
        password_file=password_file,
        ca_file=broker.ca_file,
    )


def test_with_tls_password_and_acl_a_record_arrives(
    native_node: Path, secure: SecureBroker
) -> None:
    source = RecordSource(BUNDLED, seconds=20)
    options = node_options(secure, "bed-1-secret", secure.ca_file)
    with (
        running_station(station_of(secure)) as station,
        NativeNode(native_node, source, secure.folder, secure.port, *options) as node,
    ):
        wait_for_batches(station, 100)
        node.send(signal.SIGTERM)
        node.wait_for("end")
    assert np.array_equal(recorded(secure.folder), sent(source))


@pytest.mark.parametrize("fault", ["SIGTERM", "SIGKILL", "SIGSTOP"])
def test_over_tls_a_broker_that_stops_dies_or_hangs_costs_no_sample(
    native_node: Path, secure: SecureBroker, fault: str
) -> None:
    source = RecordSource(BUNDLED, seconds=40)
    options = [
        each for each in node_options(secure, "bed-1-secret", secure.ca_file) if each != "--linger"
    ]
    with (
        running_station(station_of(secure)) as station,
        NativeNode(native_node, source, secure.folder, secure.port, *options) as node,
    ):
        wait_for_batches(station, 40)
        secure._signal(signal.Signals[fault])
        node.wait_for("disconnected")
        if fault == "SIGSTOP":
            secure.thaw()
        else:
            secure.kill()
            secure.start()
        assert node.wait_until_ended() == 0
        assert node.events[-1]["dropped"] == 0
    assert np.array_equal(recorded(secure.folder), sent(source))


@pytest.mark.parametrize("fault", ["password", "ca"])
def test_a_node_with_a_wrong_password_or_authority_stays_outside(
    native_node: Path, secure: SecureBroker, fault: str
) -> None:
    source = RecordSource(BUNDLED, seconds=20)
    password = "wrong" if fault == "password" else "bed-1-secret"
    ca_file = secure.other_ca_file if fault == "ca" else secure.ca_file
    options = node_options(secure, password, ca_file)
    with NativeNode(native_node, source, secure.folder, secure.port, *options) as node:
        detail = node.wait_for("disconnected")["detail"]
        node.wait_for("sampled")
        assert not [each for each in node.events if each["event"] == "connected"]
    expected = "TLS" if fault == "ca" else "not authori"
    assert expected.lower() in detail.lower(), detail


def test_a_node_cannot_speak_for_another_bed(native_node: Path, secure: SecureBroker) -> None:
    source = RecordSource(BUNDLED, seconds=10)
    options = node_options(secure, "bed-1-secret", secure.ca_file)
    with (
        running_station(station_of(secure)) as station,
        NativeNode(
            native_node, source, secure.folder, secure.port, *options, name="bed-2"
        ) as stranger,
    ):
        stranger.wait_for("sampled")
        with NativeNode(native_node, source, secure.folder, secure.port, *options) as node:
            wait_for_batches(station, 50)
            node.send(signal.SIGTERM)
            node.wait_for("end")
        assert "bed-2" not in station.ward.pictures


def test_options_that_make_no_sense_are_explained(native_node: Path) -> None:
    for wrong in (["--speed", "0"], ["--name", "Bed"], ["--nonsense"], ["--port"]):
        done = subprocess.run([str(native_node), *wrong], capture_output=True, text=True)
        assert done.returncode == 2
        assert "--pieces" in done.stderr
    done = subprocess.run(
        [str(native_node), "--pieces", "/nowhere"], capture_output=True, text=True
    )
    assert (done.returncode, "no samples" in done.stderr) == (2, True)

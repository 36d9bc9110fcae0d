"""The faults of the table: each one does its worst to a scene and says when it showed."""

from __future__ import annotations

import contextlib
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bedside import station_topics
from bedside.broker_address import Address
from bedside.node.link import Link
from tests.delivery.cloud import Cloud
from tests.faults.known_signal import RATE_HZ
from tests.faults.scene import BED, Cost, Scene
from tests.faults.station_process import StationProcess
from tests.loop_disk import LoopDisk

CLOUD_AWAY_S = 3600.0
"""Longer than the 15 min after which ended alerts leave as one summary."""
TWO_STATIONS = ("two-stations", "active")


@dataclass(frozen=True)
class Outcome:
    """When the fault showed, None: never; and what it cost."""

    shown_s: float | None
    cost: Cost


@dataclass(frozen=True)
class Row:
    """A line of the table. `shows` names the sign of the fault, `within_s` when it has to show."""

    name: str
    fault: str
    shows: str
    within_s: float
    run: Callable[[Path, float], Outcome]


def node_reset(folder: Path, speed: float) -> Outcome:
    """Out of the Wi-Fi's reach it resets: what it could not send is gone, and so is it for 10 s."""
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        began_s, since = time.monotonic(), len(scene.station.said)
        scene.wifi.gone()
        shown = scene.wait_for("node-silent", since=since)
        scene.nodes[0].reboot()
        scene.wifi.cut()
        scene.pass_s(7)
        scene.wifi.back()
        scene.wait_for("node-silent", "ended", since)
        # The reset may have taken an arrest from the store: this one nobody took.
        scene.wait_for("asystole", since=len(scene.station.said))
        return Outcome(shown.at_s - began_s, scene.finish())


def wifi_gone(folder: Path, speed: float) -> Outcome:
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        began_s, since = time.monotonic(), len(scene.station.said)
        scene.wifi.gone()
        shown = scene.wait_for("node-silent", since=since)
        scene.pass_s(60)
        scene.wifi.back()
        scene.wait_for("node-silent", "ended", since)
        return Outcome(shown.at_s - began_s, scene.finish())


def broker_killed(folder: Path, speed: float) -> Outcome:
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        began_s, since = time.monotonic(), len(scene.station.said)
        scene.broker.kill()
        shown = scene.wait_for("broker-away", since=since)
        scene.pass_s(20)
        scene.broker.start()
        scene.wait_for("broker-away", "ended", since)
        return Outcome(shown.at_s - began_s, scene.finish())


def broker_frozen(folder: Path, speed: float) -> Outcome:
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        began_s, since = time.monotonic(), len(scene.station.said)
        scene.broker.freeze()
        shown = scene.wait_for("broker-away", since=since)
        scene.pass_s(20)
        scene.broker.thaw()
        scene.wait_for("broker-away", "ended", since)
        return Outcome(shown.at_s - began_s, scene.finish())


def station_killed(folder: Path, speed: float) -> Outcome:
    """Whoever listens to its broker hears its last will; it comes back after 5 s."""
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        with _last_will(scene) as heard:
            began_s = time.monotonic()
            scene.kill_station()
            shown_s = heard()
        scene.pass_s(5)
        scene.restart_station()
        return Outcome(shown_s - began_s, scene.finish())


def cloud_away(folder: Path, speed: float) -> Outcome:
    """For an hour of the signal; then the cloud has to take every alert."""
    (folder / "cloud").mkdir()
    cloud = Cloud(folder / "cloud")
    cloud.broker.start()
    try:
        with Scene(folder, speed, cloud=cloud.endpoint()) as scene:
            scene.wait_for("asystole")
            began_s, since = time.monotonic(), len(scene.station.said)
            cloud.broker.kill()
            shown = scene.wait_for("delivery-failing", since=since)
            first = scene.station.wait_for(lambda said: said.bed == BED and said.at_s > began_s)
            assert first is not None
            left_s = began_s + CLOUD_AWAY_S / speed - time.monotonic()
            threading.Event().wait(max(left_s, 0))
            # It became graver meanwhile, and then the lesser one ended.
            since = len(scene.station.said)
            cloud.broker.start()
            scene.wait_for("delivery-failing", "ended", since)
            return Outcome(shown.at_s - first.at_s, scene.finish())
    finally:
        cloud.broker.kill()


def disk_full(folder: Path, speed: float) -> Outcome:
    with LoopDisk(folder / "disk", megabytes=64) as disk:
        data = disk.folder / "data"
        with Scene(folder, speed, data_dir=data, low_space_mb=20) as scene:
            scene.wait_for("asystole")
            ballast = disk.folder / "ballast"
            began_s, since = time.monotonic(), len(scene.station.said)
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(65_536))
            shown = scene.wait_for("storage-failing", since=since)
            scene.wait_for("asystole", since=len(scene.station.said))
            scene.pass_s(30)
            ballast.unlink()
            scene.wait_for("storage-failing", "ended", since)
            return Outcome(shown.at_s - began_s, scene.finish())


def clock_jumps(folder: Path, speed: float) -> Outcome:
    """The program's clock, an hour on and then two hours back."""
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        shown_s = 0.0
        for jump_s in (3600, -7200):
            since = len(scene.station.said)
            began_s = time.monotonic()
            scene.station.tell(clock_s=jump_s)
            shown = scene.wait_for("clock-unsynced", since=since)
            shown_s = max(shown_s, shown.at_s - began_s)
            scene.wait_for("clock-unsynced", "ended", since)
        return Outcome(shown_s, scene.finish())


def power_cut(folder: Path, speed: float) -> Outcome:
    """What has reached the disk's image goes on as the disk; memory is empty, the broker new."""
    with LoopDisk(folder / "disk", megabytes=64) as disk:
        data = disk.folder / "data"
        with contextlib.ExitStack() as later, Scene(folder, speed, data_dir=data) as scene:
            scene.wait_for("asystole")
            with _last_will(scene) as heard:
                scene.station.freeze()
                copy = disk.power_cut(folder / "after")
                began_s = time.monotonic()
                scene.kill_station()
                shown_s = heard()
            scene.broker.kill()
            for left in scene.memory.rglob("*"):
                if left.is_file():
                    left.unlink()
            scene.pass_s(10)
            found = later.enter_context(copy)
            scene.data_dir = found.folder / "data"
            scene.broker.start()
            scene.restart_station()
            return Outcome(shown_s - began_s, scene.finish())


def segment_corrupt(folder: Path, speed: float) -> Outcome:
    """A killed station's newest hour: its journal's head and ten samples are overwritten."""
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        scene.pass_s(30)
        scene.kill_station()
        assert scene.data_dir is not None
        [journal] = (scene.data_dir / "recordings" / BED).glob("*.idx")
        _overwrite(journal, 0, bytes(range(20)))
        _overwrite(journal.with_suffix(".dat"), 2000, bytes(range(20)))
        scene.restart_station()
        began_s = time.monotonic()
        shown = scene.wait_for("storage-failing")
        # The checksum is that of what one sync took: ten seconds at most are given up.
        hit = range(1000 + 10 * RATE_HZ + 100)
        cost = scene.finish(damaged=lambda sample: sample in hit)
        return Outcome(shown.at_s - began_s, cost)


def database_corrupt(folder: Path, speed: float) -> Outcome:
    """Alarm log and outbox of a killed station, in the middle of their files."""
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        scene.pass_s(30)
        scene.kill_station()
        assert scene.data_dir is not None
        for name in ("alarms.sqlite", "outbox.sqlite"):
            path = scene.data_dir / name
            with contextlib.closing(sqlite3.connect(path)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            size = path.stat().st_size
            _overwrite(path, max(4096, size // 2 // 4096 * 4096), b"\xa5" * 4096)
        scene.restart_station()
        began_s = time.monotonic()
        shown = scene.wait_for("storage-failing")
        return Outcome(shown.at_s - began_s, scene.finish())


def two_stations(folder: Path, speed: float) -> Outcome:
    """Another one on the same broker takes every node, too: it must leave the bed, and say so."""
    with Scene(folder, speed) as scene:
        scene.wait_for("asystole")
        other = StationProcess(scene.settings("other"), speed=speed, memory=scene.memory)
        try:
            other.wait_until_up()
            began_s = time.monotonic()
            shown = other.wait_for(lambda said: (said.code, said.state) == TWO_STATIONS)
            assert shown is not None
            scene.pass_s(30)
        finally:
            other.kill()
        raised = [said for said in other.said if said.bed]
        assert not raised, f"both alarmed for the bed: {raised}"
        return Outcome(shown.at_s - began_s, scene.finish())


def _overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


@contextlib.contextmanager
def _last_will(scene: Scene) -> Iterator[Callable[[], float]]:
    """Listens to the broker as a screen does; what it gives waits for the word `down`."""
    downs: queue.Queue[float] = queue.Queue()
    listening = threading.Event()
    topic = station_topics.state_topic("bedside")

    def heard(_: str, payload: bytes) -> None:
        if json.loads(payload)["up"]:
            listening.set()
        else:
            downs.put(time.monotonic())

    link = Link(
        Address("127.0.0.1", scene.broker.port),
        client_id="screen",
        subscriptions=(topic,),
        on_message=heard,
    )
    link.start()
    assert listening.wait(60)
    try:
        yield lambda: downs.get(timeout=120)
    finally:
        link.stop()


ROWS = (
    Row("node-reset", "node out of reach, then reset", "`node-silent`", 5, node_reset),
    Row("wifi-gone", "no Wi-Fi for 60 s", "`node-silent`", 5, wifi_gone),
    Row("broker-killed", "SIGKILL of the broker", "`broker-away`", 5, broker_killed),
    Row("broker-frozen", "SIGSTOP of the broker", "`broker-away`", 5, broker_frozen),
    Row("station-killed", "SIGKILL of the station", "its last will", 3, station_killed),
    Row("cloud-away", "no cloud for 1 h", "`delivery-failing`", 35, cloud_away),
    Row("disk-full", "full disk", "`storage-failing`", 25, disk_full),
    Row("clock-jumps", "clock +1 h, then −2 h", "`clock-unsynced`", 10, clock_jumps),
    Row("power-cut", "power cut", "its last will", 3, power_cut),
    Row("segment-corrupt", "damaged recording", "`storage-failing`", 10, segment_corrupt),
    Row("database-corrupt", "damaged log and outbox", "`storage-failing`", 10, database_corrupt),
    Row("two-stations", "a second station for the bed", "`two-stations`", 5, two_stations),
)

"""The disk's faults: a power cut, a full disk, damaged files. What was acknowledged is there."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bedside.delivery.log_transport import LogTransport
from bedside.events import AlarmChanged, AlarmState, Event
from bedside.recording import staging
from bedside.recording.archive import Archive
from bedside.recording.recorder import Recorder
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.loop_disk import LoopDisk
from tests.mosquitto import Mosquitto
from tests.recording.batches import BOOT, a_signal

SPEED = 10.0
BED = "bed-1"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with LoopDisk(tmp_path / "disk", megabytes=64) as disk:
        yield disk


def test_after_a_power_cut_all_that_was_acknowledged_is_there_and_opens_in_wfdb(
    disk: LoopDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wfdb = pytest.importorskip("wfdb", reason="needs the extra records")
    monkeypatch.setattr(staging, "MEMORY", tmp_path)
    chance = random.Random(20)
    acknowledged = -1
    batches = list(a_signal(200, from_s=3500))
    cuts = sorted(chance.sample(range(len(batches)), 6))
    recorder = Recorder(disk.folder / "recordings")
    for number, batch in enumerate(batches):
        recorder.write(batch)
        if chance.random() < 0.2:
            for (_, _), ranges in recorder.sync(0.0, at_once=True).items():
                acknowledged = max(acknowledged, ranges[-1][1])
        if number not in cuts:
            continue
        (tmp_path / f"no memory {number}").mkdir()
        monkeypatch.setattr(staging, "MEMORY", tmp_path / f"no memory {number}")
        with disk.power_cut(tmp_path / f"cut {number}") as found:
            folder = found.folder / "recordings"
            with contextlib.closing(Recorder(folder)) as again:
                stored = again.stored(BED).get(BOOT, [])
                assert stored == ([(3500, acknowledged)] if acknowledged >= 0 else [])
            for header in (folder / BED).glob("*.hea") if (folder / BED).exists() else ():
                wfdb.rdrecord(str(header.with_suffix("")))
            stretches = Archive(found.folder).read(BED, 0, 2**60)
            got = [stretch.samples_mv for stretch in stretches]
            samples = np.arange(350_000, 100 * (acknowledged + 1)) % 1000
            assert (np.concatenate(got) if got else np.empty(0)) == pytest.approx(samples * 0.012)
    recorder.close()


def test_a_full_disk_alarms_costs_no_sample_and_recording_resumes_by_itself(
    disk: LoopDisk, mosquitto: Mosquitto
) -> None:
    news = threading.Condition()
    seen: set[tuple[str, AlarmState]] = set()

    def heard(bed: str, event: Event, wall_us: int) -> None:
        if isinstance(event, AlarmChanged):
            with news:
                seen.add((event.instance.code, event.instance.state))
                news.notify_all()

    def wait_for(code: str, state: AlarmState) -> None:
        with news:
            assert news.wait_for(lambda: (code, state) in seen, 30), f"no {code} became {state}"

    settings = Settings(
        broker=BrokerSettings(port=mosquitto.port),
        station=StationSettings(data_dir=disk.folder / "data"),
        recording=RecordingSettings(sync_every_s=1.0, low_space_mb=20),
    )
    station = Station(settings, LogTransport(), speed=SPEED, on_event=heard)
    station.admit(BED)
    station.start()
    episodes = parse_episodes("sinus/40,asystole/20,sinus")
    source = PatientSource(SyntheticPatient(), episodes)
    archive = Archive(disk.folder / "data")
    try:
        with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED) as node:
            ballast = disk.folder / "ballast"
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(65_536))
            wait_for("storage-failing", AlarmState.ACTIVE)
            wait_for("asystole", AlarmState.ACTIVE)
            ballast.unlink()
            wait_for("storage-failing", AlarmState.ENDED)
            give_up_s = time.monotonic() + 30
            while not whole(archive, 60.0):
                assert time.monotonic() < give_up_s, "the hole was never closed"
            assert node.dropped_batches == 0
    finally:
        station.stop()
    assert station.summary()["alerts"] >= 1


def whole(archive: Archive, seconds: float) -> bool:
    """Whether the recording holds its first seconds without a hole."""
    for stretch in archive.read(BED, 0, 2**60):
        samples = round(seconds * stretch.span.rate_hz)
        if stretch.first_sample == 0 and len(stretch.samples_mv) >= samples:
            return not bool(np.isnan(stretch.samples_mv[:samples]).any())
    return False

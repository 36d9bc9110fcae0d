"""What a bed costs an SD card: `python -m tests.bench.wear [--seconds 300] [--record PATH]`.

A station, a broker and a node in real time, the station's folder on an ext4 of its own with the
usual options behind a loop device. Counts every byte that reaches the device, the file system's
journal, alarm log and outbox among them, and extrapolates to a day. Needs root.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bedside.delivery.log_transport import LogTransport
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, RecordSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.bench.results import keep
from tests.loop_disk import LoopDisk
from tests.mosquitto import Mosquitto

SETTLE_S = 90.0
"""Until what the start wrote has left the kernel: dirty pages wait for up to 35 s."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long to count")
    parser.add_argument("--sync-every", type=float, default=RecordingSettings().sync_every_s)
    parser.add_argument("--record", type=Path, help="a WFDB record instead of a sinus rhythm")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        broker = Mosquitto(place)
        broker.start()
        try:
            with LoopDisk(place / "card", megabytes=1000) as disk:
                report(options, broker, disk)
        finally:
            broker.kill()


def report(options: argparse.Namespace, broker: Mosquitto, disk: LoopDisk) -> None:
    settings = Settings(
        broker=BrokerSettings(port=broker.port),
        station=StationSettings(data_dir=disk.folder / "data"),
        recording=RecordingSettings(sync_every_s=options.sync_every),
    )
    source = (
        RecordSource(options.record, seconds=SETTLE_S + options.seconds + 60)
        if options.record
        else PatientSource(SyntheticPatient(), parse_episodes("sinus"))
    )
    station = Station(settings, LogTransport())
    station.admit("bed-1")
    station.start()
    try:
        with VirtualNode(source, "bed-1", "127.0.0.1", broker.port):
            time.sleep(SETTLE_S)
            before, began_s = disk.written_bytes(), time.monotonic()
            batches = station.ward.counts.batches
            time.sleep(options.seconds)
            written = disk.written_bytes() - before
            lasted_s = time.monotonic() - began_s
            batches = station.ward.counts.batches - batches
    finally:
        station.stop()
    mb_a_day = written / lasted_s * 86400 / 1e6
    if options.record is None:
        keep(f"wear, a sync every {options.sync_every:g} s", mb_a_day=round(mb_a_day, 1))
    print(
        f"{mb_a_day:.1f} MB a day for one bed: {written} bytes in "
        f"{lasted_s:.0f} s, {batches} batches, synced every {options.sync_every:g} s, "
        f"{station.summary()['alarms'] or 'no alarms'}"
    )


if __name__ == "__main__":
    main()

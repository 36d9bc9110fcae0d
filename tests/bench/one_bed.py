"""What one bed costs: `python -m tests.bench.one_bed [--seconds 120] [--hours 24 --speed 60]`.

Three measurements of the program `bedside run --headless` on a real Mosquitto, with a node that
sends a real record in turns:

- from the start of the process to the first beat that it reports on its output;
- share of a core and resident memory, admitted, scored and recorded, over `--seconds`;
- growth of the resident memory while `--hours` of data are replayed `--speed` times as fast as
  they were sampled, through the same station; measured from the end of the first tenth on, when
  everything that is kept for a while has been filled.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bedside.events import BedState
from bedside.recording import bed_file
from bedside.recording.bed_file import BedFile
from bedside.simulator.source import RecordSource
from bedside.simulator.virtual_node import VirtualNode
from tests.bench.process import cpu_s, resident_mb
from tests.mosquitto import Mosquitto
from tests.records import BUNDLED

BED = "bed-1"
SETTLE_S = 20.0

_REPLAYING = """
import signal, sys, threading
from pathlib import Path
from bedside import settings
from bedside.delivery.log_transport import LogTransport
from bedside.station import Station
station = Station(settings.load(Path(sys.argv[1])), LogTransport(), speed=float(sys.argv[2]))
station.start()
stopped = threading.Event()
signal.signal(signal.SIGINT, lambda *_: stopped.set())
stopped.wait()
station.stop()
print(station.summary())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--only", choices=["start", "cost", "growth"])
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    if options.only in (None, "start"):
        first_beat()
    if options.only in (None, "cost"):
        cost(options.seconds)
    if options.only in (None, "growth"):
        growth(options.hours, options.speed)


def first_beat() -> None:
    with place() as (broker, config), node(broker, 1.0):
        time.sleep(2.0)
        for _ in range(3):
            began_s = time.monotonic()
            with running("-m", "bedside", "run", "--headless", "--config", str(config)) as station:
                assert station.stdout is not None
                while json.loads(station.stdout.readline())["event"] != "beat":
                    pass
                took_s, used_s = time.monotonic() - began_s, cpu_s(station.pid)
            print(
                f"process start to the first beat: {took_s:.2f} s, {used_s:.2f} s of it computing, "
                f"load {os.getloadavg()[0]:.1f}"
            )


def cost(seconds: float) -> None:
    with (
        place() as (broker, config),
        node(broker, 1.0),
        running("-m", "bedside", "run", "--headless", "--config", str(config)) as station,
    ):
        threading.Thread(target=_swallow, args=(station,), daemon=True).start()
        time.sleep(SETTLE_S)
        before_s, began_s = cpu_s(station.pid), time.monotonic()
        time.sleep(seconds)
        share = 100 * (cpu_s(station.pid) - before_s) / (time.monotonic() - began_s)
        print(
            f"one bed, {seconds:.0f} s: {share:.2f} % of a core, "
            f"{resident_mb(station.pid):.0f} MB resident, load {os.getloadavg()[0]:.1f}"
        )


def _swallow(station: subprocess.Popen[str]) -> None:
    assert station.stdout is not None
    with contextlib.suppress(ValueError):  # closed with the process
        for _ in station.stdout:
            pass


def growth(hours: float, speed: float) -> None:
    with (
        place() as (broker, config),
        running("-c", _REPLAYING, str(config), str(speed)) as station,
        node(broker, speed),
    ):
        seen: list[tuple[float, float]] = []
        time.sleep(SETTLE_S)
        began_s = time.monotonic()
        while (at_h := (time.monotonic() - began_s) * speed / 3600) < hours:
            time.sleep(min(5.0, hours * 360 / speed))
            seen.append((at_h, resident_mb(station.pid)))
        warm_mb = next(size_mb for at_h, size_mb in seen if at_h >= hours / 10)
        last_mb = seen[-1][1]
        station.send_signal(signal.SIGINT)
        assert station.stdout is not None
        summary = station.stdout.read().splitlines()[-1]
    print(
        f"{hours:g} h replayed at {speed:g} times: {warm_mb:.1f} MB after a tenth, "
        f"{last_mb:.1f} MB at the end, at most {max(size for _, size in seen):.1f}: growth "
        f"{last_mb - warm_mb:+.1f} MB, load {os.getloadavg()[0]:.1f}\n  {summary}"
    )


@contextmanager
def place() -> Iterator[tuple[Mosquitto, Path]]:
    """A broker, and the configuration of a station with one admitted bed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder, "allow_anonymous true\nmax_queued_messages 20000\n")
        broker.start()
        patient = BedFile(BedState.ADMITTED, uuid.uuid4().hex[:16])
        bed_file.save(folder / "data" / "beds" / f"{BED}.json", patient)
        config = folder / "bedside.toml"
        config.write_text(
            f'[broker]\nport = {broker.port}\n[station]\ndata_dir = "{folder}/data"\n'
        )
        try:
            yield broker, config
        finally:
            broker.kill()


def node(broker: Mosquitto, speed: float) -> VirtualNode:
    source = RecordSource(BUNDLED, loop=True)
    return VirtualNode(source, BED, "127.0.0.1", broker.port, speed=speed, store_batches=30_000)


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program of its own, until it is interrupted."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()

"""What one bed costs: `python -m tests.bench.one_bed [--seconds 120] [--hours 24 --speed 60]`.

Three measurements of the program `bedside run --headless` on a real Mosquitto, with a node that
sends a real record in turns:

- from the start of the process to the first beat that it reports on its output;
- share of a core and resident memory, admitted, scored and recorded, over `--seconds`;
- growth of the resident memory while `--hours` of data are replayed `--speed` times as fast as
  they were sampled, through the same station; measured from the end of the first tenth on, when
  everything that is kept for a while has been filled. Hours are counted in batches that the
  station took: a machine that does not bear the speed replays for longer.

What was measured stands in `results.json` beside this file.
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
from tests.bench.results import keep
from tests.mosquitto import Mosquitto
from tests.records import BUNDLED

BED = "bed-1"
SETTLE_S = 20.0
BATCH_S = 0.2

_REPLAYING = """
import json, signal, sys, threading
from pathlib import Path
from bedside import settings
from bedside.delivery.log_transport import LogTransport
from bedside.station import Station
station = Station(settings.load(Path(sys.argv[1])), LogTransport(), speed=float(sys.argv[2]))
station.start()
stopped = threading.Event()
signal.signal(signal.SIGINT, lambda *_: stopped.set())
while not stopped.wait(1.0):
    print(json.dumps(station.summary()), flush=True)
station.stop()
print(json.dumps(station.summary()))
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
        took = []
        for _ in range(3):
            began_s = time.monotonic()
            with running("-m", "bedside", "run", "--headless", "--config", str(config)) as station:
                assert station.stdout is not None
                while json.loads(station.stdout.readline())["event"] != "beat":
                    pass
                took_s, used_s = time.monotonic() - began_s, cpu_s(station.pid)
            took.append(round(took_s, 2))
            print(
                f"process start to the first beat: {took_s:.2f} s, {used_s:.2f} s of it computing, "
                f"load {os.getloadavg()[0]:.1f}"
            )
    keep("start", seconds=took)


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
        size_mb = resident_mb(station.pid)
        print(
            f"one bed, {seconds:.0f} s: {share:.2f} % of a core, {size_mb:.0f} MB resident, "
            f"load {os.getloadavg()[0]:.1f}"
        )
    keep("cost", seconds=seconds, share_percent=round(share, 2), resident_mb=round(size_mb))


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
        assert station.stdout is not None
        seen: list[tuple[float, float]] = []
        at_h, next_h, summary = 0.0, 0.0, {"batches": 0}
        for line in station.stdout:
            summary = json.loads(line)
            at_h = summary["batches"] * BATCH_S / 3600
            if at_h >= next_h:
                seen.append((at_h, resident_mb(station.pid)))
                next_h = at_h + hours / 200
            if at_h >= hours:
                break
        station.send_signal(signal.SIGINT)
    warm_mb = next(size_mb for at_h, size_mb in seen if at_h >= hours / 10)
    last_mb, most_mb = seen[-1][1], max(size_mb for _, size_mb in seen)
    print(
        f"{at_h:.1f} h replayed at {speed:g} times: {warm_mb:.1f} MB after a tenth, "
        f"{last_mb:.1f} MB at the end, at most {most_mb:.1f}: growth "
        f"{last_mb - warm_mb:+.1f} MB, load {os.getloadavg()[0]:.1f}\n  {summary}"
    )
    keep(
        "growth", hours=round(at_h, 1), warm_mb=round(warm_mb, 1), last_mb=round(last_mb, 1),
        most_mb=round(most_mb, 1),
    )  # fmt: skip


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

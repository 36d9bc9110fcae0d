"""How many beds a core serves: `python -m tests.bench.beds [--beds 200] [--seconds 120]`.

A real Mosquitto, `bedside simulate`'s fleet of nodes at 5 batches a second each, and the program
`bedside run --headless` in a process of its own, as its service runs it: every bed admitted, every
beat scored, everything recorded. Counted over `--seconds` after a while of settling:

- CPU seconds of the station's process, all its threads, for each second of each bed;
- batch → event: inside the station, from the broker's delivery (its own summary), and from the
  moment at which a node sends a batch to the moment at which a screen, which asks for a few beds'
  traces, has the samples: two ways through the broker and the network's code on both sides;
- what was lost: batches sent and not acknowledged as on disk in the end, gaps, overflows.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import numpy as np

from bedside import station_topics, wave_message
from bedside.broker_address import Address
from bedside.events import BedState
from bedside.node.link import Link
from bedside.recording import bed_file
from bedside.recording.bed_file import BedFile
from bedside.simulator.fleet import Fleet, Stretch, stretch_of
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from tests.bench.process import cpu_s, resident_mb
from tests.bench.results import keep
from tests.mosquitto import Mosquitto

SETTLE_S = 20.0
WATCHED = 8
"""Beds whose traces a screen asks for."""

BROKER = "allow_anonymous true\nmax_queued_messages 20000\nset_tcp_nodelay true\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beds", type=int, nargs="+", default=[200])
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    for beds in options.beds:
        with tempfile.TemporaryDirectory() as name:
            broker = Mosquitto(Path(name), BROKER)
            broker.start()
            try:
                measure(beds, options.seconds, broker, Path(name))
            finally:
                broker.kill()


def measure(beds: int, seconds: float, broker: Mosquitto, place: Path) -> None:
    names = [f"icu-{number}" for number in range(1, beds + 1)]
    for name in names:
        patient = BedFile(BedState.ADMITTED, uuid.uuid4().hex[:16])
        bed_file.save(place / "data" / "beds" / f"{name}.json", patient)
    config = place / "bedside.toml"
    config.write_text(f'[broker]\nport = {broker.port}\n[station]\ndata_dir = "{place}/data"\n')
    summary_file = place / "out.jsonl"
    nodes = Fleet(names, signals(), Address("127.0.0.1", broker.port))
    program = os.environ.get("BEDSIDE_BENCH", "-m bedside").split()
    command = [sys.executable, *program, "run", "--headless", "--config", str(config)]
    with summary_file.open("wb") as out:
        station = subprocess.Popen(command, stdout=out)
    try:
        screen = Screen(Address("127.0.0.1", broker.port), "bedside", names[:WATCHED])
        screen.wait_for_station()
        with nodes as fleet:
            time.sleep(SETTLE_S)
            screen.forget()
            before = cpu_s(station.pid), cpu_s(os.getpid()), cpu_s(broker.pid), fleet.counts.sent
            began_s = time.monotonic()
            while time.monotonic() < began_s + seconds:
                screen.ask()
                time.sleep(1.0)
            lasted_s = time.monotonic() - began_s
            used_s = cpu_s(station.pid) - before[0]
            shares = [
                100 * used / lasted_s
                for used in (used_s, cpu_s(os.getpid()) - before[1], cpu_s(broker.pid) - before[2])
            ]
            sent = fleet.counts.sent - before[3]
            delays_ms = screen.delays_ms(fleet)
            memory_mb = resident_mb(station.pid)
            fleet.end_sampling()
            complete = fleet.wait_until_acknowledged(60.0)
            counts = fleet.counts
        screen.close()
    finally:
        station.send_signal(signal.SIGINT)
        station.wait(60)
    if not delays_ms:
        print(f"{beds} beds: no trace came in {lasted_s:.0f} s, the station did not keep up")
        return
    with summary_file.open("rb") as file:
        file.seek(max(0, summary_file.stat().st_size - 20_000))
        summary = json.loads(file.read().splitlines()[-1])
    keep(
        "beds",
        beds=beds,
        beds_a_core=round(lasted_s * beds / used_s),
        p99_ms=round(summary["batch_to_event_p99_ms"]),
        batches=counts.sent,
        lost=counts.waiting + counts.dropped,
    )
    print(
        f"{beds} beds, {lasted_s:.0f} s, {sent / lasted_s / beds:.2f} batches a second each, "
        f"{summary['beats']} beats: station {shares[0]:.1f} % of a core, "
        f"{1000 * used_s / lasted_s / beds:.2f} CPU ms a second and bed, "
        f"so {lasted_s * beds / used_s:.0f} beds a core; {memory_mb:.0f} MB\n"
        f"  batch → event p50 {summary['batch_to_event_p50_ms']:.1f}, "
        f"p99 {summary['batch_to_event_p99_ms']:.1f} ms; node → screen of {WATCHED} beds p50 "
        f"{np.percentile(delays_ms, 50):.1f}, p99 {np.percentile(delays_ms, 99):.1f}, "
        f"max {max(delays_ms):.1f} ms ({len(delays_ms)} pieces)\n"
        f"  nodes {shares[1]:.1f} %, broker {shares[2]:.1f} % of a core; nodes late by at most "
        f"{counts.late_ms:.0f} ms\n"
        f"  {'all' if complete else 'NOT all'} {counts.sent} batches acknowledged, "
        f"{counts.waiting} waiting, {counts.dropped} dropped, {summary['gaps']} gaps, "
        f"{summary['duplicates']} duplicates, {summary['late']} late, failures "
        f"{sum(summary['failures'].values())}, alarms {summary['alarms']}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def signals() -> list[Stretch]:
    """A few patients, most of them at ease, as in a ward."""
    rhythms = ("sinus:62", "sinus:75", "sinus:88", "sinus:70", "af:80", "pvcs:75")
    return [
        stretch_of(PatientSource(SyntheticPatient(seed=seed), parse_episodes(rhythm)))
        for seed, rhythm in enumerate(rhythms)
    ]


class Screen:
    """Asks for the traces of a few beds and notes when each piece came."""

    def __init__(self, broker: Address, station: str, beds: list[str]) -> None:
        self._beds, self._station = beds, station
        self._user = broker.username or "bench"
        self._came_s: dict[tuple[str, int], float] = {}
        self._up = threading.Event()
        topics = [station_topics.bed_topic(station, bed, "wave") for bed in beds]
        self._link = Link(
            broker,
            client_id="bench",
            subscriptions=(station_topics.state_topic(station), *topics),
            on_message=self._heard,
        )
        self._link.start()

    def wait_for_station(self) -> None:
        assert self._up.wait(180), "the station did not start"

    def forget(self) -> None:
        self._came_s.clear()

    def ask(self) -> None:
        for bed in self._beds:
            topic = station_topics.action_topic(self._station, bed, self._user)
            self._link.publish(
                topic, station_topics.action_payload(uuid.uuid4().hex, "want-wave", {}), 1
            )

    def delays_ms(self, fleet: Fleet) -> list[float]:
        """From each batch's departure to its samples here; a batch is 50 samples of 250 Hz."""
        left_s = {bed: fleet.sent_s(bed) for bed in self._beds}
        return [
            1000 * (came_s - left_s[bed][position // 50])
            for (bed, position), came_s in self._came_s.items()
        ]

    def close(self) -> None:
        self._link.stop()

    def _heard(self, topic: str, payload: bytes) -> None:
        bed, what = station_topics.bed_of(topic, self._station)
        if what == "wave":
            self._came_s[bed, wave_message.decode(payload).position] = time.monotonic()
        elif what == "station" and json.loads(payload)["up"]:
            self._up.set()


if __name__ == "__main__":
    main()

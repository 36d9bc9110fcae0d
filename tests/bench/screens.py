"""Whether a station notices its screens: `python -m tests.bench.screens [--screens 50]`.

A Mosquitto made by `bedside broker setup`, TLS and passwords for everybody; the program
`bedside run --headless` in a process of its own; a fleet of nodes; and `RemoteFeed`s in another
process, each of which looks at one bed and asks for its trace, as a screen does. With one screen,
with all of them, and with one again: the station's CPU time, the broker's, and the time from the
moment at which a node sends a batch to the moment at which a screen has its samples.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bedside.broker_address import Address
from bedside.events import BedState
from bedside.recording import bed_file
from bedside.recording.bed_file import BedFile
from bedside.remote_feed import RemoteFeed
from bedside.settings import BrokerSettings, Settings, StationSettings
from bedside.simulator.fleet import Fleet
from tests.bench.beds import Screen, signals
from tests.bench.process import cpu_s, resident_mb
from tests.broker.site import STATION, Site, made_site, password
from tests.mosquitto import Mosquitto

SETTLE_S = 10.0
REFRESH_S = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screens", type=int, default=50)
    parser.add_argument("--beds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.look:
        look(options.look, options.port, options.screens, options.beds)
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        place = Path(name)
        site = made_site(place / "site")
        site.users.add("fleet", "bridge")
        broker = Mosquitto(place, f"include_dir {site.included.parent}\nuser {place.owner()}\n")
        broker.start()
        stack.callback(broker.kill)
        measure(options, site, broker, place)


def measure(options: argparse.Namespace, site: Site, broker: Mosquitto, place: Path) -> None:
    names = [f"icu-{number}" for number in range(1, options.beds + 1)]
    for name in names:
        patient = BedFile(BedState.ADMITTED, uuid.uuid4().hex[:16])
        bed_file.save(place / "data" / "beds" / f"{name}.json", patient)
    config = place / "bedside.toml"
    config.write_text(
        f'[broker]\nhost = "localhost"\nport = {site.port}\nusername = "{STATION}"\n'
        f'password_file = "{site.users.clients_folder / STATION}.password"\n'
        f'ca_file = "{site.authority.certificate_file}"\n'
        f'[station]\nname = "{STATION}"\ndata_dir = "{place}/data"\n'
    )
    nodes = Fleet(names, signals(), address(site, "fleet"))
    command = [sys.executable, "-m", "bedside", "run", "--headless", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as station, ExitStack() as stack:
        stack.callback(station.send_signal, signal.SIGINT)
        screen = Screen(address(site, "nurse"), STATION, names[:4])
        screen.wait_for_station()
        with nodes as fleet:
            time.sleep(SETTLE_S)
            for screens in (0, options.screens, 0):
                looking = looking_on(options, site, place, screens) if screens else None
                time.sleep(SETTLE_S)
                screen.forget()
                began_s = time.monotonic()
                before = cpu_s(station.pid), cpu_s(broker.pid)
                while time.monotonic() < began_s + options.seconds:
                    screen.ask()
                    time.sleep(1.0)
                lasted_s = time.monotonic() - began_s
                used = cpu_s(station.pid) - before[0], cpu_s(broker.pid) - before[1]
                delays_ms = screen.delays_ms(fleet)
                seen = ""
                if looking is not None:
                    assert looking.stdin is not None
                    assert looking.stdout is not None
                    looking.stdin.close()
                    seen = looking.stdout.read().strip()
                    looking.wait(60)
                print(
                    f"{1 + screens} screens, {options.beds} beds, {lasted_s:.0f} s: station "
                    f"{100 * used[0] / lasted_s:.1f} %, broker {100 * used[1] / lasted_s:.1f} % "
                    f"of a core, {resident_mb(station.pid):.0f} MB; node → screen p50 "
                    f"{np.percentile(delays_ms, 50):.1f}, p99 {np.percentile(delays_ms, 99):.1f} "
                    f"ms ({len(delays_ms)}), load {os.getloadavg()[0]:.1f}{seen and '; ' + seen}"
                )
        screen.close()


def looking_on(
    options: argparse.Namespace, site: Site, place: Path, screens: int
) -> subprocess.Popen[str]:
    """Screens in a process of their own; they have all attached when this returns."""
    looking = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.bench.screens", "--look", str(site.folder)),
            *("--port", str(site.port), "--screens", str(screens), "--beds", str(options.beds)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert looking.stdout is not None
    assert looking.stdout.readline() == "attached\n"
    return looking


def look(folder: Path, port: int, screens: int, beds: int) -> None:
    """Attach, pull snapshots and traces until the input ends, and say what was seen."""
    settings = Settings(
        broker=BrokerSettings(
            host="localhost",
            port=port,
            username="doctor",
            password_file=folder / "clients" / "doctor.password",
            ca_file=folder / "ca.pem",
        ),
        station=StationSettings(name=STATION),
    )
    with ExitStack() as stack:
        feeds = [stack.enter_context(RemoteFeed(settings, "doctor")) for _ in range(screens)]
        watched = [f"icu-{1 + number % beds}" for number in range(screens)]
        for feed, bed in zip(feeds, watched, strict=True):
            feed.wait_for(bed)
        print("attached", flush=True)
        os.set_blocking(sys.stdin.fileno(), False)
        newest = [0] * screens
        samples = faults = 0
        while sys.stdin.buffer.raw.read(1) is None:  # type: ignore[attr-defined]
            for number, (feed, bed) in enumerate(zip(feeds, watched, strict=True)):
                faults += bool(feed.snapshot(bed).fault)
                piece = feed.wave(bed, newest[number])
                samples += len(piece.samples_mv) if newest[number] else 0
                newest[number] = piece.newest
            time.sleep(REFRESH_S)
        drawn = sum(each > 0 for each in newest)
        print(f"{drawn} of {screens} drew a trace, {samples} samples, {faults} pictures too old")


def address(site: Site, user: str) -> Address:
    return Address(
        "localhost", site.port, user, password(site, user), site.authority.certificate_file
    )


if __name__ == "__main__":
    main()

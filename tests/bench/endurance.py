"""What a screen endures, and what its station notices of it: `python -m tests.bench.endurance`.

    stalled   the loop of a station's own screen stands still for 10 s, then 50 resizes; the same
              patient is played to a station without a screen, and the alarms are compared
    stopped   a screen elsewhere is stopped (SIGSTOP) for 10 s and goes on
    a day     24 h of beats and alarms are painted as fast as they go, the screen drawing
    attach    100 screens come, ask for the trace and leave, one after the other

Memory is the resident set of the whole process. `right again` is the time until the screen has
drawn the newest sample, or, in a terminal, until no word over the trace says that it is old.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from bedside.delivery.log_transport import LogTransport
from bedside.remote_feed import RemoteFeed
from bedside.settings import BrokerSettings, Settings, StationSettings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.mosquitto import Mosquitto
from tests.tmux import Tmux

BED = "bed-1"
PATIENT = "sinus/25,asystole/8,sinus/30,vt/8,sinus/40"
STALL_S = 10.0
RESIZES = 50
DAY_S = 24 * 3600.0
ATTACHES = 100


def rss_mb() -> float:
    """The resident set of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def settings_of(port: int, folder: Path) -> Settings:
    return Settings(broker=BrokerSettings(port=port), station=StationSettings(data_dir=folder))


@contextmanager
def ward(folder: Path) -> Iterator[tuple[Station, int, VirtualNode]]:
    """A broker, a station with an admitted patient, and the patient's node, which waits."""
    folder.mkdir(parents=True, exist_ok=True)
    broker = Mosquitto(folder)
    broker.start()
    station = Station(settings_of(broker.port, folder / "data"), LogTransport())
    station.admit(BED)
    station.start()
    source = PatientSource(SyntheticPatient(), parse_episodes(PATIENT))
    try:
        yield station, broker.port, VirtualNode(source, BED, "127.0.0.1", broker.port)
    finally:
        station.stop()
        broker.kill()


def waveform_alarms(folder: Path) -> list[tuple[str, str, str, int]]:
    """The log's alarms of the heart: code, state and words, and the newest sample then."""
    with sqlite3.connect(folder / "data" / "alarms.sqlite") as log:
        rows = [json.loads(row) for (row,) in log.execute("SELECT payload FROM rows")]
    heart = ("asystole", "pause", "vt", "pvc-run", "tachy", "brady", "extreme-tachy")
    return [
        (row["code"], row["state"], row["text"], row["sample"])
        for row in rows
        if row.get("code") in heart
    ]


# ── inside the terminal ───────────────────────────────────────────────────────────────────────


def stalled(folder: Path, report: Path) -> None:
    """A station and its screen, whose loop stands still for a while after SIGUSR1."""
    from bedside.tui.app import BedsideApp
    from bedside.tui.screens.monitor import MonitorScreen

    found: dict[str, float] = {}
    with ward(folder) as (station, _, node), node:
        while BED not in station.feed().beds():
            time.sleep(0.01)
        app = BedsideApp(station.feed(), BED)
        draw = MonitorScreen.draw_frame
        wanted = threading.Event()
        signal.signal(signal.SIGUSR1, lambda *_: wanted.set())

        def frame(screen: MonitorScreen) -> None:
            if wanted.is_set():
                wanted.clear()
                found["before_mb"] = rss_mb()
                time.sleep(STALL_S)
                found["went_on_s"] = time.monotonic()
            draw(screen)
            newest = station.feed().wave(BED, 2**62).newest
            if "went_on_s" in found and "right_ms" not in found and screen.drawn_to >= newest - 50:
                found["right_ms"] = (time.monotonic() - found["went_on_s"]) * 1e3

        MonitorScreen.draw_frame = frame  # type: ignore[method-assign]

        def leave() -> None:
            node.wait_until_sent(300)
            time.sleep(2)
            found["after_mb"] = rss_mb()
            app.call_from_thread(app.exit)

        threading.Thread(target=leave, daemon=True).start()
        app.run()
        found["batches"] = station.ward.counts.batches
        found["latency_p99_ms"] = station.ward.counts.latency_ms(99)
    report.write_text(json.dumps(found))


def a_day(report: Path) -> None:
    """A painted bed that lives a day while its screen draws."""
    from bedside.events import AlarmChanged, AlarmState, Priority
    from bedside.tui.app import BedsideApp
    from tests.tui.painted_bed import PaintedBed

    bed = PaintedBed()
    bed.play(20)
    found: dict[str, object] = {}
    app = BedsideApp(bed.feed)

    def live(seconds: float) -> None:
        for number in range(round(seconds / 60)):
            bed.play(60)
            raised = bed.raise_alarm("vt", Priority.HIGH, "5 beats", f"{bed.now_us}-{number}")
            for state in (AlarmState.ACKNOWLEDGED, AlarmState.ENDED):
                changed = replace(
                    raised,
                    state=state,
                    acknowledged_us=bed.now_us,
                    ended_us=bed.now_us if state is AlarmState.ENDED else None,
                )
                bed.picture.apply(AlarmChanged(bed.now_us, changed), bed.wall_us())
            time.sleep(0.02)  # the screen draws some hundred frames in this day

    def day() -> None:
        live(3600)
        found["before_mb"] = rss_mb()
        live(DAY_S)
        found["after_mb"] = rss_mb()
        began_s = time.monotonic()
        newest = bed.feed.wave(bed.name, 2**62).newest
        while app.screen.drawn_to < newest:  # type: ignore[attr-defined]
            time.sleep(0.005)
        found["right_ms"] = (time.monotonic() - began_s) * 1e3
        found["lived_h"] = bed.now_us / 3.6e9
        app.call_from_thread(app.exit)

    threading.Thread(target=day, daemon=True).start()
    app.run()
    report.write_text(json.dumps(found))


# ── outside of it ─────────────────────────────────────────────────────────────────────────────


def in_terminal(arguments: list[str], report: Path, during: Callable[[Tmux], None]) -> dict:
    command = [sys.executable, "-m", "tests.bench.endurance", *arguments, "--report", str(report)]
    with Tmux(command, 160, 40) as terminal:
        during(terminal)
        while not report.exists() or not report.stat().st_size:
            if terminal.ended():
                sys.exit(f"it ended without a report:\n{terminal.text()}")
            time.sleep(0.2)
    return dict(json.loads(report.read_text()))


def measure_stalled(folder: Path) -> None:
    def torture(terminal: Tmux) -> None:
        terminal.wait_for("HR /min")
        time.sleep(20)
        os.kill(terminal.pid, signal.SIGUSR1)
        time.sleep(STALL_S + 3)
        for turn in range(RESIZES):
            terminal.resize(80 + turn * 37 % 160, 24 + turn * 11 % 36)
            time.sleep(0.2)

    screened, plain = folder / "screened", folder / "plain"
    found = in_terminal(["--stalled", str(screened)], folder / "stalled.json", torture)
    with ward(plain) as (_, _, node), node:
        node.wait_until_sent(300)
        time.sleep(2)
    ours, theirs = waveform_alarms(screened), waveform_alarms(plain)
    print(
        f"stalled {STALL_S:g} s, resized {RESIZES} times: {len(ours)} rows of alarms, "
        f"{'the same as' if ours == theirs else f'NOT the {len(theirs)} of'} a station without a "
        f"screen; grew {found['after_mb'] - found['before_mb']:.1f} MB, right again after "
        f"{found['right_ms']:.0f} ms; {found['batches']:.0f} batches, analysed within "
        f"{found['latency_p99_ms']:.0f} ms (p99)",
        flush=True,
    )


def measure_stopped_and_attached(folder: Path) -> None:
    with ward(folder / "attached") as (station, port, node), node:
        command = [sys.executable, "-m", "bedside", "screen", "--station", "127.0.0.1"]
        with Tmux([*command, "--port", str(port)], 160, 40) as terminal:
            terminal.wait_for("HR /min")
            time.sleep(5)
            os.kill(terminal.pid, signal.SIGSTOP)
            time.sleep(STALL_S)
            os.kill(terminal.pid, signal.SIGCONT)
            went_on_s = time.monotonic()
            time.sleep(0.15)
            terminal.wait_for(
                lambda shown: (
                    "this picture is old" not in shown
                    and "WAITING FOR" not in shown
                    and time.strftime("%H:%M:%S")[:7] in shown.splitlines()[0]
                )
            )
            right_ms = (time.monotonic() - went_on_s) * 1e3
        print(f"stopped {STALL_S:g} s elsewhere: right again after {right_ms:.0f} ms", flush=True)
        latencies = station.ward.counts.latencies_s
        before, before_mb = len(latencies.in_order()), rss_mb()
        p99_before_ms = station.ward.counts.latency_ms(99) or 0.0
        threads = threading.active_count()
        began_s = time.monotonic()
        attach = "import sys; from tests.bench.endurance import attach; attach(int(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", attach, str(port)], check=True)
        took_s = time.monotonic() - began_s
        during = [*latencies.in_order()[before:]] or [0.0]
        failures = sum(station.summary()["failures"].values())
        print(
            f"{ATTACHES} screens came and left in {took_s:.0f} s: {failures} failures, "
            f"{threading.active_count() - threads} more threads, "
            f"{rss_mb() - before_mb:.1f} MB more; batches analysed within "
            f"{np.percentile(during, 99) * 1e3:.0f} ms (p99; {p99_before_ms:.0f} ms before)",
            flush=True,
        )


def attach(port: int) -> None:
    """Come, ask for the trace, leave; a hundred times."""
    for _ in range(ATTACHES):
        with RemoteFeed(settings_of(port, Path("unused")), "passing by") as feed:
            feed.wait_for(BED)
            feed.wave(BED, 0)


def measure_a_day(folder: Path) -> None:
    found = in_terminal(["--day"], folder / "day.json", lambda terminal: None)
    print(
        f"{found['lived_h']:.1f} h simulated: grew "
        f"{found['after_mb'] - found['before_mb']:.1f} MB, right again after "
        f"{found['right_ms']:.0f} ms",
        flush=True,
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stalled", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--day", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stalled:
        stalled(options.stalled, options.report)
    elif options.day:
        a_day(options.report)
    else:
        with tempfile.TemporaryDirectory() as name:
            measure_a_day(Path(name))
            measure_stalled(Path(name))
            measure_stopped_and_attached(Path(name))


if __name__ == "__main__":
    main()

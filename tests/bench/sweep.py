"""What the screen costs: `python tests/bench/sweep.py [--seconds 60] [--sizes 100x30 160x40]`.

Each row is one program in tmux, on a pseudo-terminal of its own: the whole monitor screen (trace,
numbers, gauge, alarm, log) on a heart that beats in real time, and the peer, a PlotextPlot of
textual-plotext with plotext 5 in an environment of its own, on the same samples at the same size.
Processor time is that of the whole process; the machine's other work does not count into it, but
delays frames. `--latency` measures instead how long a sample takes from the wire to the screen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tests.tmux import Tmux

WARM_UP_S = 3.0
PEER_PACKAGES = ("textual-plotext>=1,<2", "plotext<6", "numpy")

Frames = list[tuple[float, float]]
"""The monotonic time and the process's processor time at the end of each frame."""


# ── inside the terminal ───────────────────────────────────────────────────────────────────────


def show(report: Path, seconds: float) -> None:
    """Run the screen on a beating bed and write down its frames."""
    from bedside.events import Priority
    from bedside.tui.app import BedsideApp
    from bedside.tui.screens.monitor import MonitorScreen
    from tests.tui.painted_bed import PIECE_S, PaintedBed

    bed = PaintedBed()
    bed.play(20)
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    stop = threading.Event()

    def beat() -> None:
        due_s = time.monotonic()
        while not stop.wait(max(0.0, due_s - time.monotonic())):
            bed.play(PIECE_S)
            due_s += PIECE_S

    frames: Frames = []
    draw = MonitorScreen.draw_frame

    def counted(screen: MonitorScreen) -> None:
        draw(screen)
        frames.append((time.monotonic(), time.process_time()))

    MonitorScreen.draw_frame = counted  # type: ignore[method-assign]
    threading.Thread(target=beat, daemon=True).start()
    BedsideApp(bed.feed, stop_after_s=seconds).run()
    stop.set()
    report.write_text(json.dumps(frames))


def watch(report: Path, seconds: float, port: int) -> None:
    """Run a whole station with its screen, and write down up to where each frame has drawn."""
    from bedside.delivery.log_transport import LogTransport
    from bedside.settings import BrokerSettings, Settings, StationSettings
    from bedside.station import Station
    from bedside.tui.app import BedsideApp
    from bedside.tui.screens.monitor import MonitorScreen

    drawn: list[tuple[float, int]] = []
    draw = MonitorScreen.draw_frame

    def counted(screen: MonitorScreen) -> None:
        draw(screen)
        drawn.append((time.monotonic(), screen.drawn_to))

    MonitorScreen.draw_frame = counted  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            broker=BrokerSettings(port=port), station=StationSettings(data_dir=Path(folder))
        )
        station = Station(settings, LogTransport())
        station.start()
        BedsideApp(station.feed(), stop_after_s=seconds).run()
        station.stop()
    report.write_text(json.dumps(drawn))


# ── outside of it ─────────────────────────────────────────────────────────────────────────────


def run(command: list[str], size: tuple[int, int], report: Path) -> tuple[Frames, list[float]]:
    """Run a program until its report is there: its frames, and the bytes it had written by when."""
    written: list[tuple[float, float]] = []
    with Tmux(command, *size) as terminal:
        while not report.exists() or not report.stat().st_size:
            if terminal.ended():
                sys.exit(f"it ended without a report:\n{terminal.text()}")
            written.append((time.monotonic(), float(terminal.bytes_written)))
            time.sleep(0.2)
    frames = [(float(at_s), float(cpu_s)) for at_s, cpu_s in json.loads(report.read_text())]
    times, counts = zip(*written, strict=True)
    return frames, list(np.interp([at_s for at_s, _ in frames], times, counts))


def row(what: str, frames: Frames, written: list[float]) -> tuple[str, float]:
    """A row of the table, and the processor time of a frame in ms."""
    start_s = frames[0][0] + WARM_UP_S
    first = next(index for index, (at_s, _) in enumerate(frames) if at_s >= start_s)
    counted, count = frames[first:], len(frames) - first - 1
    wall_s = counted[-1][0] - counted[0][0]
    cpu_s = counted[-1][1] - counted[0][1]
    gaps_ms = [(later[0] - earlier[0]) * 1e3 for earlier, later in pairwise(counted)]
    late = sum(gap_ms > 100 for gap_ms in gaps_ms)
    text = (
        f"{what:<26} {cpu_s / count * 1e3:8.2f} {cpu_s / wall_s * 100:7.1f} "
        f"{(written[-1] - written[first]) / count:10.0f} {count / wall_s:9.1f} "
        f"{np.percentile(gaps_ms, 99):9.0f} {max(gaps_ms):9.0f} {late:6d}"
    )
    return text, cpu_s / count * 1e3


def peer_python(given: Path | None, folder: Path) -> Path:
    """The interpreter of the peer's environment, made here unless one is given."""
    if given is not None:
        return given
    subprocess.run([sys.executable, "-m", "venv", folder / "peer"], check=True)
    python = folder / "peer" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER_PACKAGES], check=True)
    return python


def table(sizes: list[str], seconds: float, peer: Path | None) -> None:
    """Ours and the peer's, side by side."""
    from tests.tui.painted_bed import heartbeat

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = peer_python(peer, folder)
        ecg = np.concatenate([heartbeat(ventricular=beat % 7 == 6) for beat in range(84)])
        np.save(folder / "ecg.npy", ecg)
        print(
            f"{'':<26} {'CPU, ms':>8} {'% of a':>7} {'bytes':>10} {'frames':>9} "
            f"{'gap, ms':>9} {'gap, ms':>9} {'gaps >':>6}\n"
            f"{'':<26} {'a frame':>8} {'core':>7} {'a frame':>10} {'a second':>9} "
            f"{'p99':>9} {'longest':>9} {'100 ms':>6}"
        )
        for size in sizes:
            columns, rows = (int(number) for number in size.split("x"))
            whole_s = seconds + WARM_UP_S
            ours_report, peers_report = folder / f"ours-{size}", folder / f"peer-{size}"
            ours = [sys.executable, __file__, "--show", str(ours_report)]
            ours += ["--seconds", str(whole_s)]
            text, ours_ms = row(f"{size} bedside", *run(ours, (columns, rows), ours_report))
            print(text, flush=True)
            script = str(Path(__file__).with_name("plotext_peer.py"))
            theirs = [str(python), script, str(peers_report), str(folder / "ecg.npy")]
            theirs += [str(whole_s)]
            text, theirs_ms = row(
                f"{size} PlotextPlot", *run(theirs, (columns, rows), peers_report)
            )
            print(text)
            print(
                f"{size} the plotext widget needs {theirs_ms / ours_ms:.0f} times as much a frame"
            )


def latency(size: str, seconds: float) -> None:
    """From a batch's publication by its node to the frame in which its last sample is drawn."""
    from bedside.node import wire
    from bedside.node.link import Link
    from bedside.simulator.patient import SyntheticPatient
    from bedside.simulator.source import PatientSource, parse_episodes
    from bedside.simulator.virtual_node import VirtualNode
    from tests.mosquitto import Mosquitto

    columns, rows = (int(number) for number in size.split("x"))
    sent: dict[int, float] = {}
    publish = Link.send

    def stamped(link: Link, topic: str, payload: bytes, *rest: object) -> int | None:
        if topic.endswith("/ecg"):
            batch = wire.decode_batch(payload, "node", 0)
            sent.setdefault(batch.end_sample, time.monotonic())
        return publish(link, topic, payload, *rest)  # type: ignore[arg-type]

    Link.send = stamped  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as name:
        broker = Mosquitto(Path(name))
        broker.start()
        report = Path(name) / "drawn"
        command = [sys.executable, __file__, "--watch", str(report), "--port", str(broker.port)]
        command += ["--seconds", str(seconds + WARM_UP_S)]
        source = PatientSource(SyntheticPatient(), parse_episodes(f"sinus/{seconds + 30:.0f}"))
        with Tmux(command, columns, rows) as terminal:
            terminal.wait_for("No node has spoken yet")
            with VirtualNode(source, "bed-1", "127.0.0.1", broker.port):
                while not report.exists() or not report.stat().st_size:
                    time.sleep(0.2)
        broker.kill()
        drawn = json.loads(report.read_text())
    begin_s = drawn[0][0] + WARM_UP_S
    late_ms = []
    for end_sample, at_s in sent.items():
        frame_s = next((frame_s for frame_s, to in drawn if to >= end_sample), None)
        if at_s > begin_s and frame_s is not None:
            late_ms.append((frame_s - at_s) * 1e3)
    p50, p95, p99 = np.percentile(late_ms, [50, 95, 99])
    print(
        f"{size}: {len(late_ms)} batches from the node's publication to the frame with their last "
        f"sample: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, most {max(late_ms):.0f} ms"
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--sizes", nargs="+", default=["80x24", "100x30", "160x40"])
    parser.add_argument("--peer-python", type=Path, help="an environment with textual-plotext")
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--show", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.show:
        show(options.show, options.seconds)
    elif options.watch:
        watch(options.watch, options.seconds, options.port)
    elif options.latency:
        latency(options.sizes[-1], options.seconds)
    else:
        table(options.sizes, options.seconds, options.peer_python)


if __name__ == "__main__":
    main()

"""What the screen costs: `python tests/bench/sweep.py [--seconds 10] [--sizes 100x30 160x40]`.

Runs the monitor screen in a real pseudo-terminal on a heart that beats in real time, and reads
what it writes. Prints per size the processor time a frame and as a share of one core, the bytes a
frame, and the frames drawn a second. Both counts are of the whole process: trace, numbers, alarm.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

WARM_UP_S = 2.0


def child(report: Path, glyphs: str) -> None:
    """Run the screen on a beating bed until the pipe's other end types `q`, `q`."""
    from bedside.events import Priority
    from bedside.tui.app import BedsideApp
    from bedside.tui.screens.monitor import MonitorScreen
    from tests.tui.painted_bed import PIECE_S, PaintedBed

    bed = PaintedBed()
    bed.play(20)
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(PIECE_S):
            bed.play(PIECE_S)

    frames: list[tuple[float, float]] = []
    draw = MonitorScreen.draw_frame

    def counted(screen: MonitorScreen) -> None:
        draw(screen)
        frames.append((time.monotonic(), time.process_time()))

    MonitorScreen.draw_frame = counted  # type: ignore[method-assign]
    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    BedsideApp(bed.feed, glyphs=glyphs).run()
    stop.set()
    report.write_text(json.dumps(frames))


def measure(columns: int, rows: int, seconds: float, glyphs: str) -> str:
    """One row of the table."""
    report = Path(f"/tmp/bedside-sweep-{os.getpid()}.json")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    command = [sys.executable, __file__, "--child", str(report), "--glyphs", glyphs]
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    arrivals: list[tuple[float, int]] = []
    asked = False
    end = time.monotonic() + 3.0 + WARM_UP_S + seconds
    while process.poll() is None:
        if select.select([master], [], [], 0.1)[0]:
            try:
                arrivals.append((time.monotonic(), len(os.read(master, 1 << 16))))
            except OSError:
                break
        if time.monotonic() > end and not asked:
            asked = True
            os.write(master, b"q")
            time.sleep(0.5)
            os.write(master, b"q")
    process.wait()
    frames = [tuple(frame) for frame in json.loads(report.read_text())]
    report.unlink()
    start = frames[0][0] + WARM_UP_S
    counted = [frame for frame in frames if start <= frame[0] <= start + seconds]
    wall_s = counted[-1][0] - counted[0][0]
    cpu_s = counted[-1][1] - counted[0][1]
    sent = sum(size for at, size in arrivals if counted[0][0] <= at <= counted[-1][0])
    latest_ms = max(b[0] - a[0] for a, b in pairwise(counted)) * 1e3
    count = len(counted) - 1
    return (
        f"{f'{columns} x {rows}':>10} {cpu_s / count * 1e3:12.2f} {cpu_s / wall_s * 100:7.1f} "
        f"{sent / count:14.0f} {count / wall_s:9.1f} {latest_ms:16.0f}"
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--sizes", nargs="+", default=["80x24", "100x30", "160x40"])
    parser.add_argument("--glyphs", default="braille")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.glyphs)
        return
    print(
        f"{'size':>10} {'ms/frame CPU':>12} {'% core':>7} {'bytes/frame':>14} {'frames/s':>9} "
        f"{'longest gap, ms':>16}"
    )
    for size in options.sizes:
        columns, rows = (int(number) for number in size.split("x"))
        print(measure(columns, rows, options.seconds, options.glyphs), flush=True)


if __name__ == "__main__":
    main()

"""What one bed costs the alarm engine per batch: `python tests/bench/engine.py`.

The alarms of one bed hear what a batch of 0.2 s brings (signal usable, lead-off no, node not
silent, one beat's finding now and then), and time goes on. CPU is what the process itself used,
which other programs on the machine do not change.
"""

from __future__ import annotations

import platform
import statistics
import time

from bedside.alarms.bed_alarms import BedAlarms
from bedside.alarms.engine import EngineState
from bedside.events import Observation
from bedside.limits import Limits

BATCHES = 20_000
BATCH_US = 200_000


def run(present: tuple[str, ...]) -> list[float]:
    """Microseconds of each batch, with these conditions present."""
    alarms = BedAlarms(EngineState("bench-"), Limits(), armed=True)
    for code in present:
        alarms.observe(Observation(code, True, 0), 0)
    times_us = []
    for number in range(BATCHES):
        at_us = (number + 1) * BATCH_US
        started_ns = time.perf_counter_ns()
        alarms.suspend("", at_us)
        alarms.observe(Observation("lead-off", False, at_us), at_us)
        alarms.observe(Observation("node-silent", False, at_us), at_us)
        alarms.observe(Observation("clock-unsynced", False, at_us), at_us)
        if number % 5 == 0:
            alarms.second(False, at_us - 1_000_000, at_us)
            alarms.observe(Observation("abnormal-beats", False, at_us), at_us)
        alarms.advance(at_us)
        times_us.append((time.perf_counter_ns() - started_ns) / 1000)
    return times_us


def main() -> None:
    """Print median and 99th percentile for a quiet bed and for one with four alarms."""
    print(f"{platform.machine()}, Python {platform.python_version()}, {BATCHES} batches")
    for name, present in (("no alarm", ()), ("4 alarms", ("vt", "tachy", "pvc-run", "irregular"))):
        cpu_ns = time.process_time_ns()
        times_us = sorted(run(present))
        cpu_us = (time.process_time_ns() - cpu_ns) / 1000 / BATCHES
        print(
            f"{name:<10} median {statistics.median(times_us):6.1f} µs   "
            f"p99 {times_us[round(0.99 * len(times_us))]:6.1f} µs   "
            f"CPU, mean {cpu_us:6.1f} µs"
        )


if __name__ == "__main__":
    main()

"""The whole monitor of one bed without the network: `python -m tests.bench.monitor [RECORD]`.

Decoded batches of 50 samples at 250 Hz go in, events come out: filter, R peaks, quality, classes,
rhythm and alarms, with the ticks that a live bed gets. The peer is wfdb's detector XQRS alone,
offline over the same samples in the same run. CPU is what the process itself used, which other
programs on the machine do not change. RECORD is a WFDB record without extension; the bundled one
otherwise.
"""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from wfdb.processing import XQRS

from bedside.analysis import batches
from bedside.anomaly.scoring import ModelFacts
from bedside.ecg.resampling import Resampler
from bedside.events import WINDOW_RATE_HZ, Batch, BedState, Float64Array, Tick
from bedside.monitor import Monitor
from bedside.recording.record_reader import Record, read_record
from bedside.simulator.source import BUNDLED_RECORD
from tests.bench.results import keep

SECONDS = 1200.0
BATCH_S = 0.2
TICK_US = 500_000


def main() -> None:
    """Print the time of a batch, and how many times faster than the patient both are."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLED_RECORD
    record = at_250_hz(read_record(path, 0))
    seconds = len(record.samples_mv) / WINDOW_RATE_HZ
    took_us, cpu_s = monitored(list(batches(record)))
    began_s = time.process_time()
    XQRS(record.samples_mv, WINDOW_RATE_HZ).detect(verbose=False)
    peer_s = time.process_time() - began_s
    print(
        f"{platform.machine()}, Python {platform.python_version()}, {seconds:.0f} s of {path.name}"
    )
    median_us, late_us = np.percentile(took_us, (50, 99))
    print(
        f"whole monitor  {seconds / cpu_s:5.0f} × real time   a batch: median {median_us:.0f} µs, "
        f"mean {cpu_s / len(took_us) * 1e6:.0f} µs, p99 {late_us:.0f} µs"
    )
    ratio = peer_s / cpu_s
    keep("monitor", times_real_time=round(seconds / cpu_s))
    print(f"XQRS alone     {seconds / peer_s:5.0f} × real time   offline; {ratio:.1f} × the CPU")


def at_250_hz(record: Record) -> Record:
    """The first minutes of a record as a node would have sampled them."""
    samples_mv = np.nan_to_num(record.samples_mv[: round(SECONDS * record.rate_hz)])
    if record.rate_hz != WINDOW_RATE_HZ:
        samples_mv = Resampler(record.rate_hz).process(samples_mv)
    return replace(record, rate_hz=WINDOW_RATE_HZ, samples_mv=samples_mv)


def monitored(live: list[Batch]) -> tuple[Float64Array, float]:
    """Microseconds of each batch with the ticks before it, and the CPU seconds of all."""
    monitor = Monitor("bench", ModelFacts("none", 1.0), state=BedState.ADMITTED, session="bench")
    took_ns = []
    next_tick_us = TICK_US
    began_cpu_s = time.process_time()
    for batch in live:
        began_ns = time.perf_counter_ns()
        while next_tick_us < batch.at_us:
            monitor.step(Tick(next_tick_us))
            next_tick_us += TICK_US
        monitor.step(batch)
        took_ns.append(time.perf_counter_ns() - began_ns)
    return np.array(took_ns) / 1000, time.process_time() - began_cpu_s


if __name__ == "__main__":
    main()

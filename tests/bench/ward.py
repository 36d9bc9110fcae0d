"""CPU time of a ward without broker and disk: `python -m tests.bench.ward [--beds 12]`.

Batches as nodes send them are decoded, analysed by a `Ward` with every bed admitted, their beats
scored for all beds together, and what follows is encoded for screens and for a headless station's
output, in one thread. CPU time can be compared on a machine that others use, too; what is missing
here, the network's code and the disk, `tests.bench.beds` has.
"""

from __future__ import annotations

import argparse
import io
import os
import time

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.scoring import ModelFacts
from bedside.events import BedState, ScoreRequest, Scores
from bedside.headless import Printer
from bedside.monitor import Monitor
from bedside.node import wire
from bedside.ports import Ports
from bedside.recording.bed_file import BedFile
from bedside.settings import Settings
from bedside.simulator.fleet import Stretch
from bedside.simulator.uplink import Uplink
from bedside.ward import Ward
from tests.bench.beds import signals

BATCHES_PER_S = 5
SCORED_EVERY = 10
"""Beats scored together: what 200 beds bring in 50 ms."""

WALL_US = 1_760_000_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=60, help="of signal")
    options = parser.parse_args()
    names = [f"icu-{number}" for number in range(options.beds)]
    stretches = signals()
    payloads = [sent(name, number, options.seconds, stretches) for number, name in enumerate(names)]
    model, asked, now_us = Autoencoder.load(), list[tuple[str, ScoreRequest]](), [0]
    printer = Printer(io.StringIO())
    ward = Ward(
        Settings(),
        ModelFacts(model.version, model.population_threshold),
        Ports(
            score=lambda bed, request: asked.append((bed, request)) is None,
            record=lambda item: True,
            log=lambda entry: True,
            written=lambda: True,
            keep=lambda bed, content: True,
            alert=lambda alert: True,
            follow=lambda bed, instance: True,
            patient_left=lambda bed: True,
            publish=lambda topic, payload, qos, retain: True,
            show=printer.event,
            now_us=lambda: now_us[0],
            wall_us=lambda: WALL_US + now_us[0],
        ),
    )
    for name in names:
        ward.open_bed(name, BedFile(BedState.ADMITTED, f"session-{name}"))
    spent_s = dict.fromkeys(("decoding", "beds", "of it monitors", "time", "scores"), 0.0)
    step = Monitor.step

    def timed(self: Monitor, happened: object) -> list[object]:
        began_s = time.thread_time()
        events = step(self, happened)  # type: ignore[arg-type]
        spent_s["of it monitors"] += time.thread_time() - began_s
        return events  # type: ignore[return-value]

    Monitor.step = timed  # type: ignore[assignment, method-assign]

    def spend(what: str, began_s: float) -> float:
        now_s = time.thread_time()
        spent_s[what] += now_s - began_s
        return now_s

    for turn in range(options.seconds * BATCHES_PER_S):
        at_s = time.thread_time()
        for number, name in enumerate(names):
            now_us[0] = turn * 200_000 + number * 1000
            batch = wire.decode_batch(payloads[number][turn], name, now_us[0])
            at_s = spend("decoding", at_s)
            ward.heard(batch)
            at_s = spend("beds", at_s)
            if len(asked) >= SCORED_EVERY:
                found = model.score_all([(each.beats, each.baseline) for _, each in asked])
                at_s = spend("scores", at_s)
                for (bed, request), scores in zip(asked, found, strict=True):
                    ward.take(bed, Scores(now_us[0], tuple(scores), request.purpose))
                asked.clear()
                at_s = spend("beds", at_s)
        if turn % BATCHES_PER_S in (2, 4):
            ward.tick(now_us[0])
            at_s = spend("time", at_s)
    bed_seconds = options.beds * options.seconds
    whole_ms = 1000 * sum(spent_s[what] for what in ("decoding", "beds", "time", "scores"))
    print(
        f"{options.beds} beds, {options.seconds} s, {ward.counts.beats} beats: "
        f"{whole_ms / bed_seconds:.2f} CPU ms a second and bed ("
        + ", ".join(f"{what} {1000 * s / bed_seconds:.2f}" for what, s in spent_s.items())
        + f"), load {os.getloadavg()[0]:.1f}"
    )


def sent(name: str, number: int, seconds: int, stretches: list[Stretch]) -> list[bytes]:
    """The payloads of a node's first `seconds`."""
    stretch = stretches[number % len(stretches)]
    uplink = Uplink(name, number + 1, stretch.rate_mhz, stretch.nv_per_lsb, store_batches=3000)
    payloads = []
    for each in stretch.cuts[: seconds * BATCHES_PER_S]:
        uplink.keep(each, WALL_US, 0.0)
        payloads += [one.payload for one in uplink.outgoing(0.0)]
    return payloads


if __name__ == "__main__":
    main()

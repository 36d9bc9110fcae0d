"""Hours under random faults: `python -m tests.soak --hours 24 [--beds 4] [--seed 1]`.

A station, a broker, the air and some nodes, all real, at real speed. Every minute or so something
happens, in the order of the seed; an operator acknowledges what alarmed. At the end the verdict:
samples and alarms lost, and by how much the station grew while it lived. Exit code 0 when nothing
was lost and growth stays below 10 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bedside.errors import BedsideError
from bedside.station_client import StationClient
from tests.faults.scene import Cost, Scene

MOST_GROWTH_MB = 10.0
WARM_S = 300.0
"""What a station has filled by then (rings, caches) is not growth."""


@dataclass
class Soak:
    """One run; `faults` counts what was done."""

    scene: Scene
    chance: random.Random
    faults: Counter[str] = field(default_factory=Counter)
    growth_mb: float = 0.0
    _began_s: float = 0.0
    _warm_mb: float = 0.0

    def run(self, hours: float) -> Cost:
        """Faults for so long, then what they cost."""
        deeds: list[tuple[str, Callable[[], None], int]] = [
            ("Wi-Fi gone", self._no_wifi, 4),
            ("node reset", self._node_reset, 2),
            ("broker killed", self._broker_killed, 2),
            ("broker frozen", self._broker_frozen, 2),
            ("clock moved", self._clock_moved, 1),
            ("station killed", self._station_killed, 1),
            ("station stopped", self._station_stopped, 1),
            ("nothing", lambda: None, 4),
        ]
        until_s = time.monotonic() + hours * 3600
        self._station_began()
        while time.monotonic() < until_s:
            self._pass(self.chance.uniform(20, 60))
            self._acknowledge()
            [(name, deed, _)] = self.chance.choices(deeds, [weight for _, _, weight in deeds])
            deed()
            self.faults[name] += 1
        self._look()
        return self.scene.finish()

    def _pass(self, seconds: float) -> None:
        threading.Event().wait(seconds)
        self._look()

    def _station_began(self) -> None:
        self._began_s, self._warm_mb = time.monotonic(), 0.0

    def _look(self) -> None:
        """How much the station has grown since it was warm."""
        resident_mb = self.scene.station.resident_mb()
        if not self._warm_mb and time.monotonic() - self._began_s > WARM_S:
            self._warm_mb = resident_mb
        if self._warm_mb:
            self.growth_mb = max(self.growth_mb, resident_mb - self._warm_mb)

    def _acknowledge(self) -> None:
        with (
            contextlib.suppress(BedsideError),
            StationClient(self.scene.settings(), "nurse") as operator,
        ):
            for bed, state in operator.beds().items():
                for alarm in state["alarms"]:
                    operator.act(bed, "acknowledge", {"instance": alarm["id"]})

    # ── what happens ──────────────────────────────────────────────────────────────────────────

    def _no_wifi(self) -> None:
        self.scene.wifi.gone()
        self._pass(self.chance.uniform(2, 90))
        self.scene.wifi.back()

    def _node_reset(self) -> None:
        node = self.chance.choice(self.scene.nodes)
        node.reboot()
        self.scene.wifi.cut()

    def _broker_killed(self) -> None:
        self.scene.broker.kill()
        self._pass(self.chance.uniform(0, 30))
        self.scene.broker.start()

    def _broker_frozen(self) -> None:
        self.scene.broker.freeze()
        self._pass(self.chance.uniform(0, 30))
        self.scene.broker.thaw()

    def _clock_moved(self) -> None:
        self.scene.station.tell(clock_s=self.chance.choice((3600, -3600)))

    def _station_killed(self) -> None:
        self.scene.kill_station()
        self.scene.restart_station()
        self._station_began()

    def _station_stopped(self) -> None:
        self.scene.stop_station()
        self.scene.restart_station()
        self._station_began()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--beds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    beds = tuple(f"bed-{number}" for number in range(1, options.beds + 1))
    with (
        tempfile.TemporaryDirectory() as folder,
        Scene(Path(folder), beds=beds, seed=options.seed) as scene,
    ):
        soak = Soak(scene, random.Random(options.seed))
        cost = soak.run(options.hours)
    done = ", ".join(f"{name} {times}" for name, times in sorted(soak.faults.items()))
    good = not cost.samples_lost and not cost.alarms_lost and soak.growth_mb < MOST_GROWTH_MB
    print(
        f"{'PASSED' if good else 'FAILED'}: {options.hours:g} h, {options.beds} beds, seed "
        f"{options.seed}; {done}\n{cost.samples} samples, {cost.samples_lost} lost, "
        f"{cost.reset_samples} with the stores of nodes that were reset\n{cost.arrests} arrests, "
        f"{cost.arrests_late} found late, {cost.arrests_missed} missed, {cost.alarms_unlogged} "
        f"alarms not logged, {cost.alerts_kept} alerts not sent\nthe station grew by "
        f"{soak.growth_mb:.1f} MB"
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

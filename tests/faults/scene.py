"""A bed under fire, with real processes: a broker, the air, a node, a station; and what it cost.

The node's signal is known sample by sample and arrest by arrest. After a fault the recording is
compared with it, and every arrest must have alarmed, or been found in late samples; what alarmed
must stand in the alarm log, and its alert must have left.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np

from bedside.alarms.log import AlarmLog
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.errors import BedsideError
from bedside.recording.archive import Archive
from bedside.settings import (
    AlertSettings,
    BrokerSettings,
    RecordingSettings,
    Settings,
    StationSettings,
)
from tests.faults.known_signal import RATE_HZ, KnownNode, KnownSource
from tests.faults.station_process import Said, StationProcess
from tests.faults.wifi import Wifi
from tests.mosquitto import Mosquitto

_log = logging.getLogger(__name__)

BED = "bed-1"
PATIENCE_S = 300.0
LATE_S = 3.0
"""An arrest's alarm may come as long after its end; the latest is 5 s after its onset."""


@dataclass(frozen=True)
class Cost:
    """What a fault cost a bed.

    `samples_lost` were acknowledged to the node, or lay in its store until the end, and are not in
    the recording; `reset_samples` were in a store that a reset emptied. `arrests_missed` neither
    alarmed nor were found late; `alarms_unlogged` were shown and are in no log; `alerts_kept` never
    left.
    """

    samples: int = 0
    samples_lost: int = 0
    reset_samples: int = 0
    arrests: int = 0
    arrests_late: int = 0
    arrests_missed: int = 0
    alarms_unlogged: int = 0
    alerts_kept: int = 0

    @property
    def alarms_lost(self) -> int:
        return self.arrests_missed + self.alarms_unlogged + self.alerts_kept

    def __add__(self, other: Cost) -> Cost:
        names = self.__dataclass_fields__
        return Cost(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass
class Scene:
    """Runs for as long as a `with` block lasts. `speed` is that of node and station.

    `data_dir` may lie on a disk of its own.
    """

    folder: Path
    speed: float = 1.0
    data_dir: Path | None = None
    beds: tuple[str, ...] = (BED,)
    seed: int = 0
    low_space_mb: int = 10
    cloud: IotEndpoint | None = None
    said_before: list[Said] = field(default_factory=list)

    def __enter__(self) -> Scene:
        if self.data_dir is None:
            self.data_dir = self.folder / "data"
        self.memory = self.folder / "memory"
        self.memory.mkdir()
        self.broker = Mosquitto(self.folder)
        self.broker.start()
        self.wifi = Wifi(self.broker.port)
        self.nodes = [
            KnownNode(KnownSource(self.seed + number), bed, self.wifi.port, self.speed)
            for number, bed in enumerate(self.beds)
        ]
        self.station = self._start_station(self.beds)
        for node in self.nodes:
            node.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wifi.back()
        for node in self.nodes:
            node.stop()
        if self.station is not None:
            self.station.kill()
        self.wifi.close()
        self.broker.kill()

    def settings(self, name: str = "bedside") -> Settings:
        """Of its station, or of another one by this name on the same broker."""
        assert self.data_dir is not None
        folder = self.data_dir if name == "bedside" else self.data_dir.with_name(name)
        return Settings(
            broker=BrokerSettings(port=self.broker.port),
            station=StationSettings(name=name, data_dir=folder),
            recording=RecordingSettings(low_space_mb=self.low_space_mb),
            alerts=AlertSettings(
                most_per_minute=100,
                transports=("log",) if self.cloud is None else ("iot-core",),
            ),
        )

    def _start_station(self, admit: tuple[str, ...] = ()) -> StationProcess:
        station = StationProcess(
            self.settings(),
            speed=self.speed,
            admit=admit,
            cloud=self.cloud,
            memory=self.memory,
            log=self.folder / "station.log",
        )
        station.wait_until_up()
        return station

    # ── what happens ──────────────────────────────────────────────────────────────────────────

    def pass_s(self, seconds: float) -> None:
        """So much of the signal goes by."""
        threading.Event().wait(seconds / self.speed)

    def wait_for(self, code: str, state: str = "active", since: int = 0) -> Said:
        """The station says that an alarm changed."""
        found = self.station.wait_for(
            lambda said: (said.what, said.code, said.state) == ("alarm", code, state), since
        )
        assert found is not None, f"no {code} became {state}"
        return found

    def kill_station(self) -> None:
        self.station.kill()
        self.said_before += self.station.said

    def stop_station(self) -> None:
        self.station.stop()
        self.said_before += self.station.said

    def restart_station(self) -> None:
        self.station = self._start_station()

    @property
    def said(self) -> list[Said]:
        """All that was said by all of its processes."""
        return [*self.said_before, *self.station.said]

    # ── what it cost ──────────────────────────────────────────────────────────────────────────

    def finish(self, damaged: Callable[[int], bool] = lambda sample: False) -> Cost:
        """End the signal, wait until all of it is acknowledged and told, stop, and count.

        `damaged` says which samples of the signal the fault itself destroyed.
        """
        self.wait_for("asystole", since=len(self.station.said))
        for node in self.nodes:
            node.signal.end()
        for node in self.nodes:
            assert node.wait_until_sent(PATIENCE_S), f"{node.backlog_batches} batches were left"
        self._wait(lambda: not self._kept())
        self.stop_station()
        return sum((self._cost(node, damaged) for node in self.nodes), Cost())

    def _wait(self, condition: Callable[[], bool]) -> None:
        give_up_s = time.monotonic() + PATIENCE_S / 4
        while not condition() and time.monotonic() < give_up_s:
            threading.Event().wait(0.2)

    def _cost(self, node: KnownNode, damaged: Callable[[int], bool]) -> Cost:
        signal = node.signal.samples()
        missing = ~self._recorded(node, signal)
        reset = np.zeros(len(signal), bool)
        for first, end in node.held_at_reset:
            reset[first:end] = True
        lost = np.flatnonzero(missing & ~reset)
        for part in np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1) if len(lost) else ():
            _log.warning("%s lost samples %d to %d of its signal", node.name, part[0], part[-1])
        # Of an arrest that a reset took from the store, nobody can know any more.
        arrests = [
            (first, end)
            for first, end in node.signal.arrests()
            if not (missing & reset)[first:end].any()
        ]
        late, missed = self._found(node, arrests)
        raised = {
            said.instance_id
            for said in self.said
            if said.bed == node.name and said.state == "active"
        }
        return Cost(
            samples=len(signal),
            samples_lost=sum(not damaged(int(sample)) for sample in lost),
            reset_samples=int((missing & reset).sum()),
            arrests=len(arrests),
            arrests_late=late,
            arrests_missed=missed,
            alarms_unlogged=len(raised - self._logged()),
            alerts_kept=len(self._kept(node.name)),
        )

    def _recorded(self, node: KnownNode, signal: np.ndarray) -> np.ndarray:
        """Which samples are in the recording as they were taken."""
        assert self.data_dir is not None
        right = np.zeros(len(signal), bool)
        ends = [boot.first_sample for boot in node.boots[1:]] + [len(signal)]
        for stretch in Archive(self.data_dir).read(node.name, 0, 2**62):
            for boot, end in zip(node.boots, ends, strict=True):
                if boot.boot_id != stretch.span.boot_id:
                    continue
                begin = boot.first_sample + stretch.first_sample
                part = signal[begin : min(end, begin + len(stretch.samples_mv))]
                got_mv = stretch.samples_mv[: len(part)]
                same = np.abs(got_mv - part * (stretch.span.nv_per_lsb * 1e-6)) < 1e-9
                right[begin : begin + len(part)] |= same
        return right

    def _found(self, node: KnownNode, arrests: list[tuple[int, int]]) -> tuple[int, int]:
        """How many arrests were found in late samples only, and how many not at all."""
        firsts = {boot.boot_id: boot.first_sample for boot in node.boots}
        live, late, known = [], [], set[str]()
        for said in self.said:
            if said.bed != node.name or said.code != "asystole":
                continue
            if said.what == "found late":
                late.append((said.found_wall_s - node.began_wall_s) * RATE_HZ)
            # A station that starts again repeats what was left.
            elif said.instance_id not in known and said.sample is not None:
                known.add(said.instance_id)
                live.append(firsts.get(said.boot_id or 0, 0) + said.sample)
        slack = LATE_S * RATE_HZ
        alarmed = [any(a < at <= b + slack for at in live) for a, b in arrests]
        looked = [any(a - slack < at <= b for at in late) for a, b in arrests]
        pairs = list(zip(alarmed, looked, strict=True))
        for (first, end), pair in zip(arrests, pairs, strict=True):
            if not any(pair):
                _log.warning("%s: the arrest from %d to %d is missed", node.name, first, end)
        return (
            sum(not now and then for now, then in pairs),
            sum(not now and not then for now, then in pairs),
        )

    def _logged(self) -> set[str]:
        """Ids of the alarms that are in the log."""
        return {row["id"] for kind, row in self._rows() if kind == "alarm"}

    def _kept(self, bed: str = "") -> set[str]:
        """Ids of the high alarms of which no alert left.

        That it left stands in the outbox first, then in the log; a kill may come between.
        """
        left = {
            row["instance"]
            for kind, row in self._rows()
            if kind == "delivery" and row["state"] == "accepted"
        }
        if not self.station.is_running():
            left |= self._left_by_the_outbox()
        high = {
            said.instance_id
            for said in self.said
            if (said.what, said.state, said.priority) == ("alarm", "active", "high")
            and said.bed
            and (not bed or said.bed == bed)
        }
        return high - left

    def _left_by_the_outbox(self) -> set[object]:
        """Instances whose alert, or the summary that it was in, was accepted, by a file at rest."""
        assert self.data_dir is not None
        path = self.data_dir / "outbox.sqlite"
        with closing(sqlite3.connect(path)) as outbox:
            rows = outbox.execute(
                "SELECT alert_id, alert, state, within FROM deliveries"
            ).fetchall()
        gone = {alert_id for alert_id, _, state, _ in rows if state in ("accepted", "acknowledged")}
        return {
            json.loads(alert)["instance_id"]
            for alert_id, alert, _, within in rows
            if alert_id in gone or within in gone
        }

    def _rows(self) -> list[tuple[str, dict[str, object]]]:
        assert self.data_dir is not None
        try:
            with closing(AlarmLog(self.data_dir / "alarms.sqlite")) as log:
                return [(row.kind, dict(row.payload)) for row in log.all_rows()]
        except BedsideError:
            return []

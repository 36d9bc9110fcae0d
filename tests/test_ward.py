"""Many beds of one station: what happens to all of them at once, and to one alone."""

from __future__ import annotations

import numpy as np
import pytest

from bedside.anomaly.scoring import ModelFacts
from bedside.events import AlarmChanged, BedState, Event, Flags, FoundLate, Health
from bedside.monitor import Monitor
from bedside.ports import LogEntry, Ports
from bedside.recording.bed_file import BedFile
from bedside.recording.record_reader import read_record
from bedside.settings import Settings
from bedside.ward import Ward
from tests.records import BUNDLED, batches

BEDS = [f"icu-{number}" for number in range(1, 41)]


class Outside:
    """Everything that leaves a ward, in its order."""

    def __init__(self) -> None:
        self.now_us = 0
        self.shown: list[tuple[str, Event]] = []
        self.logged: list[LogEntry] = []
        self.waits_for_the_disk = 0
        self.ports = Ports(
            score=lambda bed, request: True,
            record=lambda item: True,
            log=lambda entry: self.logged.append(entry) is None,
            written=self._written,
            keep=lambda bed, content: True,
            alert=lambda alert: True,
            follow=lambda bed, instance: True,
            patient_left=lambda bed: True,
            publish=lambda topic, payload, qos, retain: True,
            show=lambda bed, event, wall_us: self.shown.append((bed, event)),
            now_us=lambda: self.now_us,
            wall_us=lambda: 1_700_000_000_000_000 + self.now_us,
        )

    def _written(self) -> bool:
        self.waits_for_the_disk += 1
        return True

    def alarms(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for bed, event in self.shown:
            if isinstance(event, AlarmChanged):
                found.setdefault(event.instance.code, []).append(bed)
        return found


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def ward(outside: Outside) -> Ward:
    ward = Ward(Settings(), ModelFacts("none", float("inf")), outside.ports)
    for bed in BEDS:
        ward.open_bed(bed, BedFile(BedState.ADMITTED, f"session-{bed}"))
    return ward


def test_beds_that_fall_silent_together_wait_for_the_disk_once(
    ward: Ward, outside: Outside
) -> None:
    ward.tick(0)
    before = outside.waits_for_the_disk
    outside.now_us = 4_000_000
    ward.tick(outside.now_us)
    assert outside.alarms()["node-silent"] == BEDS
    assert outside.waits_for_the_disk == before + 1
    rows = [entry.content["bed"] for entry in outside.logged if entry.kind == "alarm"]
    assert rows == BEDS


def test_a_fault_in_one_bed_takes_no_time_from_the_others(
    ward: Ward, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Monitor.step

    def faulty(self: Monitor, happened: object) -> list[Event]:
        if self.bed == "icu-7":
            raise ArithmeticError("icu-7 has a fault")
        return step(self, happened)  # type: ignore[arg-type]

    ward.tick(0)
    monkeypatch.setattr(Monitor, "step", faulty)
    outside.now_us = 4_000_000
    with pytest.raises(ArithmeticError, match="icu-7"):
        ward.tick(outside.now_us)
    assert outside.alarms()["node-silent"] == [bed for bed in BEDS if bed != "icu-7"]
    with pytest.raises(ArithmeticError, match="icu-7"):
        ward.take("", Health(outside.now_us, "broker", False))


def test_an_arrest_that_the_stations_end_cut_is_found_once_the_rest_has_come(
    outside: Outside,
) -> None:
    beats = read_record(BUNDLED).samples_mv[:2500]
    signal_mv = np.concatenate((beats, np.full(1600, beats[-1]), beats))
    before = list(batches(signal_mv[:3300], node="icu-1"))
    rest = list(
        batches(
            signal_mv[3300:], node="icu-1", first_sample=3300, first_sequence=66,
            flags=Flags.REPLAYED,
        )
    )  # fmt: skip
    found = []
    for newest in ([], before):
        ward = Ward(Settings(), ModelFacts("none", float("inf")), outside.ports)
        ward.open_bed("icu-1", BedFile(BedState.ADMITTED, "one"), newest=newest)
        for batch in rest:
            ward.heard(batch)
        found.append([event.code for _, event in outside.shown if isinstance(event, FoundLate)])
    assert found == [[], ["asystole"]]

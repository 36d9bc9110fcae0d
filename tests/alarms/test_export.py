"""The alarm log for other programs, read back by the fields' own libraries."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bedside.alarms import engine
from bedside.alarms.engine import EngineState
from bedside.alarms.export import as_csv, as_json
from bedside.alarms.export_fhir import as_fhir
from bedside.alarms.export_hl7 import as_hl7
from bedside.alarms.log import AlarmLog, LogRow
from bedside.cli.alarms import group
from bedside.event_json import to_json
from bedside.events import Observation

S = 1_000_000
WALL_US = 1_764_000_000_000_000


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[list[LogRow]]:
    """A tachycardia that ends, an arrest that is latched and then seen, one not yet active."""
    state = EngineState("ab12-")
    with closing(AlarmLog(tmp_path / "alarms.sqlite")) as log:

        def note(step: tuple[EngineState, engine.Changes], at_s: int) -> EngineState:
            for change in step[1]:
                content = (to_json(change) or {}) | {"bed": "icu-1"}
                log.append(content["event"], content, WALL_US + at_s * S, at_s * S)
            return step[0]

        fast = Observation("tachy", True, 8 * S, "heart rate 131/min, above 120/min", 131.4)
        state = note(engine.observe(state, fast, 10 * S), 10)
        arrest = Observation("asystole", True, 16 * S, "no QRS | flat ^ line & all")
        state = note(engine.observe(state, arrest, 20 * S), 20)
        state = note(engine.observe(state, Observation("tachy", False, 21 * S), 21 * S), 21)
        state = note(engine.observe(state, Observation("asystole", False, 22 * S), 22 * S), 22)
        state = note(engine.acknowledge(state, "ab12-2", "nurse", 30 * S)[:2], 30)
        note(engine.observe(state, Observation("node-silent", True, 31 * S), 32 * S), 32)
        yield log.rows()


def test_csv_has_a_line_a_row(rows: list[LogRow]) -> None:
    read = list(csv.DictReader(as_csv(rows)))
    assert [(row["code"], row["state"]) for row in read] == [
        ("tachy", "active"),
        ("asystole", "active"),
        ("tachy", "ended"),
        ("asystole", "ended"),
        ("asystole", "acknowledged"),
        ("node-silent", "pending"),
    ]
    assert read[4]["user"] == "nurse"
    assert read[0]["time"] == "2025-11-24T16:00:10.000Z"
    assert read[0]["hash"] == rows[0].hash


def test_json_holds_all_that_the_log_holds(rows: list[LogRow]) -> None:
    read = [json.loads(line) for line in as_json(rows)]
    assert [line["content"] for line in read] == [row.payload for row in rows]


def test_hl7_messages_are_pcd_04_alerts(rows: list[LogRow]) -> None:
    hl7 = pytest.importorskip("hl7", reason="needs the extra dev")
    messages = [hl7.parse(message) for message in as_hl7(rows, "ward-3")]
    assert len(messages) == 5
    for message in messages:
        assert str(message.segment("MSH")[9]) == "ORU^R40^ORU_R40"
        assert str(message.segment("MSH")[21]).startswith("IHE_PCD_ACM_001^IHE PCD^")
        assert str(message.segment("MSH")[12]) == "2.6"
        assert str(message.segment("PV1")[3]) == "^^icu-1"
        assert str(message.segment("OBR")[4]) == "196616^MDC_EVT_ALARM^MDC"
        assert [str(obx[1]) for obx in message.segments("OBX")] == list("12345678")
        assert {str(obx[11]) for obx in message.segments("OBX")} == {"R"}

    def facets(number: int) -> dict[str, str]:
        found = {}
        for obx in messages[number].segments("OBX"):
            found[str(obx[3]).split("^")[1]] = str(obx[5])
        return found

    assert facets(0)["MDC_ECG_HEART_RATE"] == "131.4"
    assert facets(0)["MDC_EVT_ALARM"] == "196648^MDC_EVT_HI^MDC^tachy^tachycardia^99BEDSIDE"
    states = [
        tuple(
            facets(n)[name]
            for name in (
                "MDC_ATTR_EVENT_PHASE",
                "MDC_ATTR_ALARM_STATE",
                "MDC_ATTR_ALARM_INACTIVATION_STATE",
                "MDC_ATTR_ALARM_PRIORITY",
            )
        )
        for n in range(5)
    ]
    assert states == [
        ("start", "active", "enabled", "PM"),
        ("start", "active", "enabled", "PH"),
        ("end", "inactive", "enabled", "PM"),
        ("continue", "latched", "enabled", "PH"),
        ("end", "inactive", "alert-acknowledged", "PH"),
    ]
    assert messages[1].unescape(facets(1)["MDC_ATTR_ALERT_TEXT"]) == "no QRS | flat ^ line & all"
    assert str(messages[2].segment("OBR")[29]).startswith("^ab12-1&BEDSIDE&")


def test_fhir_is_a_valid_bundle_with_an_observation_an_alarm(rows: list[LogRow]) -> None:
    bundle = pytest.importorskip("fhir.resources.bundle", reason="needs the extra dev")
    read = bundle.Bundle.model_validate_json(as_fhir(rows, "ward-3"))
    alarms = [entry.resource for entry in read.entry]
    assert [(a.code.coding[0].code, a.status) for a in alarms] == [
        ("tachy", "final"),
        ("asystole", "final"),
    ]
    assert alarms[0].effectivePeriod.start.isoformat() == "2025-11-24T16:00:08+00:00"
    facets = {c.code.coding[0].code: c.valueString for c in alarms[1].component}
    assert facets["acknowledged-by"] == "nurse"
    assert facets["priority"] == "high"


def test_the_commands_export_show_and_verify_a_log(tmp_path: Path) -> None:
    config = tmp_path / "bedside.toml"
    config.write_text(f"[station]\ndata_dir = '{tmp_path}'\n")
    asked = ["--config", str(config)]
    runner = CliRunner()
    assert "no alarm log" in str(runner.invoke(group, ["verify", *asked]).exception)
    with closing(AlarmLog(tmp_path / "alarms.sqlite")) as log:
        state, changes = engine.observe(EngineState("ab12-"), Observation("vt", True, 0), S)
        for change in (*changes, *engine.acknowledge(state, "ab12-1", "ann", 2 * S)[1]):
            log.append("alarm", (to_json(change) or {}) | {"bed": "icu-1"}, WALL_US, S)
    assert runner.invoke(group, ["verify", *asked]).output == "The alarm log is intact: 2 rows.\n"
    for command in (["list"], ["show", "ab12-1"]):
        lines = runner.invoke(group, [*command, *asked]).output.splitlines()
        assert len(lines) == 2
        assert lines[1].endswith("ventricular tachycardia  by ann")
    for form in ("csv", "json", "hl7", "fhir"):
        out = tmp_path / f"log.{form}"
        said = runner.invoke(group, ["export", "--format", form, "--out", str(out), *asked])
        assert said.exit_code == 0, said.exception
        printed = runner.invoke(group, ["export", "--format", form, *asked]).output
        assert out.read_bytes().decode() == printed
        assert "ab12-1" in printed
    with closing(sqlite3.connect(tmp_path / "alarms.sqlite")) as database, database:
        database.execute("DROP TRIGGER rows_keep")
        database.execute("UPDATE rows SET wall_us = 0 WHERE number = 2")
    assert "Row 2 of the alarm log was changed" in str(
        runner.invoke(group, ["verify", *asked]).exception
    )

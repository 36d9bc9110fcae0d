"""What a station that ended too soon had not put into the outbox leaves after its next start."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.alarms.log import AlarmLog, LogRow
from bedside.delivery.alert import Alert, alert_of
from bedside.delivery.log_transport import LogTransport
from bedside.event_json import to_json
from bedside.events import AlarmChanged, AlarmState, Instance, Priority
from bedside.settings import BrokerSettings, Settings, StationSettings
from bedside.station import Station
from bedside.unsent import unsent

WALL_US = 1_700_000_000_000_000


def alarm(number: int, code: str, priority: Priority, at_us: int, **changed: object) -> Instance:
    active = Instance(
        f"s-{number}", code, priority, AlarmState.ACTIVE, onset_us=0, at_us=at_us, active_us=at_us
    )
    return replace(active, **changed)  # type: ignore[arg-type]


def rows(*instances: Instance) -> list[LogRow]:
    return [
        LogRow(
            number,
            "alarm",
            json.loads(json.dumps(to_json(AlarmChanged(each.at_us, each)))),
            WALL_US + each.at_us,
            each.at_us,
            "",
        )
        for number, each in enumerate(instances)
    ]


ASYSTOLE = alarm(1, "asystole", Priority.HIGH, 5_000_000)


def test_an_alarm_whose_alert_was_not_committed_leaves_with_the_id_it_would_have_had() -> None:
    [alert] = unsent("icu-1", rows(ASYSTOLE), lambda alert_id: False)
    assert alert == alert_of(ASYSTOLE, "icu-1", WALL_US + 5_000_000, None)


def test_what_the_outbox_knows_does_not_leave_again() -> None:
    known = alert_of(ASYSTOLE, "icu-1", WALL_US + 5_000_000, 60.0).alert_id
    assert unsent("icu-1", rows(ASYSTOLE), lambda alert_id: alert_id == known) == []


def test_only_what_leaves_at_once_and_was_logged_at_the_end_is_built_again() -> None:
    found = unsent(
        "icu-1",
        rows(
            ASYSTOLE,
            alarm(2, "node-silent", Priority.MEDIUM, 700_000_000),
            alarm(3, "poor-signal", Priority.LOW, 700_000_000),
            alarm(4, "vt", Priority.HIGH, 700_000_000, state=AlarmState.PENDING, active_us=None),
            alarm(5, "tachy", Priority.MEDIUM, 700_000_000),
        ),
        lambda alert_id: False,
    )
    assert [alert.instance_id for alert in found] == ["s-5"]


def test_a_station_that_starts_puts_it_into_its_outbox_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        broker=BrokerSettings(port=9), station=StationSettings(data_dir=tmp_path / "data")
    )
    station = Station(settings, LogTransport())
    station.admit("bed-1")
    station.start()
    station.stop()
    with contextlib.closing(AlarmLog(tmp_path / "data" / "alarms.sqlite")) as log:
        [last] = log.latest(1)
        prefix = next(row for row in log.all_rows() if row.kind == "bed").payload["prefix"]
        raised = alarm(1, "asystole", Priority.HIGH, last.at_us, instance_id=f"{prefix}1")
        content = to_json(AlarmChanged(0, raised)) or {}
        log.append("alarm", content | {"bed": "bed-1"}, WALL_US, last.at_us)
    left: list[Alert] = []
    monkeypatch.setattr(LogTransport, "send", lambda self, alert: left.append(alert))
    for _ in range(2):
        again = Station(settings, LogTransport())
        again.start()
        again.stop()
    assert [(alert.code, alert.instance_id) for alert in left] == [("asystole", f"{prefix}1")]

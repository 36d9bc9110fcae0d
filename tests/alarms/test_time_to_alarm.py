"""Each condition alarms in its time; `time_to_alarm.py` measures the whole table."""

from __future__ import annotations

import pytest

from tests.alarms.time_to_alarm import (
    CASES,
    TABLE,
    Case,
    lethal_instances,
    measure,
    measure_station,
)

SHORT = [(case, "normal", "clean") for case in CASES]
SHORT += [
    (case, amplitude, noise)
    for case in CASES
    if case.code in ("asystole", "vf", "vt")
    for amplitude, noise in (("half", "clean"), ("double", "noisy"))
]


@pytest.mark.parametrize(
    ("case", "amplitude", "noise"), SHORT, ids=lambda each: getattr(each, "code", each)
)
def test_a_condition_of_the_heart_alarms_in_its_time(
    case: Case, amplitude: str, noise: str
) -> None:
    measured = measure(case, amplitude, noise)
    assert measured.in_time, measured


@pytest.mark.parametrize("rhythm", ["vt:150", "vt:180", "vt:220"])
def test_a_tachycardia_is_one_lethal_alarm_until_it_is_over(rhythm: str) -> None:
    assert lethal_instances(rhythm) == ["vt"]


def test_a_condition_of_the_station_alarms_in_its_time() -> None:
    for measured in measure_station():
        assert measured.in_time, measured


def test_the_table_has_a_row_for_every_case() -> None:
    text, real = TABLE.read_text(encoding="utf-8").split("# Real episodes")
    assert real.count("\n| `") >= 40
    for case in CASES:
        assert text.count(f"| `{case.code}` |") == 6
    for measured in measure_station():
        assert f"| `{measured.code}` |" in text

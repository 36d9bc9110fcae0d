"""Each condition alarms in its time; `time_to_alarm.py` measures the whole table."""

from __future__ import annotations

from itertools import product

import pytest

from tests.alarms.time_to_alarm import (
    AMPLITUDES,
    CASES,
    NOISES_MV,
    TABLE,
    Case,
    lethal_instances,
    measure,
    measure_station,
)

ALL = [(case, amplitude, noise) for case, amplitude, noise in product(CASES, AMPLITUDES, NOISES_MV)]
SAME_S = 0.25
"""Another numpy may move a beat by a batch, and no more."""


@pytest.fixture(scope="module")
def written() -> dict[tuple[str, ...], str]:
    """The rows of the table: condition, cause, amplitude and noise, and the delay beside them."""
    lines = TABLE.read_text(encoding="utf-8").split("# Real episodes")[0].splitlines()
    cells = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if "`" in line]
    return {tuple(row[:4]): row[6] for row in cells if len(row) == 9}


@pytest.mark.parametrize(
    ("case", "amplitude", "noise"), ALL, ids=lambda each: getattr(each, "cause", each)
)
def test_a_condition_of_the_heart_alarms_in_its_time_and_the_table_says_so(
    case: Case, amplitude: str, noise: str, written: dict[tuple[str, ...], str]
) -> None:
    measured = measure(case, amplitude, noise)
    assert measured.in_time, measured
    delay_s = float(written[case.code, case.cause, amplitude, noise])
    assert measured.delay_s == pytest.approx(delay_s, abs=SAME_S)


@pytest.mark.parametrize("rhythm", ["vt:150", "vt:180", "vt:220"])
def test_a_tachycardia_is_one_lethal_alarm_until_it_is_over(rhythm: str) -> None:
    assert lethal_instances(rhythm) == ["vt"]


def test_a_condition_of_the_station_alarms_in_its_time() -> None:
    for measured in measure_station():
        assert measured.in_time, measured


def test_the_table_has_a_row_for_every_case(written: dict[tuple[str, ...], str]) -> None:
    assert len(written) == len(ALL) + len(measure_station())
    for measured in measure_station():
        assert (measured.code, measured.cause, "–", "–") in written
    assert TABLE.read_text(encoding="utf-8").split("# Real episodes")[1].count("\n| `") >= 40

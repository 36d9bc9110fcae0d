"""What months demand and what was measured: `python -m tests.reached` tells it in the README.

Each row's own command measures, and keeps its numbers in a file beside it; here they are only told.
What misses its goal, or was not measured, stands in bold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests import fuzz
from tests.bench import results
from tests.faults import table as faults
from tests.readme import tell

Measured = Mapping[str, Any]


def table() -> str:
    """The table in Markdown."""
    known = results.kept()
    found = json.loads(faults.RESULTS.read_text(encoding="utf-8"))
    fed = json.loads(fuzz.RESULTS.read_text(encoding="utf-8")) if fuzz.RESULTS.exists() else None
    one_bed = "bench.one_bed --only"
    rows = [
        _row(
            f"{len(faults.ROWS)} faults, below",
            "no sample and no alarm lost; each shown in its time",
            "faults.table",
            found,
            _faults,
        ),
        _row("one bed, headless", "≤ 2 % of a core", f"{one_bed} cost", known.get("cost"), _share),
        _row("its memory", "≤ 180 MB", f"{one_bed} cost", known.get("cost"), _memory),
        _row(
            "its growth, 24 h of data replayed",
            "< 10 MB",
            f"{one_bed} growth",
            known.get("growth"),
            _growth,
        ),
        _row(
            "beds a core, scored and recorded, 5 batches a second each",
            "≥ 200; none lost",
            "bench.beds",
            known.get("beds"),
            _beds,
        ),
        _row("their batch → event, p99", "≤ 250 ms", "bench.beds", known.get("beds"), _late),
        _row(
            "whole monitor, offline, a core",
            "≥ 500 × real time",
            "bench.monitor",
            known.get("monitor"),
            lambda it: (f"{it['times_real_time']} ×", it["times_real_time"] >= 500),
        ),
        _row(
            "process start to the first beat",
            "≤ 3 s",
            f"{one_bed} start",
            known.get("start"),
            _start,
        ),
        *(
            _row(
                f"written to the disk in a day, a sync every {every_s} s",
                "≤ 150 MB",
                f"bench.wear --sync-every {every_s}",
                known.get(f"wear, a sync every {every_s} s"),
                lambda it: (f"{it['mb_a_day']:.0f} MB", it["mb_a_day"] <= 150),
            )
            for every_s in (20, 10)
        ),
        _row(
            "hostile input, 10 min each",
            "no crash, no growth, no stranger let in",
            "fuzz",
            fed,
            _hostile,
        ),
    ]
    return "\n".join(
        ["| what | goal | measured | by `python -m tests.` |", "|---|---|---|---|", *rows]
    )


def _row(
    what: str,
    goal: str,
    command: str,
    measured: Measured | None,
    judged: Callable[[Measured], tuple[str, bool]],
) -> str:
    words, good = ("not measured", False) if measured is None else judged(measured)
    load = measured.get("load") if measured else None
    told = words if good else f"**{words}**"
    return f"| {what} | {goal} | {told}{f'; load {load:g}' if load else ''} | `{command}` |"


def _faults(it: Measured) -> tuple[str, bool]:
    names = ("samples", "samples_lost", "arrests", "alarms_lost")
    total = {name: sum(each[name] for each in it.values()) for name in names}
    good = all(row.name in it and faults.holds(row, it[row.name]) for row in faults.ROWS)
    return (
        f"{total['samples_lost']} of {total['samples']} samples, {total['alarms_lost']} of "
        f"{total['arrests']} arrests lost; {'all' if good else 'not all'} in time",
        good,
    )


def _share(it: Measured) -> tuple[str, bool]:
    return f"{it['share_percent']:.2f} %", it["share_percent"] <= 2


def _memory(it: Measured) -> tuple[str, bool]:
    return f"{it['resident_mb']} MB", it["resident_mb"] <= 180


def _growth(it: Measured) -> tuple[str, bool]:
    grown_mb = it["last_mb"] - it["warm_mb"]
    return f"{grown_mb:+.1f} MB in {it['hours']:g} h", grown_mb < 10 and it["hours"] >= 24


def _beds(it: Measured) -> tuple[str, bool]:
    said = f"{it['beds_a_core']}, by what {it['beds']} took; {it['lost']} of {it['batches']} lost"
    return said, it["beds_a_core"] >= 200 and not it["lost"]


def _late(it: Measured) -> tuple[str, bool]:
    return f"{it['p99_ms']} ms with {it['beds']} beds", it["p99_ms"] <= 250


def _start(it: Measured) -> tuple[str, bool]:
    return ", ".join(f"{each:.1f}" for each in it["seconds"]) + " s", max(it["seconds"]) <= 3


def _hostile(it: Measured) -> tuple[str, bool]:
    inputs = ", ".join(
        f"{name} {it[name]['inputs']}" if name in it else f"{name} not yet" for name in fuzz.TARGETS
    )
    grown_mb = max(each["grown_mb"] for each in it.values())
    strangers = sum(each["strangers"] for each in it.values())
    good = it.keys() == fuzz.TARGETS.keys() and grown_mb < fuzz.MOST_GROWTH_MB
    return (
        f"{inputs}: no crash, {grown_mb:+.1f} MB at most, {strangers} strangers refused",
        good,
    )


if __name__ == "__main__":
    tell("tests.reached", table())

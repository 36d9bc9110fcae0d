"""The fault table: `python -m tests.faults.table [ROW …]` runs it and writes it into the README.

Every fault meets real processes at real speed, one after the other, the whole in an hour and a
half. What was measured stands in `table.json` beside this file, and in the README between two
marks; named rows replace their lines alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.rows import ROWS, Row
from tests.readme import tell

RESULTS = Path(__file__).with_suffix(".json")


def measured(row: Row, speed: float = 1.0) -> dict[str, Any]:
    """Run a row; what became of it, for `table.json`."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = row.run(Path(folder), speed)
    cost = outcome.cost
    return {
        "shown_s": None if outcome.shown_s is None else round(max(outcome.shown_s, 0.0), 1),
        **asdict(cost),
        "alarms_lost": cost.alarms_lost,
    }


def holds(row: Row, result: dict[str, Any]) -> bool:
    """Whether the row reaches its goals."""
    in_time = result["shown_s"] is not None and result["shown_s"] <= row.within_s
    return in_time and result["samples_lost"] == 0 and result["alarms_lost"] == 0


def table(results: dict[str, dict[str, Any]]) -> str:
    """The table in Markdown."""
    lines = [
        "| fault | samples lost | alarms lost | shows as | after | at most |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        if row.name not in results:
            continue
        result = results[row.name]
        lost = f"{result['samples_lost']} of {result['samples']}"
        if result["reset_samples"]:
            lost += f"; {result['reset_samples']} with the node's own store"
        alarms = f"{result['alarms_lost']} of {result['arrests']}"
        if result["arrests_late"]:
            alarms += f" ({result['arrests_late']} found late)"
        shown = "never" if result["shown_s"] is None else f"{result['shown_s']:.1f} s"
        lines.append(
            f"| {row.fault} | {lost} | {alarms} | {row.shows} | {shown} | {row.within_s:.0f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[[], *(row.name for row in ROWS)])
    wanted = parser.parse_args().rows
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for row in ROWS:
        if wanted and row.name not in wanted:
            continue
        results[row.name] = measured(row)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(row.name, "holds" if holds(row, results[row.name]) else "FAILS", flush=True)
    tell("tests.faults.table", table(results))
    sys.exit(0 if all(holds(row, results[row.name]) for row in ROWS if row.name in results) else 1)


if __name__ == "__main__":
    main()

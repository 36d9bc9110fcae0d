"""`bedside analyze`: a record through the monitor, as fast as it goes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from bedside.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("analyze")(analyze)


def analyze(
    record: Annotated[Path, typer.Argument(help="A WFDB record: its path without extension.")],
    channel: Annotated[int, typer.Option(min=0, help="Which channel to read.")] = 0,
    calibrate: Annotated[
        float, typer.Option(min=0, help="Seconds at the start that teach this patient's normal.")
    ] = 0.0,
    alarms_per_day: options.AlarmsPerDay = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="Write NAME.bed, NAME.beats.csv and NAME.events.jsonl here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the heart rate and the scores.")
    ] = False,
    config: options.Config = None,
) -> None:
    """Find the beats, abnormal beats and alarms of a recorded ECG."""
    from bedside import analysis, settings

    limits = settings.load(config).limits
    with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"Analyzing {record.name}", total=1.0)
        found = analysis.analyze(
            record,
            channel=channel,
            calibrate_s=calibrate,
            alarms_per_day=alarms_per_day,
            limits=limits,
            progress=lambda done: bar.update(task, completed=done),
        )
    if out is not None:
        analysis.write(found, out)
    summary = found.summary()
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    for label, value in _rows(summary):
        typer.echo(f"{label:<16}{value}")
    if plot:
        from bedside.plots import trend

        typer.echo(trend(found))


def _rows(summary: dict[str, object]) -> list[tuple[str, str]]:
    rates = summary["heart_rate_bpm"]
    classes = summary["classes"]
    alarms = summary["alarms"]
    assert isinstance(rates, dict)
    assert isinstance(classes, dict)
    assert isinstance(alarms, dict)
    known = rates["median"] is not None
    return [
        ("record", f"{summary['record']}, {summary['duration_s']} s at {summary['rate_hz']} Hz"),
        ("beats", ", ".join([str(summary["beats"]), *(f"{k} {n}" for k, n in classes.items())])),
        ("abnormal beats", str(summary["abnormal_beats"])),
        (
            "heart rate",
            f"{rates['median']:.0f}/min ({rates['lowest']:.0f} to {rates['highest']:.0f})"
            if known
            else "--",
        ),
        ("alarms", ", ".join(f"{code} {count}" for code, count in alarms.items()) or "none"),
        ("gaps", str(summary["gaps"])),
        ("calibration", str(summary["calibration"])),
    ]

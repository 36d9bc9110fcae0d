"""`bedside doctor`: one line for everything that must be well."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bedside import settings as settings_file
from bedside.cli import options
from bedside.settings import Settings

if TYPE_CHECKING:
    from bedside.delivery.check import Finding

Findings = Sequence["Finding"]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    config: options.Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array instead.")] = False,
) -> None:
    """Look at machine, program, broker, nodes and the way out; exit code 2 for a fault."""
    settings = settings_file.load(config)
    found = [(name, finding) for name, look in _looks(settings).items() for finding in look()]
    if as_json:
        rows = [{"what": name, "ok": one.ok, "sentence": one.sentence} for name, one in found]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        for name, one in found:
            typer.echo(f"{options.MARKS[one.ok]}  {name:<13}{one.sentence}")
    if any(one.ok is False for _, one in found):
        raise typer.Exit(2)


def _looks(settings: Settings) -> dict[str, Callable[[], Findings]]:
    from bedside.doctor import links, machine, program, way_out

    return {
        "architecture": lambda: [machine.architecture()],
        "python": lambda: [machine.python()],
        "terminal": lambda: [machine.terminal(settings.screen.glyphs)],
        "disk": lambda: machine.disk(settings.station.data_dir),
        "clock": lambda: [machine.clock()],
        "sound": lambda: [machine.sound()],
        "service": lambda: [machine.service()],
        "model": lambda: program.model_and_baselines(settings.station.data_dir),
        "broker": lambda: links.broker(settings.broker),
        "alerts": lambda: way_out.configured(settings),
        "nodes": lambda: links.nodes(settings.broker),
    }

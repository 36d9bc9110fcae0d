"""The command `bedside`: its groups, and how a user's mistake ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bedside import __version__
from bedside.cli import (
    alarms,
    analyze,
    bed,
    broker,
    cloud,
    demo,
    doctor,
    install,
    kiosk,
    node,
    records,
    run_command,
    screen,
    simulate,
    test_alert,
)
from bedside.errors import BedsideError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A one-lead ECG monitor for the bedside. Not a medical device.",
)
demo.add_to(app)
run_command.add_to(app)
screen.add_to(app)
simulate.add_to(app)
node.add_to(app)
analyze.add_to(app)
records.add_to(app)
bed.add_to(app)
alarms.add_to(app)
test_alert.add_to(app)
cloud.add_to(app)
broker.add_to(app)
install.add_to(app)
kiosk.add_to(app)
doctor.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bedside {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A one-lead ECG monitor for the bedside. Not a medical device."""


def run() -> None:
    """The entry point: a user's mistake is one sentence on stderr and exit code 2."""
    try:
        app()
    except BedsideError as error:
        typer.echo(f"bedside: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)

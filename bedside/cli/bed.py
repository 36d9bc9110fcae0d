"""`bedside bed …` and `bedside calibrate`: the patient in the bed of a running station."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bedside import settings
from bedside.cli import options
from bedside.errors import BedsideError
from bedside.station_client import StationClient

group = typer.Typer(no_args_is_help=True, help="The patient in the bed of a running station.")

Bed = Annotated[str, typer.Argument(help="The bed: the name of its node.")]


def add_to(app: typer.Typer) -> None:
    """Add the group and `calibrate`."""
    app.add_typer(group, name="bed")
    app.command("calibrate")(calibrate)


@group.command("list")
def show(config: options.Config = None) -> None:
    """The beds of the station, with heart rate and alarms."""
    with StationClient(settings.load(config), options.operator()) as client:
        for name, bed in sorted(client.beds().items()):
            rate = bed["heart_rate_bpm"]
            alarms = ", ".join(f"{a['text']} ({a['id']})" for a in bed["alarms"]) or "no alarm"
            typer.echo(
                f"{name:<16}{bed['state']:<12}{'--' if rate is None else round(rate):>4}/min  "
                f"{bed['calibrated']}  {alarms}"
            )


@group.command()
def admit(bed: Bed, config: options.Config = None) -> None:
    """A patient lies in the bed: arm its alarms."""
    act(bed, "admit", {}, config)
    typer.echo(f"Bed {bed} is admitted; its alarms are armed.")


@group.command()
def discharge(bed: Bed, config: options.Config = None) -> None:
    """The patient has left: no alarms, and the next one inherits nothing."""
    act(bed, "discharge", {}, config)
    typer.echo(f"Bed {bed} is discharged.")


def calibrate(
    bed: Bed,
    seconds: Annotated[float, typer.Option(min=30, max=1800, help="How long to listen.")] = 300.0,
    config: options.Config = None,
) -> None:
    """Learn this patient's normal from their own beats."""
    act(bed, "calibrate", {"seconds": seconds}, config)
    typer.echo(f"Bed {bed} is being calibrated for {seconds:.0f} s; bed list shows the result.")


def act(bed: str, name: str, arguments: dict[str, Any], config: Any) -> None:
    """One action on a running station. Raises BedsideError when it is refused."""
    with StationClient(settings.load(config), options.operator()) as client:
        done, reason = client.act(bed, name, arguments)
    if not done:
        raise BedsideError(f"The station refused: {reason}.")

"""`bedside bed …` and `bedside calibrate`: the patient in the bed of a running station."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bedside import settings
from bedside.cli import options
from bedside.errors import BedsideError
from bedside.limits import BOUNDS, Population
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
            notes = [f"no monitoring: {bed['suspended']}"] if bed["suspended"] else []
            notes += [f"disabled: {code}" for code in bed["disabled"]]
            notes += bed["relaxed"]
            if bed["sound_paused_s"] is not None:
                notes.append(f"sound paused for {bed['sound_paused_s']:.0f} s")
            typer.echo(
                f"{name:<16}{bed['state']:<12}{'--' if rate is None else round(rate):>4}/min  "
                f"{bed['calibrated']}  {alarms}"
            )
            for note in notes:
                typer.echo(f"{'':<16}{note}")


@group.command()
def admit(
    bed: Bed,
    population: Annotated[
        Population, typer.Option(help="Whose limits the patient gets.")
    ] = Population.ADULT,
    config: options.Config = None,
) -> None:
    """A patient lies in the bed: arm its alarms. Also ends a standby."""
    act(bed, "admit", {"population": population.value}, config)
    typer.echo(f"Bed {bed} is admitted; its alarms are armed. Not for paced patients.")


@group.command()
def standby(
    bed: Bed,
    minutes: Annotated[float, typer.Option(min=1, max=1440, help="For how long.")] = 30.0,
    config: options.Config = None,
) -> None:
    """Alarms off for a while; the recording goes on."""
    act(bed, "standby", {"seconds": minutes * 60}, config)
    typer.echo(f"Bed {bed} stands by for {minutes:g} min; bed admit arms it again.")


@group.command()
def discharge(bed: Bed, config: options.Config = None) -> None:
    """The patient has left: no alarms, and the next one inherits nothing."""
    act(bed, "discharge", {}, config)
    typer.echo(f"Bed {bed} is discharged.")


@group.command()
def limits(
    bed: Bed,
    values: Annotated[
        list[str] | None, typer.Argument(help="What to set, such as tachy_bpm=130.")
    ] = None,
    population: Annotated[
        Population | None, typer.Option(help="Take this population's preset first.")
    ] = None,
    disable: Annotated[
        list[str] | None, typer.Option(help="A condition that shall not alarm, such as bigeminy.")
    ] = None,
    enable: Annotated[
        list[str] | None, typer.Option(help="A condition that shall alarm again.")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Yes, a lethal condition may alarm later, or never.")
    ] = False,
    config: options.Config = None,
) -> None:
    """The limits of a bed, shown or set while it runs."""
    arguments: dict[str, Any] = {}
    if population is not None:
        arguments["population"] = population.value
    if values:
        arguments["limits"] = dict(_limit(value) for value in values)
    if disable or enable:
        arguments["conditions"] = dict.fromkeys(enable or (), True) | dict.fromkeys(
            disable or (), False
        )
    if arguments:
        act(bed, "set-limit", arguments | {"confirmed": confirm}, config)
        typer.echo(f"The limits of bed {bed} are set.")
        return
    with StationClient(settings.load(config), options.operator()) as client:
        state = client.beds().get(bed)
    if state is None:
        raise BedsideError(f"This station has no bed {bed}: bedside bed list shows its beds.")
    typer.echo(f"population {state['population']}")
    for name, value in state["limits"].items():
        low, high = BOUNDS[name]
        typer.echo(f"{name:<22}{value:>6g}   {low:g} to {high:g}")
    for words in state["relaxed"]:
        typer.echo(f"later than the preset: {words}")
    for code in state["disabled"]:
        typer.echo(f"disabled: {code}")


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise BedsideError(f"{text!r} sets no limit: write it as tachy_bpm=130.") from None


def calibrate(
    bed: Bed,
    seconds: Annotated[float, typer.Option(min=30, max=1800, help="How long to listen.")] = 300.0,
    alarms_per_day: options.AlarmsPerDay = 1.0,
    config: options.Config = None,
) -> None:
    """Learn this patient's normal from their own beats, and say what it promises."""
    arguments = {"seconds": seconds, "alarms_per_day": alarms_per_day}
    with StationClient(settings.load(config), options.operator()) as client:
        done, reason = client.act(bed, "calibrate", arguments)
        if not done:
            raise BedsideError(f"The station refused: {reason}.")
        typer.echo(f"Bed {bed} is being calibrated for {seconds:.0f} s; Ctrl-C leaves it running.")
        accepted, words = client.calibration_result(bed, seconds)
    if not accepted:
        raise BedsideError(f"The calibration of bed {bed} was refused. {words}")
    typer.echo(f"Bed {bed} is calibrated: {words}.")


def act(bed: str, name: str, arguments: dict[str, Any], config: Any) -> None:
    """One action on a running station. Raises BedsideError when it is refused."""
    with StationClient(settings.load(config), options.operator()) as client:
        done, reason = client.act(bed, name, arguments)
    if not done:
        raise BedsideError(f"The station refused: {reason}.")

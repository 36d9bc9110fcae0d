"""`bedside alarms …`: the alarms of a running station, and the log of those that were."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from bedside import settings
from bedside.cli import options
from bedside.errors import BedsideError
from bedside.station_client import StationClient

group = typer.Typer(no_args_is_help=True, help="Alarms: acknowledge them, list them.")


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="alarms")


@group.command()
def ack(
    instance: Annotated[
        str | None, typer.Argument(help="The alarm's id; without it, all that can be.")
    ] = None,
    config: options.Config = None,
) -> None:
    """Acknowledge an alarm of a running station."""
    with StationClient(settings.load(config), options.operator()) as client:
        waiting = {
            alarm["id"]: (bed, alarm["text"])
            for bed, state in client.beds().items()
            for alarm in state["alarms"]
            if not alarm["acknowledged_by"] and instance in (None, alarm["id"])
        }
        refusals = []
        for instance_id, (bed, text) in waiting.items():
            done, reason = client.act(bed, "acknowledge", {"instance": instance_id})
            if done:
                typer.echo(f"Acknowledged: {text} ({instance_id}).")
            else:
                refusals.append(reason)
    if refusals:
        raise BedsideError(f"The station refused: {'; '.join(refusals)}.")
    if not waiting and instance is not None:
        raise BedsideError(f"No alarm {instance} waits: bedside bed list shows those that do.")
    if not waiting:
        typer.echo("No alarm waits for an acknowledgement.")


@group.command()
def pause(
    seconds: Annotated[
        float, typer.Option(min=0, max=120, help="How long; 0 ends the pause.")
    ] = 120.0,
    config: options.Config = None,
) -> None:
    """Pause every alarm sound of a running station; a new high alarm breaks through."""
    with StationClient(settings.load(config), options.operator()) as client:
        beds = client.beds()
        if not beds:
            raise BedsideError("The station has no bed yet: nothing sounds.")
        done, reason = client.act(next(iter(beds)), "pause-sound", {"seconds": seconds})
    if not done:
        raise BedsideError(f"The station refused: {reason}.")
    typer.echo(f"Sounds pause for {seconds:.0f} s." if seconds else "Sounds are on again.")


@group.command("list")
def show(
    config: options.Config = None,
    rows: Annotated[int, typer.Option(min=1, help="How many of the latest.")] = 50,
) -> None:
    """The latest rows of the alarm log on this machine."""
    from bedside.alarms.log import AlarmLog

    path = settings.load(config).station.data_dir / "alarms.sqlite"
    if not path.exists():
        typer.echo("The alarm log is empty.")
        return
    log = AlarmLog(path)
    for row in reversed(log.latest(rows)):
        content = row.payload
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.wall_us / 1e6))
        words = content.get("text") or content.get("reason") or ""
        typer.echo(
            f"{when}  {content.get('bed', ''):<12}{row.kind:<12}{content.get('state', ''):<14}"
            f"{content.get('code', ''):<16}{words}"
        )
    log.close()

"""`bedside alarms …`: the alarms of a running station, and the log of those that were."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bedside import settings
from bedside.alarms.log import AlarmLog, LogRow
from bedside.cli import options
from bedside.errors import BedsideError
from bedside.events import Priority
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


@group.command()
def sound(
    priority: Annotated[Priority, typer.Argument(help="high, medium or low.")],
    out: Annotated[
        Path | None, typer.Option(help="Write it into this WAV file instead of playing it.")
    ] = None,
) -> None:
    """Play one burst of an alarm's sound on this machine."""
    from bedside.alarms.sounds import wav
    from bedside.sounder import PLAYERS, Sounder

    if out is not None:
        try:
            out.write_bytes(wav(priority))
        except OSError as error:
            raise BedsideError(
                f"The sound cannot be written to {out} ({error.strerror}): choose another file."
            ) from error
        return
    sounder = Sounder()
    played_by = sounder.sound(priority)
    sounder.stop()
    if not played_by:
        raise BedsideError(f"Nothing can be heard here: install one of {', '.join(PLAYERS)}.")
    typer.echo(f"Played by {played_by}.")


@group.command("list")
def latest(
    config: options.Config = None,
    rows: Annotated[int, typer.Option(min=1, help="How many of the latest.")] = 50,
) -> None:
    """The latest rows of the alarm log on this machine."""
    with _log(config) as log:
        for row in reversed(log.latest(rows)):
            typer.echo(_line(row))


@group.command()
def show(
    instance: Annotated[str, typer.Argument(help="The alarm's id, as list and the screen say it.")],
    config: options.Config = None,
) -> None:
    """Everything that the log holds of one alarm: transitions, acknowledgement, deliveries."""
    with _log(config) as log:
        found = [
            row
            for row in log.all_rows()
            if instance in (row.payload.get("id"), row.payload.get("instance"))
            or row.payload.get("arguments", {}).get("instance") == instance
        ]
    if not found:
        raise BedsideError(f"The log knows no alarm {instance}: bedside alarms list shows ids.")
    for row in found:
        typer.echo(_line(row))


class Form(StrEnum):
    """What the log can be exported as."""

    CSV = "csv"
    JSON = "json"
    HL7 = "hl7"
    FHIR = "fhir"


@group.command()
def export(
    form: Annotated[
        Form,
        typer.Option(
            "--format", help="csv, json (lines), hl7 (ORU^R40 of IHE PCD-04) or fhir (R5)."
        ),
    ] = Form.CSV,
    out: Annotated[Path | None, typer.Option(help="The file; without it, to stdout.")] = None,
    config: options.Config = None,
) -> None:
    """The whole alarm log for other programs; it names no patient."""
    from bedside.alarms.export import as_csv, as_json
    from bedside.alarms.export_fhir import as_fhir
    from bedside.alarms.export_hl7 import as_hl7

    station = settings.load(config).station.name
    with _log(config) as log:
        rows = log.all_rows()
        pieces: Iterable[str]
        match form:
            case Form.CSV:
                pieces = as_csv(rows)
            case Form.JSON:
                pieces = as_json(rows)
            case Form.HL7:
                pieces = as_hl7(rows, station)
            case Form.FHIR:
                pieces = [as_fhir(rows, station)]
        if out is None:
            for piece in pieces:
                typer.echo(piece, nl=False)
            return
        try:
            with out.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
        except OSError as error:
            raise BedsideError(
                f"The export cannot be written to {out} ({error.strerror}): choose another file."
            ) from error


@group.command()
def verify(config: options.Config = None) -> None:
    """Check the log's hash chain: names the first row that was changed, removed or moved."""
    with _log(config) as log:
        verdict = log.verify()
    if not verdict.intact:
        raise BedsideError(f"{verdict} Up to it the log is as it was written.")
    typer.echo(str(verdict))


@contextmanager
def _log(config: Path | None) -> Iterator[AlarmLog]:
    """The alarm log of this machine. Raises BedsideError where there is none."""
    path = settings.load(config).station.data_dir / "alarms.sqlite"
    if not path.exists():
        raise BedsideError(f"There is no alarm log {path} yet: bedside run begins one.")
    with closing(AlarmLog(path)) as log:
        yield log


def _line(row: LogRow) -> str:
    content = row.payload
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.wall_us / 1e6))
    what = content.get("code") or content.get("action") or content.get("contact") or ""
    state = content.get("state") or ("" if content.get("done", True) else "refused")
    by = content.get("acknowledged_by") or content.get("user") or ""
    words = content.get("text") or content.get("reason") or ""
    tail = "  ".join(str(each) for each in (words, f"by {by}" if by else "") if each)
    where = content.get("bed", "")
    name = content.get("id") or content.get("instance") or ""
    return f"{when}  {where:<12}{row.kind:<12}{state:<14}{what!s:<18}{name:<16}{tail}".rstrip()

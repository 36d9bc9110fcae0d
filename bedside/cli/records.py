"""`bedside records …`: what the disk holds of each bed."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from bedside.cli import moments, options
from bedside.errors import BedsideError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedside.recording.archive import Archive, Damage
    from bedside.recording.archived_event import ArchivedEvent
    from bedside.recording.export.piece import Piece

group = typer.Typer(no_args_is_help=True, help="What the disk holds of each bed.")

Bed = Annotated[str, typer.Argument(help="The bed: the name of its node.")]
From = Annotated[str, typer.Option("--from", help=f"From when: {moments.HELP}")]
To = Annotated[str, typer.Option("--to", help="Until when, in the same way; now without it.")]
EventId = Annotated[str, typer.Option("--event", help="An alarm's id, from `records list BED`.")]

LAST_US = 4_102_444_800_000_000
STRIP_S = 10.0
DEFAULT_COLUMNS = 100


class Format(StrEnum):
    """What an export is written as."""

    WFDB = "wfdb"
    EDF = "edf"
    CSV = "csv"
    FHIR = "fhir"


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="records")


@group.command("list")
def show(
    bed: Annotated[str, typer.Argument(help="One bed, with its alarms; without it all.")] = "",
    config: options.Config = None,
) -> None:
    """What is recorded of which bed, and the alarms that have a strip."""
    archive = _archive(config)
    if bed:
        _known(archive, bed)
    beds = [bed] if bed else archive.beds()
    if not beds:
        typer.echo("Nothing is recorded yet.")
    for name in beds:
        for span in archive.spans(name):
            length_s = (span.to_wall_us - span.from_wall_us) / 1e6
            words = "  SYNTHETIC" if span.synthetic else ""
            typer.echo(
                f"{name:<16}{_local(span.from_wall_us)} to {_local(span.to_wall_us)}  "
                f"{_length(length_s):>9}  {span.rate_hz:.2f} Hz{words}"
            )
    for event in archive.events(bed) if bed else ():
        typer.echo(
            f"{event.event_id:<24}{_local(event.active_wall_us)}  {event.priority.mark:<4}"
            f"{event.code:<16}{event.text}"
        )


@group.command()
def export(
    bed: Bed,
    out: Annotated[Path, typer.Option(help="The folder for the files.")],
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.WFDB,
    since: From = "",
    until: To = "",
    event: EventId = "",
    config: options.Config = None,
) -> None:
    """Write a time, or an alarm with 30 s around it, for another program: an hour a file."""
    from bedside.recording.export import formats

    archive = _archive(config)
    _known(archive, bed)
    written: list[Path] = []
    with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"Exporting {bed}", total=1.0)
        for piece, done in _chosen(archive, bed, since, until, event):
            written += formats.write(form.value, piece, out)
            bar.update(task, completed=done)
    if not written:
        raise BedsideError(f"Nothing of bed {bed} lies there: bedside records list {bed} tells.")
    typer.echo(f"{len(written)} files in {out}, the first one {written[0].name}.")
    damaged = sum(map(len, archive.damage(bed, *_range(archive, bed, since, until, event))))
    if damaged:
        typer.echo(
            f"{damaged} stretches of this are no longer what was recorded, the disk has changed "
            f"them: bedside records verify {bed} tells which.",
            err=True,
        )


@group.command()
def verify(
    bed: Annotated[str, typer.Argument(help="One bed; without it all.")] = "",
    config: options.Config = None,
) -> None:
    """Compare every sample with the checksum that was written with it; exit code 1 on damage."""
    archive = _archive(config)
    if bed:
        _known(archive, bed)
    records = damaged = 0
    for name in [bed] if bed else archive.beds():
        for found in archive.damage(name):
            records += 1
            damaged += bool(found)
            for each in found:
                typer.echo(f"{name:<16}{_damage(each)}")
    typer.echo(f"{records} records read, {damaged} damaged.")
    if damaged:
        raise typer.Exit(1)


@group.command()
def strip(
    bed: Bed,
    event: EventId = "",
    at: Annotated[str, typer.Option(help=f"A moment instead of an alarm: {moments.HELP}")] = "",
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long, with --at.")] = STRIP_S,
    svg: Annotated[
        Path | None, typer.Option(help="Write pages for a printer: 25 mm/s, 10 mm/mV.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="As the node sent it, unfiltered.")] = False,
    config: options.Config = None,
) -> None:
    """Draw a stretch of the trace, here or as a page at true scale."""
    archive = _archive(config)
    _known(archive, bed)
    if bool(event) == bool(at):
        raise BedsideError("Name an alarm with --event, or a moment with --at.")
    if at:
        from_us = moments.moment_us(at)
        chosen = _between(archive, bed, from_us, from_us + round(seconds * 1e6))
    else:
        chosen = _chosen(archive, bed, "", "", event)
    found = [piece for piece, _ in chosen]
    if not found:
        raise BedsideError(f"Nothing of bed {bed} lies there: bedside records list {bed} tells.")
    if svg is not None:
        _write_pages(found, svg, filtered=not raw)
        return
    from bedside import settings
    from bedside.tui import glyphs, strip

    drawing = glyphs.glyph_set(settings.load(config).screen.glyphs)
    for piece in found:
        for line in strip.lines(piece, drawing, _columns(), filtered=not raw):
            typer.echo(line)
    typer.echo("Not a medical device; not to scale. --svg draws it at 25 mm/s and 10 mm/mV.")


@group.command()
def delete(
    bed: Bed,
    since: From = "",
    until: To = "",
    strips: Annotated[
        bool, typer.Option("--strips", help="The strips of alarms too, which else stay.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: options.Config = None,
) -> None:
    """Delete a bed's recording, whole hours of it; the alarm log stays."""
    from bedside import settings
    from bedside.recording import deletion

    recordings = settings.load(config).station.data_dir / "recordings"
    from_us = moments.moment_us(since) if since else 0
    to_us = moments.moment_us(until) if until else LAST_US
    segments = deletion.doomed(recordings, bed, from_us, to_us, strips=strips)
    if not segments:
        raise BedsideError(
            f"No whole hour of bed {bed} lies there that a station is not writing: nothing deleted."
        )
    size_mb = sum(each.size_bytes for each in segments) / 1e6
    if not yes:
        typer.confirm(
            f"Delete {len(segments)} records of bed {bed}, {_local(segments[0].from_wall_us)} to "
            f"{_local(max(each.to_wall_us for each in segments))}, {size_mb:.1f} MB, for good?",
            abort=True,
        )
    with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
        for _ in bar.track(deletion.delete(segments), len(segments), description="Deleting"):
            pass
    typer.echo(f"Deleted {len(segments)} records of bed {bed}, {size_mb:.1f} MB.")


def _archive(config: Path | None) -> Archive:
    from bedside import settings
    from bedside.recording.archive import Archive

    return Archive(settings.load(config).station.data_dir)


def _damage(damage: Damage) -> str:
    if not damage.seconds:
        return f"the journal {damage.path} has records that cannot be read"
    when = _local(damage.from_wall_us) if damage.from_wall_us else "at an unknown time"
    return f"{damage.seconds:.1f} s from {when} are not what was recorded, in {damage.path}"


def _known(archive: Archive, bed: str) -> None:
    known = archive.beds()
    if bed not in known:
        names = ", ".join(known) or "none yet"
        raise BedsideError(f"There is no recording of bed {bed}; recorded are: {names}.")


def _chosen(
    archive: Archive, bed: str, since: str, until: str, event_id: str
) -> Iterator[tuple[Piece, float]]:
    """The pieces of an alarm or of a time, each with the share done with it."""
    from bedside.recording.export.piece import piece_of

    if event_id:
        if since or until:
            raise BedsideError("Give an alarm or a time, not both.")
        found = archive.strip(_event(archive, bed, event_id))
        events = archive.events(bed)
        for number, stretch in enumerate(found, 1):
            yield piece_of(stretch, events), number / len(found)
        return
    yield from _between(archive, bed, *_range(archive, bed, since, until, ""))


def _range(archive: Archive, bed: str, since: str, until: str, event_id: str) -> tuple[int, int]:
    """The Unix times in µs between which an alarm with its strip, or a time, lies."""
    if event_id:
        event = _event(archive, bed, event_id)
        around_us = round(60e6)
        return event.onset_wall_us - around_us, event.active_wall_us + around_us
    from_us = moments.moment_us(since) if since else 0
    return from_us, moments.moment_us(until) if until else LAST_US


def _between(archive: Archive, bed: str, from_us: int, to_us: int) -> Iterator[tuple[Piece, float]]:
    from bedside.recording.export.piece import pieces

    return pieces(archive, bed, from_us, to_us)


def _event(archive: Archive, bed: str, event_id: str) -> ArchivedEvent:
    found = next((e for e in archive.events(bed) if e.event_id == event_id), None)
    if found is None:
        raise BedsideError(f"Bed {bed} has no alarm {event_id}: bedside records list {bed} tells.")
    return found


def _write_pages(found: list[Piece], svg: Path, *, filtered: bool) -> None:
    from bedside.recording.strips import pages

    drawn = [page for piece in found for page in pages(piece, filtered=filtered)]
    paths = [
        svg if number == 1 else svg.with_stem(f"{svg.stem}-{number}")
        for number in range(1, len(drawn) + 1)
    ]
    try:
        for path, page in zip(paths, drawn, strict=True):
            path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BedsideError(
            f"{svg} cannot be written ({error.strerror}): choose another file."
        ) from error
    typer.echo(f"{len(paths)} pages, the first one {paths[0]}; print them at 100 %.")


def _columns() -> int:
    import shutil

    return max(40, shutil.get_terminal_size((DEFAULT_COLUMNS, 24)).columns)


def _local(wall_us: int) -> str:
    return f"{datetime.fromtimestamp(wall_us / 1e6).astimezone():%Y-%m-%d %H:%M:%S}"


def _length(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"

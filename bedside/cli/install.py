"""`bedside install`: the service and its broker on this machine; `bedside install remove`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bedside.cli import options
from bedside.errors import SettingsError

if TYPE_CHECKING:
    from bedside.installation.steps import Step

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]


group = typer.Typer(invoke_without_command=True)


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="install")


@group.callback()
def install(
    context: typer.Context,
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name or address under which nodes reach this machine; repeat."),
    ] = None,
    station: Annotated[str, typer.Option(help="The station's name.")] = "bedside",
    dry_run: DryRun = False,
) -> None:
    """Make this machine a monitor: broker, user, configuration and a service that always runs.

    Run it again at will: what is done is left alone.
    """
    if context.invoked_subcommand is not None:
        return
    from bedside.installation.steps import System, check, steps

    system = System(Path(sys.executable), tuple(host or options.own_names()), station)
    if not dry_run:
        check(system)
    if take(steps(system), dry_run):
        typer.echo(
            f"\nThe configuration is {system.configuration_file}, the log: journalctl -u bedside\n"
            "Next: sudo bedside broker add-node NAME"
        )


@group.command()
def remove(dry_run: DryRun = False) -> None:
    """Take the service away; recordings, logs, keys and configuration stay."""
    from bedside.installation.steps import System, check, removal

    system = System(Path(sys.executable), ())
    if not dry_run:
        check(system)
    if take(removal(system), dry_run):
        typer.echo("/etc/bedside, /etc/mosquitto/bedside and /var/lib/bedside are left as they are")


def take(steps: list[Step], dry_run: bool) -> bool:
    """Take what has not been taken; returns whether anything was."""
    left = False
    for step in steps:
        if step.taken():
            typer.echo(f"done already: {step.words}")
        elif dry_run:
            typer.echo(f"would {step.words}")
        else:
            typer.echo(step.words)
            try:
                step.take()
            except OSError as error:
                raise SettingsError(
                    f"{error.filename} cannot be written ({error.strerror}): mend that and run "
                    "this again."
                ) from error
            left = True
    return left

"""`bedside kiosk …`: this machine's own display becomes the bedside screen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bedside.cli.install import DryRun, take

if TYPE_CHECKING:
    from bedside.installation.kiosk import Kiosk

group = typer.Typer(
    no_args_is_help=True, help="This machine's display as a bedside screen, and nothing else."
)

Configuration = Annotated[
    Path, typer.Option("--config", help="What bedside screen --config is given.")
]
Width = Annotated[
    float, typer.Option(min=0, max=5000, help="Width of the display in mm, for a true 25 mm/s.")
]
Points = Annotated[float, typer.Option(min=6, max=40, help="Size of the letters.")]

DEFAULT = Path("/etc/bedside/kiosk.toml")


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="kiosk")


@group.command()
def install(
    config: Configuration = DEFAULT,
    width_mm: Width = 0.0,
    font_points: Points = 14.0,
    dry_run: DryRun = False,
) -> None:
    """Start the screen with the machine: labwc, foot and a unit that logs its user in."""
    from bedside.installation.kiosk import check_configuration, kiosk_steps, system_of
    from bedside.installation.steps import check

    kiosk = _kiosk(config, width_mm, font_points)
    if not dry_run:
        check(system_of(kiosk))
        check_configuration(kiosk)
    take(kiosk_steps(kiosk), dry_run)


@group.command()
def remove(dry_run: DryRun = False) -> None:
    """Take the screen away; the station stays."""
    from bedside.installation.kiosk import kiosk_removal, system_of
    from bedside.installation.steps import check

    kiosk = _kiosk(DEFAULT, 0.0, 14.0)
    if not dry_run:
        check(system_of(kiosk))
    take(kiosk_removal(kiosk), dry_run)


@group.command("print")
def show(
    config: Configuration = DEFAULT, width_mm: Width = 0.0, font_points: Points = 14.0
) -> None:
    """Print every file that install would write."""
    for path, (text, mode) in _kiosk(config, width_mm, font_points).files().items():
        typer.echo(f"──── {path} ({mode:o})\n{text}")


def _kiosk(config: Path, width_mm: float, font_points: float) -> Kiosk:
    from bedside.installation.kiosk import Kiosk

    return Kiosk(Path(sys.executable), config, width_mm, font_points)

"""`bedside screen`: the screen of a station that runs elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bedside import settings as settings_file
from bedside.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("screen")(screen)


def screen(
    station: Annotated[
        str | None, typer.Option(help="Host of the station's broker; else the configuration's.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Its port.")] = None,
    name: Annotated[str | None, typer.Option(help="The station's name, station.name.")] = None,
    bed: Annotated[str | None, typer.Option(help="The bed to show first.")] = None,
    username: Annotated[str | None, typer.Option(help="User name at the broker.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="A file with the password, which only you can read.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="The broker's certificate authority: use TLS.")
    ] = None,
    config: options.Config = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="Leave after this many seconds; 0: stay.")
    ] = 0.0,
) -> None:
    """Show and operate a running station from here: its pipeline runs there, once."""
    from bedside.remote_feed import RemoteFeed
    from bedside.tui.app import BedsideApp

    settings = settings_file.load(config)
    broker = {
        "host": station,
        "port": port,
        "username": username,
        "password_file": password_file,
        "ca_file": ca_file,
    }
    given = {key: value for key, value in broker.items() if value is not None}
    settings = settings_file.with_values(settings, "broker", given)
    if name is not None:
        settings = settings_file.with_values(settings, "station", {"name": name})
    options.log_nowhere()
    with RemoteFeed(settings, options.operator()) as feed:
        if bed is not None:
            feed.wait_for(bed)
        BedsideApp(
            feed,
            bed,
            settings.screen,
            stop_after_s=seconds,
            export_folder=settings.station.data_dir / "exports",
        ).run()

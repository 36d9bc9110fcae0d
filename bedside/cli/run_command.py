"""`bedside run`: the station, with its screen or as a service."""

from __future__ import annotations

import gc
import signal
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from bedside import settings as settings_file
from bedside.cli import options
from bedside.settings import Settings

if TYPE_CHECKING:
    from bedside.station import Station


_NEW_OBJECTS = 20_000
"""So many more objects than before, and the interpreter looks for what nobody holds."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    headless: Annotated[
        bool, typer.Option("--headless", help="Run as a service, without a screen.")
    ] = False,
    unattended: Annotated[
        bool,
        typer.Option(
            "--unattended",
            help="Start although the broker is away, alarm, and wait for it: for a service.",
        ),
    ] = False,
    beds: Annotated[
        list[str] | None,
        typer.Option(
            help="Serve the nodes that fit this shell pattern, such as 'icu-*'; may be repeated. "
            "Several stations share a broker's nodes by disjoint patterns."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of this station; each on one broker needs its own."),
    ] = None,
    config: options.Config = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="Stop after this many seconds; 0: run on.")
    ] = 0.0,
) -> None:
    """Serve the beds whose nodes speak on the configured broker."""
    from bedside.alert_transport import alert_transport
    from bedside.headless import Printer
    from bedside.node.link import check
    from bedside.sounder import Sounder
    from bedside.station import Station

    settings = settings_file.load(config)
    given = {"bed_names": beds, "name": name}
    given = {key: value for key, value in given.items() if value}
    settings = settings_file.with_values(settings, "station", given)
    if not unattended:
        check(settings.broker.address())
    # A bed leaves no cycles behind: to look for them after each 700 new objects, among those of all
    # beds, takes a twentieth of the time.
    gc.set_threshold(_NEW_OBJECTS)
    if headless:
        options.log_to_stderr()
        printer = Printer()
        station = Station(
            settings,
            alert_transport(settings.alerts),
            on_event=printer.event,
            sounder=Sounder(),
        )
        station.start()
        try:
            with _metrics(settings, station):
                _until_stopped(seconds)
        finally:
            station.stop()
        printer.finish(station.summary())
        return
    from bedside.tui.app import BedsideApp

    options.log_to(settings.station.data_dir / "bedside.log")
    station = Station(settings, alert_transport(settings.alerts), sounder=Sounder())
    station.start()
    try:
        BedsideApp(
            station.feed(options.operator()),
            settings=settings.screen,
            stop_after_s=seconds,
            export_folder=settings.station.data_dir / "exports",
        ).run()
    finally:
        station.stop()


def _metrics(settings: Settings, station: Station) -> AbstractContextManager[object]:
    if settings.station.metrics_port is None:
        return nullcontext()
    from bedside.metrics import MetricsServer

    return MetricsServer(settings.station.metrics_port, station.measures)


def _until_stopped(seconds: float) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait(seconds or None)

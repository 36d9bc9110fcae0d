"""`bedside demo`: a real patient's record through the whole path, with nothing to set up."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from bedside.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Print one JSON object per event, no screen.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=0, help="Stop after this many seconds of signal; 0: never.")
    ] = 0.0,
    speed: Annotated[float, typer.Option(min=0.1, max=50, help="Replay this much faster.")] = 1.0,
    glyphs: Annotated[
        str, typer.Option(help="Draw with braille, block or ascii (for the Linux console).")
    ] = "braille",
    record: Annotated[
        Path | None, typer.Option(help="Play this WFDB record instead (path without extension).")
    ] = None,
) -> None:
    """Show a real patient's ECG through node, broker, analysis, alarms and alert.

    Five minutes of MIT-BIH record 208, a training record, with a synthetic ventricular
    tachycardia and a lead-off after 40 s. No network, no account, nothing else to start.
    """
    from bedside.demo import Demo
    from bedside.headless import Printer

    if headless:
        options.log_to_stderr()
        printer = Printer()
        with Demo(record, speed, printer.event) as running:
            running.play(seconds or math.inf)
        printer.finish(running.station.summary())
        return
    from bedside.settings import ScreenSettings
    from bedside.sounder import Sounder
    from bedside.tui.app import BedsideApp
    from bedside.tui.glyphs import glyph_set

    options.log_nowhere()
    # Faster than life, an alarm would ring without end.
    with Demo(record, speed, sounder=Sounder() if speed <= 1.0 else None) as running:
        BedsideApp(
            running.station.feed(options.operator()),
            settings=ScreenSettings.model_validate({"glyphs": glyph_set(glyphs).name}),
            stop_after_s=seconds / speed,
        ).run()

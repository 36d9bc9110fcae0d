"""Options that several commands share, and the logging they set up."""

from __future__ import annotations

import getpass
import logging
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from bedside.errors import SettingsError

Config = Annotated[
    Path | None, typer.Option("--config", help="The configuration file, bedside.toml.")
]

AlarmsPerDay = Annotated[
    float,
    typer.Option(min=0.1, max=100, help="How many false alarms of abnormal beats a day to bear."),
]

MARKS = {True: "ok   ", False: "FAULT", None: "?    "}
"""What stands before a finding: well, to be mended, not known."""


def log_to_stderr() -> None:
    """One line a message on stderr, for a service's journal."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def log_nowhere() -> None:
    """No log at all: a line on stderr would write over the screen."""
    logging.getLogger().addHandler(logging.NullHandler())


def log_to(path: Path) -> None:
    """Log into a file, since a screen may not be written over."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(
            filename=path,
            level=logging.WARNING,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
    except OSError as error:
        raise SettingsError(
            f"The log {path} cannot be written ({error.strerror}): set station.data_dir."
        ) from error


def operator() -> str:
    """Who sits at this terminal, for the alarm log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def own_names() -> list[str]:
    """How this machine is called on its own network, where nobody says otherwise."""
    name = socket.gethostname()
    return [name, f"{name}.local"] if "." not in name else [name]

"""Damaged databases: kept under another name for whoever looks after the machine, never deleted."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from pathlib import Path

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's primary codes of a file that is no sound database."""


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 where it gave none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def set_aside(path: Path) -> Path:
    """Give a database, closed, and what SQLite keeps beside it another name; returns that."""
    aside = next(
        free
        for number in itertools.count(1)
        if not (free := path.with_name(f"{path.name}.damaged-{number}")).exists()
    )
    for part in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + part).rename(aside.with_name(aside.name + part))
    return aside


def set_aside_before(path: Path) -> list[Path]:
    """What was set aside of the database at `path` and still lies there."""
    beside = path.parent.glob(f"{path.name}.damaged-*")
    return sorted(each for each in beside if each.name[-1].isdigit())

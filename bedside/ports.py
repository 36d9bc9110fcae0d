"""Where things go that leave the beds of a station; each port returns at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bedside.delivery.alert import Alert
from bedside.events import Batch, Event, Instance, ScoreRequest
from bedside.recording.beats import BeatNote, StripNote
from bedside.recording.bed_file import BedFile


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A row for the alarm log; `wall_us` and `at_us` are those of what happened."""

    kind: str
    content: dict[str, Any]
    wall_us: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Ports:
    """Where things go; False says that it was refused.

    `written` waits until the rows that were logged so far are on disk, and never longer than
    a fifth of a second: what is shown survives a kill, and a slow disk hides nothing.
    """

    score: Callable[[str, ScoreRequest], bool]
    record: Callable[[Batch | BeatNote | StripNote], bool]
    log: Callable[[LogEntry], bool]
    written: Callable[[], bool]
    keep: Callable[[str, BedFile], bool]
    alert: Callable[[Alert], bool]
    follow: Callable[[str, Instance], bool]
    patient_left: Callable[[str], bool]
    publish: Callable[[str, bytes, int, bool], bool]
    show: Callable[[str, Event, int], None]
    now_us: Callable[[], int]
    wall_us: Callable[[], int]

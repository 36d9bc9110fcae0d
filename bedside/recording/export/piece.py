"""What one exported file holds: at most an hour of signal, with its beats and alarms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from bedside.events import Float64Array, Int16Array
from bedside.recording.archive import Archive, Stretch
from bedside.recording.archived_event import ArchivedEvent
from bedside.recording.runs import INVALID_SAMPLE

LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Part of a bed's recording, and the alarms that became active in it."""

    stretch: Stretch
    events: tuple[ArchivedEvent, ...]

    @property
    def bed(self) -> str:
        """The bed."""
        return self.stretch.span.bed

    @property
    def rate_hz(self) -> float:
        """Samples a second, as measured."""
        return self.stretch.span.rate_hz

    @property
    def nv_per_lsb(self) -> int:
        """Resolution in nV."""
        return self.stretch.span.nv_per_lsb

    @property
    def samples_mv(self) -> Float64Array:
        """The signal, shape (n,), NaN where it is missing."""
        return self.stretch.samples_mv

    @property
    def start(self) -> datetime:
        """The moment of the first sample, UTC."""
        return datetime.fromtimestamp(self.stretch.from_wall_us / 1e6, UTC)

    @property
    def name(self) -> str:
        """A file's name: bed and start, UTC to the second, boot for those without a clock."""
        boot = f"_{self.stretch.span.boot_id:08x}"
        return f"{self.bed}_{self.start:%Y%m%dT%H%M%SZ}{boot}"

    def units(self) -> Int16Array:
        """The samples as the node sent them, in steps of `nv_per_lsb`; −32768 where missing."""
        units = np.rint(self.samples_mv / (self.nv_per_lsb * 1e-6))
        return np.where(np.isfinite(units), units, INVALID_SAMPLE).astype(np.int16)

    def seconds(self, sample: int) -> float:
        """When a sample is, from the start on."""
        return (sample - self.stretch.first_sample) / self.rate_hz

    def marks(self) -> list[tuple[float, str]]:
        """The alarms as seconds from the start and words, in order."""
        return [
            (
                active_s(self.stretch, event),
                f"alarm {event.priority.mark} {event.code}: {event.text}",
            )
            for event in self.events
        ]

    def missing(self) -> list[tuple[float, float]]:
        """Holes as seconds from the start and their length."""
        gone = np.flatnonzero(np.isnan(self.samples_mv))
        if len(gone) == 0:
            return []
        runs = np.split(gone, np.flatnonzero(np.diff(gone) > 1) + 1)
        return [(float(run[0]) / self.rate_hz, len(run) / self.rate_hz) for run in runs]


def pieces(
    archive: Archive, bed: str, from_wall_us: int, to_wall_us: int
) -> Iterator[tuple[Piece, float]]:
    """The pieces of a bed between two moments, oldest first, each with the share done with it.

    One at a time is in memory. Raises BedsideError.
    """
    events = archive.events(bed)
    spans = [
        (max(span.from_wall_us, from_wall_us), min(span.to_wall_us, to_wall_us), span)
        for span in archive.spans(bed)
    ]
    total_us = sum(max(0, end - begin) for begin, end, _ in spans)
    step_us = round(LONGEST_S * 1e6)
    done_us = 0
    for begin_us, end_us, span in spans:
        for at_us in range(begin_us, end_us, step_us):
            until_us = min(at_us + step_us, end_us)
            done_us += until_us - at_us
            for stretch in archive.read(bed, at_us, until_us):
                if stretch.span == span:
                    yield piece_of(stretch, events), done_us / total_us


def piece_of(stretch: Stretch, events: Sequence[ArchivedEvent]) -> Piece:
    """A stretch with those of its bed's alarms that became active in it."""
    length_s = len(stretch.samples_mv) / stretch.span.rate_hz
    within = [event for event in events if 0 <= active_s(stretch, event) < length_s]
    return Piece(stretch, tuple(within))


def active_s(stretch: Stretch, event: ArchivedEvent) -> float:
    """When an alarm became active, in seconds from the start of a stretch.

    By the node's sample where both are of one boot, since node and station need not agree on the
    time; else by the clock.
    """
    span = stretch.span
    if event.sample is not None and event.boot_id == span.boot_id:
        return (event.sample - stretch.first_sample) / span.rate_hz
    return (event.active_wall_us - stretch.from_wall_us) / 1e6


def onset_s(stretch: Stretch, event: ArchivedEvent) -> float:
    """When the cause of an alarm began, in seconds from the start of a stretch."""
    return active_s(stretch, event) - (event.active_wall_us - event.onset_wall_us) / 1e6

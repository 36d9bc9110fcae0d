"""What the disk holds of each bed, for whoever looks back: a review screen, an export, a strip.

    archive = Archive(settings.station.data_dir)
    archive.beds()                            names, those with a recording
    archive.spans("icu-1")                    unbroken stretches, oldest first
    archive.read("icu-1", from_us, to_us)     the signal between two moments, with its beats
    archive.trend("icu-1", from_us, to_us)    heart rate, ectopics and error per minute
    archive.events("icu-1", from_us, to_us)   its alarms, oldest first
    archive.strip(event)                      the signal around one, also after its hour went

Moments are Unix time in µs: by the node's clock where that was set, else as batches came. Any
process may read beside a running station, whose last seconds (`recording.sync_every_s`) are not on
disk yet. What is read of a journal is kept in memory until the file changes, so that the trend of
72 h, or any page of it, is a matter of milliseconds. Nothing is analysed again: beats were recorded
when they were found live. One thread calls an archive.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bedside.alarms.log import AFTER_THE_LAST
from bedside.errors import RecordError
from bedside.events import Float64Array
from bedside.recording.archived_event import ArchivedEvent, events_of
from bedside.recording.beats import RecordedBeat
from bedside.recording.journal import BeatTable
from bedside.recording.retention import STRIPS
from bedside.recording.runs import INVALID_SAMPLE, LAST_WALL_US
from bedside.recording.spans import Span, spans_of
from bedside.recording.stored_segment import StoredSegment
from bedside.recording.trend import Trend, trend_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Part of a span: `samples_mv` has shape (n,), NaN where a sample is missing."""

    span: Span
    first_sample: int
    samples_mv: Float64Array
    beats: tuple[RecordedBeat, ...]

    @property
    def from_wall_us(self) -> int:
        """The moment of the first sample."""
        return self.span.wall_us(self.first_sample)

    @property
    def to_wall_us(self) -> int:
        """The moment of the end."""
        return self.span.wall_us(self.first_sample + len(self.samples_mv))


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch whose samples, or a journal whose records, are not as they were written.

    `from_wall_us` is 0 where no clock told it; `seconds` is 0 for a journal.
    """

    path: Path
    from_wall_us: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class _Signal:
    """All segments of one boot with one rate and gain, in order, and their spans."""

    segments: tuple[StoredSegment, ...]
    spans: tuple[Span, ...]


class Archive:
    """The recordings and the alarm log below a station's data folder."""

    def __init__(self, data_dir: Path) -> None:
        """Nothing is read yet; a folder without recordings is an empty archive."""
        self._recordings = data_dir / "recordings"
        self._log_path = data_dir / "alarms.sqlite"
        self._opened: dict[Path, tuple[int, int, StoredSegment | None]] = {}
        self._tables: dict[Path, tuple[StoredSegment, BeatTable]] = {}

    def beds(self) -> list[str]:
        """The beds with a recording, by name. Raises RecordError."""
        try:
            found = [path for path in self._recordings.iterdir() if path.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self._recordings, error) from error
        return sorted(path.name for path in found)

    def spans(self, bed: str) -> list[Span]:
        """The unbroken stretches of a bed, oldest first. Raises RecordError."""
        spans = [span for signal in self._signals(bed) for span in signal.spans]
        return sorted(spans, key=lambda span: span.from_wall_us)

    def read(self, bed: str, from_wall_us: int, to_wall_us: int) -> list[Stretch]:
        """The signal of a bed between two moments, oldest first: a stretch for each span.

        It reads 0.5 kB a second from disk, and holds 2 kB a second in memory. Raises RecordError.
        """
        found = []
        for signal in self._signals(bed):
            for span in signal.spans:
                first, end = span.sample_at(from_wall_us), span.sample_at(to_wall_us)
                if first < end:
                    found.append(self._stretch(signal, span, first, end))
        return sorted(found, key=lambda stretch: stretch.from_wall_us)

    def damage(
        self, bed: str, from_wall_us: int = 0, to_wall_us: int = LAST_WALL_US
    ) -> Iterator[list[Damage]]:
        """What of each segment of a bed the disk has changed since, a list for each one read.

        Raises RecordError.
        """
        for segment in self._segments(bed):
            try:
                rows = segment.damaged()
            except OSError as error:
                raise _unreadable(segment.path, error) from error
            found = [
                Damage(
                    segment.path.with_suffix(".dat"),
                    int(row["wall_us"]),
                    int(row["count"]) * 1000 / int(row["rate_mhz"]),
                )
                for row in rows
                if not row["wall_us"] or from_wall_us <= row["wall_us"] < to_wall_us
            ]
            if segment.journal.damaged:
                found.append(Damage(segment.path.with_suffix(".idx"), 0, 0.0))
            yield found

    def trend(self, bed: str, from_wall_us: int, to_wall_us: int, every_s: float = 60.0) -> Trend:
        """The course of a bed's heart rate, ectopics and error. Raises RecordError."""
        beats = [
            (span, table.within(span.first_sample, span.end_sample))
            for signal in self._signals(bed)
            for table in [_joined([self._beats(segment) for segment in signal.segments])]
            for span in signal.spans
            if span.to_wall_us > from_wall_us and span.from_wall_us < to_wall_us
        ]
        return trend_of(beats, from_wall_us, to_wall_us, every_s)

    def events(
        self, bed: str, from_wall_us: int = 0, to_wall_us: int | None = None
    ) -> list[ArchivedEvent]:
        """The alarms of a bed that became active between two moments, oldest first.

        Raises BedsideError where the alarm log is damaged.
        """
        return [
            event
            for event in events_of(self._log_path, bed)
            if from_wall_us <= event.active_wall_us
            and (to_wall_us is None or event.active_wall_us < to_wall_us)
        ]

    def latest_events(
        self, bed: str, most: int, to_wall_us: int = AFTER_THE_LAST
    ) -> list[ArchivedEvent]:
        """The last alarms of a bed, oldest first, as the log stood at a moment, or now.

        Raises BedsideError where the alarm log is damaged or locked.
        """
        return events_of(self._log_path, bed, to_wall_us, most)

    def strip(
        self, event: ArchivedEvent, before_s: float = 30.0, after_s: float = 30.0
    ) -> list[Stretch]:
        """The signal from before an event's onset to after it alarmed; empty where it is gone.

        Found by the node's sample where the log has it, so that clocks do not matter. Raises
        RecordError.
        """
        onset_s = (event.active_wall_us - event.onset_wall_us) / 1e6
        if event.boot_id is None or event.sample is None:
            from_us = event.onset_wall_us - round(before_s * 1e6)
            return self.read(event.bed, from_us, event.active_wall_us + round(after_s * 1e6))
        found = []
        for signal in self._signals(event.bed):
            for span in signal.spans:
                if span.boot_id != event.boot_id:
                    continue
                first = event.sample - round((before_s + onset_s) * span.rate_hz)
                end = event.sample + round(after_s * span.rate_hz)
                first, end = max(first, span.first_sample), min(end, span.end_sample)
                if first < end:
                    found.append(self._stretch(signal, span, first, end))
        return sorted(found, key=lambda stretch: stretch.first_sample)

    # ── segments ──────────────────────────────────────────────────────────────────────────────

    def _signals(self, bed: str) -> list[_Signal]:
        together: dict[tuple[int, int, int], list[StoredSegment]] = {}
        for segment in self._segments(bed):
            form = segment.format
            key = form.boot_id, form.rate_hz, form.nv_per_lsb
            together.setdefault(key, []).append(segment)
        return [_Signal(tuple(segments), spans_of(bed, segments)) for segments in together.values()]

    def _segments(self, bed: str) -> Iterator[StoredSegment]:
        folder = self._recordings / bed
        try:
            # Strips first: where an hour is still there, it is the newer of the two.
            paths = [*sorted((folder / STRIPS).glob("*.idx")), *sorted(folder.glob("*.idx"))]
        except OSError as error:
            raise _unreadable(folder, error) from error
        for path in paths:
            try:
                found = path.stat()
                known = self._opened.get(path)
                if known is None or known[:2] != (found.st_mtime_ns, found.st_size):
                    known = found.st_mtime_ns, found.st_size, StoredSegment.open(path)
                    self._opened[path] = known
                    if known[2] is None:
                        _log.warning("the journal %s is damaged: what it tells is left out", path)
            except FileNotFoundError:
                continue
            except OSError as error:
                _log.warning("%s cannot be read (%s)", path, error.strerror)
                continue
            if known[2] is not None:
                yield known[2]

    def _beats(self, segment: StoredSegment) -> BeatTable:
        known = self._tables.get(segment.path)
        if known is None or known[0] is not segment:
            known = segment, segment.beats()
            self._tables[segment.path] = known
        return known[1]

    def _stretch(self, signal: _Signal, span: Span, first: int, end: int) -> Stretch:
        units = np.full(end - first, INVALID_SAMPLE, np.int16)
        beats: dict[int, RecordedBeat] = {}
        for segment in signal.segments:
            begin = max(first, segment.format.start_sample)
            stop = min(end, segment.format.end_sample)
            if begin >= stop:
                continue
            try:
                part = segment.samples(begin, stop)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(segment.path, error) from error
            there = part != INVALID_SAMPLE
            units[begin - first : stop - first][there] = part[there]
            for beat in self._beats(segment).within(begin, stop).beats(span.boot_id):
                beats[beat.sample] = beat
        samples_mv = units.astype(np.float64) * (span.nv_per_lsb * 1e-6)
        samples_mv[units == INVALID_SAMPLE] = np.nan
        return Stretch(span, first, samples_mv, tuple(beats[sample] for sample in sorted(beats)))


def _joined(tables: list[BeatTable]) -> BeatTable:
    """Beats of several segments in order; a strip repeats some of its hour's."""
    samples = np.concatenate([table.sample for table in tables])
    _, first = np.unique(samples, return_index=True)
    return BeatTable(
        samples[first],
        np.concatenate([table.beat_class for table in tables])[first],
        np.concatenate([table.error for table in tables])[first],
        np.concatenate([table.abnormal for table in tables])[first],
    )


def _unreadable(path: Path, error: OSError) -> RecordError:
    reason = (error.strerror or str(error)).lower()
    return RecordError(f"The recording {path} cannot be read ({reason}): check its permissions.")

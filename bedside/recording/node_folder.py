"""A node's folder as the recorder knows it; what a start reads of it, and mends where damaged.

The files themselves are `recorder`'s; who reads them beside a station uses `archive`.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path

from bedside.events import Batch
from bedside.private_file import write_private
from bedside.ranges import Ranges
from bedside.recording.beats import RecordedBeat
from bedside.recording.journal import RECORD_BYTES, Records
from bedside.recording.runs import Place, Staged
from bedside.recording.segment import Segment
from bedside.recording.stored_segment import StoredSegment

_SEGMENT_NAME = re.compile(r"([0-9a-f]{8})_(\d{4,})(?:_(\d+))?")
_RATE_TOLERANCE = 0.005
_WAITING_NOTES = 20_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signal:
    """What makes two batches of one boot fit into one segment."""

    rate_hz: int
    nv_per_lsb: int

    def fits(self, batch: Batch) -> bool:
        """Whether a batch goes on with this signal."""
        off = abs(batch.rate_hz - self.rate_hz) / self.rate_hz
        return self.nv_per_lsb == batch.nv_per_lsb and off <= _RATE_TOLERANCE


@dataclass(slots=True)
class Boot:
    """What is known of one boot of a node; `signals` are numbered from 1 in their order."""

    signals: dict[int, Signal] = field(default_factory=dict)
    signal_in_use: int = 0
    pace: tuple[int, float] | None = None
    """A sample of it, and the time in s at which it was there, as far as this run knows."""
    end_sample: int = 0
    written: Ranges = field(default_factory=Ranges)
    synced: Ranges = field(default_factory=Ranges)

    def restore(self, first: int, last: int) -> None:
        """These sequence numbers lie on disk already."""
        self.written.add(first, last)
        self.synced.add(first, last)


@dataclass(frozen=True, slots=True)
class Keep:
    """A stretch of a boot that outlives its hour."""

    boot_id: int
    from_sample: int
    to_sample: int


@dataclass(slots=True)
class NodeFolder:
    """A node's folder: its boots, its open segments and what awaits a sync."""

    folder: Path
    boots: dict[int, Boot] = field(default_factory=dict)
    open: dict[Place, Segment] = field(default_factory=dict)
    dirty: set[Place] = field(default_factory=set)
    staged: list[Staged] = field(default_factory=list)
    notes: deque[RecordedBeat | Keep] = field(default_factory=lambda: deque(maxlen=_WAITING_NOTES))
    damaged: tuple[Path, ...] = ()
    begun: int = 0
    """How many segments were ever begun."""
    heard_s: float | None = None
    """When a batch last came."""
    grown: bool = False
    """Whether one was begun since the last look at the budget."""

    def boot(self, boot_id: int) -> Boot:
        """A boot of the node, known or new."""
        if boot_id not in self.boots:
            self.boots[boot_id] = Boot()
        return self.boots[boot_id]


def load_node(name: str, folder: Path) -> NodeFolder:
    """What the journals of a folder tell; a torn end is repaired and synced. Raises OSError."""
    node = NodeFolder(folder)
    begun: set[tuple[int, int]] = set()
    finished: set[tuple[int, int]] = set()
    found = _intact(name, node)
    for segment, rows in sorted(found, key=lambda each: each[0].format.number):
        form = segment.format
        match = _SEGMENT_NAME.fullmatch(segment.path.name)
        assert match is not None
        boot = node.boots.pop(form.boot_id, None) or Boot()
        node.boots[form.boot_id] = boot
        boot.signals[int(match[3] or 1)] = Signal(form.rate_hz, form.nv_per_lsb)
        boot.signal_in_use = int(match[3] or 1)
        node.begun = max(node.begun, form.number)
        for row in rows:
            first, sequence = int(row["first_sample"]), int(row["sequence"])
            if first + int(row["count"]) > form.end_sample:
                begun.add((form.boot_id, sequence))
            elif first < form.start_sample:
                finished.add((form.boot_id, sequence))
            else:
                boot.restore(sequence, sequence + int(row["batches"]) - 1)
    for boot_id, sequence in begun & finished:
        node.boot(boot_id).restore(sequence, sequence)
    node.damaged = tuple(sorted(folder.glob("*.damaged")))
    return node


def _intact(name: str, node: NodeFolder) -> list[tuple[StoredSegment, Records]]:
    """The segments of a node with the rows that hold; what is damaged is kept aside, too."""
    found: list[tuple[StoredSegment, Records]] = []
    folder = node.folder
    # In the order in which they were written last: so a damaged one finds its number.
    for path in sorted(folder.glob("*.idx"), key=lambda each: each.stat().st_mtime_ns):
        if not _SEGMENT_NAME.fullmatch(path.stem) or path.stat().st_size == 0:
            continue
        try:
            stored = StoredSegment.open(path.with_suffix(""))
        except OSError as error:
            _log.error("%s cannot be read (%s): check the disk", path, error.strerror)
            continue
        if stored is None or stored.format.boot_id != int(path.stem[:8], 16):
            aside = path.with_suffix(".idx.damaged")
            path.rename(aside)
            _log.error("the journal %s is damaged: kept as %s, its samples stay", path, aside.name)
            continue
        if stored.headless:
            number = 1 + max((each.format.number for each, _ in found), default=0)
            stored = _with_a_head(stored, number)
        rows = stored.journal.rows
        if not stored.journal.sealed:
            rows = _verified(name, stored)
        found.append((stored, rows))
    return found


def _with_a_head(stored: StoredSegment, number: int) -> StoredSegment:
    """Write a journal's first record anew; the file as it was found is kept beside it."""
    path = stored.path.with_suffix(".idx")
    content = path.read_bytes()
    form = replace(stored.format, number=number)
    aside = path.with_suffix(".idx.damaged")
    write_private(aside, content)
    write_private(path, form.pack() + content[RECORD_BYTES:])
    _log.error("the head of the journal %s was damaged, as %s keeps it", path, aside.name)
    mended = StoredSegment.open(stored.path)
    assert mended is not None
    return mended


def _verified(name: str, stored: StoredSegment) -> Records:
    """The rows whose samples are there as they were written.

    The last rows may miss theirs: a power cut took them, and their nodes send them again. Where
    later ones are whole the disk has changed what it held: it is struck out, and kept in a file
    beside it.
    """
    segment = Segment(name, stored.path, stored.format)
    try:
        rows = segment.verify()
        whole = {row.tobytes() for row in rows}
        missing = [row.tobytes() not in whole for row in stored.journal.rows]
        torn = next((n for n, gone in enumerate(reversed(missing)) if not gone), len(missing))
        if torn:
            _log.warning("%s: %d stretches did not reach the disk", stored.path, torn)
        hurt = stored.journal.rows[: len(missing) - torn][missing[: len(missing) - torn]]
        if len(hurt):
            _strike_out(segment, stored, hurt, rows)
        segment.sync()
        segment.seal()
    finally:
        segment.close()
    return rows


def _strike_out(segment: Segment, stored: StoredSegment, hurt: Records, whole: Records) -> None:
    """Nobody shall take damaged samples for a heart's: what no whole row vouches for goes."""
    form = stored.format
    places = Ranges()
    for row in hurt:
        first = max(int(row["first_sample"]), form.start_sample)
        end = min(int(row["first_sample"]) + int(row["count"]), form.end_sample)
        if first < end:
            places.add(first, end - 1)
    for row in whole if places else ():
        places.remove(int(row["first_sample"]), int(row["first_sample"]) + int(row["count"]) - 1)
    aside = stored.path.with_suffix(".dat.damaged")
    note = aside.read_text() if aside.exists() else ""
    for first, last in places:
        found = segment.strike_out(first, last + 1)
        note += f"samples {first} to {last} were found as {found.hex()}\n"
    write_private(aside, note.encode())
    _log.error("%s: %d stretches were damaged, as %s keeps them", stored.path, len(hurt), aside)

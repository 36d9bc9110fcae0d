"""The recorder: every batch to disk at once, as WFDB records that grow.

    FOLDER/NODE/BOOTID_HOUR.dat   16-bit samples of one hour, missing ones −32768
                          .hea    the WFDB header, so that `wfdb` opens the record as it lies there
                          .idx    the journal, from which a restart knows what is stored

A sample's place in its file follows from its index alone, so a late batch closes its gap where it
belongs and a repeated one changes nothing. A boot whose rate changes by more than 0.5 % or whose
gain changes goes on in `BOOTID_HOUR_2` and so on.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.errors import RecordError
from bedside.events import Batch
from bedside.ranges import Range, Ranges
from bedside.recording.journal import RECORD_BYTES, SegmentFormat
from bedside.recording.segment import Segment

_SEGMENT_NAME = re.compile(r"([0-9a-f]{8})_\d{4,}(?:_(\d+))?")
_NODE_NAME = re.compile(r"[a-z0-9-]{1,32}")
_RATE_TOLERANCE = 0.005
_LAST_SAMPLE = 1 << 48


_Place = tuple[int, int, int]
"""Boot id, number of the signal, hour: what names a segment of a node."""


@dataclass(frozen=True, slots=True)
class _Signal:
    """What makes two batches of one boot fit into one segment."""

    rate_hz: int
    nv_per_lsb: int

    def fits(self, batch: Batch) -> bool:
        off = abs(batch.rate_hz - self.rate_hz) / self.rate_hz
        return self.nv_per_lsb == batch.nv_per_lsb and off <= _RATE_TOLERANCE


@dataclass(slots=True)
class _Boot:
    """What is known of one boot of a node; `signals` are numbered from 1 in their order."""

    signals: dict[int, _Signal] = field(default_factory=dict)
    signal_in_use: int = 0
    written: Ranges = field(default_factory=Ranges)
    synced: Ranges = field(default_factory=Ranges)

    def restore(self, sequences: NDArray[np.integer[Any]]) -> None:
        breaks = np.flatnonzero(np.diff(sequences) != 1) + 1
        for run in np.split(sequences, breaks) if len(sequences) else ():
            self.written.add(int(run[0]), int(run[-1]))
            self.synced.add(int(run[0]), int(run[-1]))


@dataclass(slots=True)
class _Node:
    """A node's folder: its boots, its open segments and what awaits a sync."""

    folder: Path
    boots: dict[int, _Boot] = field(default_factory=dict)
    open: dict[_Place, Segment] = field(default_factory=dict)
    dirty: set[_Place] = field(default_factory=set)
    unsynced: list[tuple[int, int]] = field(default_factory=list)

    def boot(self, boot_id: int) -> _Boot:
        if boot_id not in self.boots:
            self.boots[boot_id] = _Boot()
        return self.boots[boot_id]


SequenceRanges = dict[tuple[str, int], list[Range]]
"""Ranges of sequence numbers by (node, boot id)."""


class SyncError(RecordError):
    """A sync failed. `unwritten` no longer counts as written: the nodes have to send it again."""

    def __init__(self, sentence: str, unwritten: SequenceRanges) -> None:
        super().__init__(sentence)
        self.unwritten = unwritten


class Recorder:
    """Writes batches below `folder`, which belongs to one recorder at a time.

    It owns no thread and is not thread-safe: one thread calls it.
    """

    def __init__(self, folder: Path, sync_every_s: float = 10.0) -> None:
        """Open `folder`, made where it is missing.

        Raises `RecordError` when it cannot be written or another recorder has it.
        """
        self._folder = folder
        self._sync_every_s = sync_every_s
        self._last_sync_s: float | None = None
        self._nodes: dict[str, _Node] = {}
        self._again: list[tuple[str, int, int]] = []
        self._failure: SyncError | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise RecordError(_sentence(folder, error)) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise RecordError(
                f"Another station is recording into {folder}: stop it, or set another folder."
            ) from error

    def stored(self, node: str) -> dict[int, list[Range]]:
        """What is safely on disk of `node`: by boot id the ranges of sequence numbers, in order.

        The first call for a node reads its journals, repairs a torn end and syncs what a killed
        process had not. Raises `RecordError` when the node's folder cannot be read.
        """
        boots = self._node(node).boots
        return {boot_id: list(boot.synced) for boot_id, boot in boots.items()}

    def write(self, batch: Batch) -> None:
        """Write a batch at once; it survives a killed process from here, a power cut from `sync`.

        A batch that is stored already is not written again, but is reported by the next `sync`.
        Raises `RecordError` when the disk refuses; whatever was written before stays as it was,
        and the batch does not count as written.
        """
        node = self._node(batch.node)
        boot = node.boot(batch.boot_id)
        if batch.sequence in boot.written:
            if batch.sequence in boot.synced:
                self._again.append((batch.node, batch.boot_id, batch.sequence))
            return
        if batch.nv_per_lsb <= 0 or batch.end_sample > _LAST_SAMPLE:
            raise RecordError(
                f"Node {batch.node} sends no gain or no possible sample index: update its firmware."
            )
        try:
            for place in _places(boot, batch):
                node.dirty.add(place)
                _segment(node, boot, place).write(batch)
        except OSError as error:
            raise RecordError(_sentence(node.folder, error)) from error
        boot.written.add(batch.sequence, batch.sequence)
        node.unsynced.append((batch.boot_id, batch.sequence))

    def sync(self, now_s: float, *, at_once: bool = False) -> SequenceRanges:
        """Bring what was written to the disk, when `sync_every_s` has passed or `at_once`.

        Returns what is safe to acknowledge: the batches synced by this call, and those synced
        earlier that came again. Raises `SyncError` when a node's files could not be synced: what
        was written of it since the last sync counts as not written. What other nodes had synced is
        then returned first, and the error raised by the next call.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        waited = self._last_sync_s is None or now_s - self._last_sync_s >= self._sync_every_s
        if not (waited or at_once):
            return {}
        self._last_sync_s = now_s
        safe, self._again = self._again, []
        for name, node in self._nodes.items():
            unsynced = [(name, boot_id, sequence) for boot_id, sequence in node.unsynced]
            try:
                _sync_node(node)
            except OSError as error:
                _forget_unsynced(node)
                earlier: SequenceRanges = self._failure.unwritten if self._failure else {}
                self._failure = SyncError(
                    _sentence(node.folder, error), earlier | _in_ranges(unsynced)
                )
                continue
            for _, boot_id, sequence in unsynced:
                node.boot(boot_id).synced.add(sequence, sequence)
            node.unsynced.clear()
            safe += unsynced
        if self._failure is not None and not safe:
            return self.sync(now_s)
        return _in_ranges(safe)

    def close(self) -> None:
        """Close every file and let another recorder have the folder; call `sync` before."""
        for node in self._nodes.values():
            for segment in node.open.values():
                segment.close()
        self._nodes.clear()
        os.close(self._lock)

    def _node(self, name: str) -> _Node:
        if name not in self._nodes:
            if not _NODE_NAME.fullmatch(name):
                raise RecordError(f"{name!r} is no node's name: use a-z, 0-9 and -, at most 32.")
            folder = self._folder / name
            try:
                folder.mkdir(exist_ok=True, mode=0o700)
                self._nodes[name] = _load(name, folder)
            except OSError as error:
                raise RecordError(_sentence(folder, error)) from error
        return self._nodes[name]


def _places(boot: _Boot, batch: Batch) -> Iterator[_Place]:
    number = _signal_number(boot, batch)
    hour_samples = 3600 * boot.signals[number].rate_hz
    last_hour = (batch.end_sample - 1) // hour_samples
    for hour in range(batch.first_sample // hour_samples, last_hour + 1):
        yield batch.boot_id, number, hour


def _segment(node: _Node, boot: _Boot, place: _Place) -> Segment:
    if place not in node.open:
        boot_id, number, hour = place
        signal = boot.signals[number]
        name = f"{boot_id:08x}_{hour:04d}" + (f"_{number}" if number > 1 else "")
        start_sample = hour * 3600 * signal.rate_hz
        node.open[place] = Segment(
            node.folder.name,
            node.folder / name,
            SegmentFormat(boot_id, signal.rate_hz, signal.nv_per_lsb, start_sample),
        )
    return node.open[place]


def _signal_number(boot: _Boot, batch: Batch) -> int:
    in_order = sorted(boot.signals, key=lambda number: number != boot.signal_in_use)
    number = next((n for n in in_order if boot.signals[n].fits(batch)), None)
    if number is None:
        number = max(boot.signals, default=0) + 1
        boot.signals[number] = _Signal(round(batch.rate_hz), batch.nv_per_lsb)
    boot.signal_in_use = number
    return number


def _sync_node(node: _Node) -> None:
    for place in sorted(node.dirty & node.open.keys()):
        node.open[place].sync()
    for place in node.open.keys() - node.dirty:
        node.open.pop(place).close()
    node.dirty.clear()


def _in_ranges(sequences: list[tuple[str, int, int]]) -> SequenceRanges:
    found: dict[tuple[str, int], Ranges] = {}
    for name, boot_id, sequence in sequences:
        found.setdefault((name, boot_id), Ranges()).add(sequence, sequence)
    return {key: list(ranges) for key, ranges in found.items()}


def _forget_unsynced(node: _Node) -> None:
    # After a failed fsync the kernel may call lost pages clean: only writing again is safe.
    for boot_id, sequence in node.unsynced:
        node.boot(boot_id).written.remove(sequence, sequence)
    node.unsynced.clear()
    for segment in node.open.values():
        segment.close()
    node.open.clear()
    node.dirty.clear()


def _load(name: str, folder: Path) -> _Node:
    node = _Node(folder)
    begun: set[tuple[int, int]] = set()
    finished: set[tuple[int, int]] = set()
    for path in sorted(folder.glob("*.idx")):
        match = _SEGMENT_NAME.fullmatch(path.stem)
        if match is None or path.stat().st_size < RECORD_BYTES:
            continue
        with path.open("rb") as journal:
            form = SegmentFormat.unpack(journal.read(RECORD_BYTES))
        if form is None or form.boot_id != int(match[1], 16):
            path.rename(path.with_suffix(".idx.damaged"))
            continue
        boot = node.boot(form.boot_id)
        boot.signals[int(match[2] or 1)] = _Signal(form.rate_hz, form.nv_per_lsb)
        segment = Segment(name, path.with_suffix(""), form)
        try:
            segment.sync()
            rows = segment.rows()
        finally:
            segment.close()
        firsts = rows["first_sample"].astype(np.int64)
        goes_on = firsts + rows["count"] > form.end_sample
        comes_in = firsts < form.start_sample
        boot.restore(rows["sequence"][~goes_on & ~comes_in].astype(np.int64))
        begun |= {(form.boot_id, sequence) for sequence in rows["sequence"][goes_on].tolist()}
        finished |= {(form.boot_id, sequence) for sequence in rows["sequence"][comes_in].tolist()}
    for boot_id, sequence in begun & finished:
        node.boot(boot_id).restore(np.array([sequence]))
    return node


def _sentence(folder: Path, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"The recording in {folder} failed ({reason}): free space or set another folder."

"""The recorder: batches as WFDB records that grow, the newest hours of each bed.

    FOLDER/NODE/BOOTID_HOUR.dat   16-bit samples of one hour, missing ones −32768
                          .hea    the WFDB header, so that `wfdb` opens the record as it lies there
                          .idx    the journal: which batches are stored, and the beats
    FOLDER/NODE/strips/…          the same for what is kept of hours that went

A batch waits for the next sync in memory that outlives this process (`staging`); then the samples
of all that waited go to disk in one write. A sample's place in its file follows from its index
alone, so a late batch closes its gap where it belongs and a repeated one changes nothing. A boot
whose rate changes by more than 0.5 % or whose gain changes goes on in `BOOTID_HOUR_2` and so on.

When a bed has more than its hours, its oldest segment goes (`retention`). So a batch whose index
runs ahead of time is refused: what it skips would count as hours.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from bedside.errors import RecordError
from bedside.events import Batch
from bedside.ranges import Range, Ranges
from bedside.recording.beats import BeatNote, StripNote
from bedside.recording.filing import forget, sync_files, write_staged
from bedside.recording.newest import newest
from bedside.recording.node_folder import Boot, Keep, NodeFolder, load_node
from bedside.recording.retention import budget_bytes, prune, prune_strips
from bedside.recording.runs import Staged
from bedside.recording.staging import Staging

KEEP_H = 72.0
STRIPS_MB = 200
LOW_SPACE_MB = 500

FASTEST_HZ = 1100
"""No node samples faster than 1000 Hz, by a clock that is not much off."""

AHEAD_S = 3600.0
"""So far ahead of that a sample may be, for what a station could not know of the time before."""

TOLD_FOR_S = 60.0
STRIP_S = 30.0
"""What is kept before and after an event."""
LONGEST_ONSET_S = 600.0
"""An onset that lies further back is not kept."""

_BREATH_S = 0.005
"""Between two nodes of a sync: a ward's, one after the other, would keep the analysis waiting."""

_NODE_NAME = re.compile(r"[a-z0-9-]{1,32}")
_LAST_SAMPLE = 1 << 48

_log = logging.getLogger(__name__)


SequenceRanges = dict[tuple[str, int], list[Range]]
"""Ranges of sequence numbers by (node, boot id)."""


class AheadOfTimeError(RecordError):
    """A node counts samples that cannot have been sampled yet; its recording would be their gap."""


class SyncError(RecordError):
    """A sync failed. `unwritten` no longer counts as written: the nodes have to send it again."""

    def __init__(self, sentence: str, unwritten: SequenceRanges) -> None:
        super().__init__(sentence)
        self.unwritten = unwritten


class Recorder:
    """Writes batches below `folder`, which belongs to one recorder at a time.

    It owns no thread and is not thread-safe: one thread calls it.
    """

    def __init__(
        self,
        folder: Path,
        sync_every_s: float = 20.0,
        *,
        keep_h: float = KEEP_H,
        strips_mb: int = STRIPS_MB,
        low_space_mb: int = LOW_SPACE_MB,
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        """Open `folder`, made where it is missing, and take up what a killed process had staged.

        `keep_h` hours of signal and `strips_mb` of strips stay of each node; `wall_us` dates the
        batches of a node without a clock. Raises `RecordError` when the folder cannot be written or
        another recorder has it.
        """
        self._folder = folder
        self._sync_every_s = sync_every_s
        self._keep_h = keep_h
        self._strips_mb = strips_mb
        self._low_space_mb = low_space_mb
        self._wall_us = wall_us
        self._last_sync_s: float | None = None
        self._now_s = 0.0
        self._ahead: tuple[float, str] | None = None
        self._nodes: dict[str, NodeFolder] = {}
        self._again: list[tuple[str, int, int, int]] = []
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
        self._staging = Staging(folder)
        self._take_up()

    def stored(self, node: str) -> dict[int, list[Range]]:
        """What is safely on disk of `node`: by boot id the ranges of sequence numbers.

        The most recent boot comes last. The first call for a node reads its journals, repairs a
        torn end and syncs what a killed process had not. Raises `RecordError` when the node's
        folder cannot be read.
        """
        boots = self._node(node).boots
        return {boot_id: list(boot.synced) for boot_id, boot in boots.items()}

    def newest(self, node: str, seconds: float) -> list[Batch]:
        """The last seconds on disk of a node's most recent boot, oldest first; `stored` as well."""
        known = self._node(node)
        return newest(node, known.folder, [*known.boots][-1], seconds) if known.boots else []

    def write(self, batch: Batch) -> None:
        """Take a batch; it survives a killed process from here, a power cut from `sync`.

        A batch that is stored already is not written again, but is reported by the next `sync`.
        Raises `RecordError` for a batch that fits no record, and where the node's folder cannot be
        read; `AheadOfTimeError` for one whose index runs ahead of the time that `sync` was told,
        because the hours between would push out all that is recorded.
        """
        node = self._node(batch.node)
        boot = node.boots.get(batch.boot_id)
        if not self._in_time(node, boot, batch):
            words = f"node {batch.node} counts samples faster than time: update its firmware"
            self._ahead = self._now_s, words
            raise AheadOfTimeError(words)
        boot = node.boot(batch.boot_id)
        node.heard_s = self._now_s
        boot.pace = boot.pace or (batch.first_sample, self._now_s)
        boot.end_sample = max(boot.end_sample, batch.end_sample)
        if batch.sequence in boot.written:
            if batch.sequence in boot.synced:
                self._again.append((batch.node, batch.boot_id, batch.sequence, batch.sequence))
            return
        staged = Staged(batch, self._wall_us())
        self._stage(staged)
        self._staging.add(staged)

    def _in_time(self, node: NodeFolder, boot: Boot | None, batch: Batch) -> bool:
        """Whether what a batch skips can have been sampled since the node was last heard."""
        if boot is None and node.heard_s is not None:
            # It started after the last batch of the boot before, at index 0.
            known_sample, known_s, end_sample = 0, node.heard_s, 0
        elif boot is not None and boot.pace is not None:
            (known_sample, known_s), end_sample = boot.pace, boot.end_sample
        else:
            return True
        since = known_sample + (self._now_s - known_s) * FASTEST_HZ + AHEAD_S * batch.rate_hz
        return batch.first_sample <= max(end_sample, since)

    def note(self, note: BeatNote | StripNote) -> None:
        """Take a beat, or word of an alarm; it reaches the disk with the next sync.

        What alarmed is kept from 30 s before its onset to 30 s after it alarmed, also when the
        hour around it goes.
        """
        if note.node not in self._nodes:
            return
        node = self._nodes[note.node]
        if isinstance(note, BeatNote):
            node.notes.append(note.beat)
            return
        boot = node.boots.get(note.boot_id)
        if boot is None or not boot.signals:
            return
        rate_hz = boot.signals[max(boot.signal_in_use, 1)].rate_hz
        before_s = min(note.since_s, LONGEST_ONSET_S) + STRIP_S
        first = max(0, note.sample - round(before_s * rate_hz))
        node.notes.append(Keep(note.boot_id, first, note.sample + round(STRIP_S * rate_hz)))

    def sync(self, now_s: float, *, at_once: bool = False) -> SequenceRanges:
        """Bring what was taken to the disk, when `sync_every_s` has passed or `at_once`.

        Returns what is safe to acknowledge: the batches synced by this call, and those synced
        earlier that came again. Raises `SyncError` when a node's files could not be written or
        synced: what was taken of it since the last sync counts as not written. What other nodes had
        synced is then returned first, and the error raised by the next call.
        """
        self._now_s = now_s
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        waited = self._last_sync_s is None or now_s - self._last_sync_s >= self._sync_every_s
        if not (waited or at_once):
            return {}
        self._last_sync_s = now_s
        for name, node in self._nodes.items():
            self._sync_node(name, node)
            if not at_once:
                time.sleep(_BREATH_S)
        self._staging.clear()
        safe, self._again = self._again, []
        if self._failure is not None and not safe:
            return self.sync(now_s)
        return _in_ranges(safe)

    def damaged(self) -> list[Path]:
        """Files that tell of damage that was found, for as long as nobody takes them away."""
        return [path for node in self._nodes.values() for path in node.damaged if path.exists()]

    def shortage(self) -> str:
        """What is not recorded for want of room on the disk, or of sense in a node's count, in
        words; empty while all is.
        """
        if self._ahead is not None and self._now_s - self._ahead[0] < TOLD_FOR_S:
            return self._ahead[1]
        try:
            disk = os.statvfs(self._folder)
        except OSError as error:
            return (error.strerror or str(error)).lower()
        free_mb = disk.f_bavail * disk.f_frsize // 1_000_000
        return f"only {free_mb} MB are free" if free_mb < self._low_space_mb else ""

    def close(self) -> None:
        """Close every file and let another recorder have the folder; call `sync` before."""
        for node in self._nodes.values():
            for segment in node.open.values():
                if not node.staged:
                    with contextlib.suppress(OSError):
                        segment.seal()
                segment.close()
        self._nodes.clear()
        self._staging.close()
        os.close(self._lock)

    def _take_up(self) -> None:
        for staged in self._staging.left():
            try:
                self._stage(staged)
            except RecordError as error:
                _log.warning("%s", error)
        for name, node in self._nodes.items():
            self._sync_node(name, node)

    def _node(self, name: str) -> NodeFolder:
        if name not in self._nodes:
            if not _NODE_NAME.fullmatch(name):
                raise RecordError(f"{name!r} is no node's name: use a-z, 0-9 and -, at most 32.")
            folder = self._folder / name
            try:
                folder.mkdir(exist_ok=True, mode=0o700)
                self._nodes[name] = load_node(name, folder)
            except OSError as error:
                raise RecordError(_sentence(folder, error)) from error
        return self._nodes[name]

    def _stage(self, staged: Staged) -> None:
        batch = staged.batch
        node = self._node(batch.node)
        boot = node.boot(batch.boot_id)
        if batch.sequence in boot.written:
            return
        if batch.nv_per_lsb <= 0 or batch.end_sample > _LAST_SAMPLE:
            raise RecordError(
                f"Node {batch.node} sends no gain or no possible sample index: update its firmware."
            )
        boot.written.add(batch.sequence, batch.sequence)
        node.staged.append(staged)

    def _sync_node(self, name: str, node: NodeFolder) -> None:
        """Write and sync what waits of a node; a failure is kept for `sync` to raise."""
        waiting = [
            (name, each.batch.boot_id, each.batch.sequence, each.batch.sequence)
            for each in node.staged
        ]
        try:
            write_staged(name, node)
            sync_files(node)
        except OSError as error:
            forget(node)
            self._failed(node, error, _in_ranges(waiting))
            return
        for _, boot_id, sequence, _ in waiting:
            node.boot(boot_id).synced.add(sequence, sequence)
        node.staged.clear()
        self._again += waiting
        if node.grown:
            try:
                self._prune(name, node)
            except OSError as error:
                self._failed(node, error, {})

    def _failed(self, node: NodeFolder, error: OSError, unwritten: SequenceRanges) -> None:
        earlier: SequenceRanges = self._failure.unwritten if self._failure else {}
        self._failure = SyncError(_sentence(node.folder, error), earlier | unwritten)

    def _prune(self, name: str, node: NodeFolder) -> None:
        newest = max(node.open.values(), key=lambda segment: segment.format.number, default=None)
        if newest is None:
            return
        in_use = {segment.path for segment in node.open.values()}
        budget = budget_bytes(self._keep_h, newest.format.rate_hz)
        remaining = prune(name, node.folder, budget, in_use)
        prune_strips(node.folder, self._strips_mb * 1_000_000)
        node.grown = False
        boots = {each.path.name[:8] for each in remaining}
        node.boots = {
            boot_id: boot for boot_id, boot in node.boots.items() if f"{boot_id:08x}" in boots
        }


def _in_ranges(sequences: list[tuple[str, int, int, int]]) -> SequenceRanges:
    found: dict[tuple[str, int], Ranges] = {}
    for name, boot_id, first, last in sequences:
        found.setdefault((name, boot_id), Ranges()).add(first, last)
    return {key: list(ranges) for key, ranges in found.items()}


def _sentence(folder: Path, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"The recording in {folder} failed ({reason}): free space or set another folder."

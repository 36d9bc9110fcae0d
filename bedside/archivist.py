"""Who keeps what lies on disk of the beds: a thread that writes, syncs, and says how that goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bedside import set_aside
from bedside.errors import RecordError
from bedside.events import Batch
from bedside.recording import bed_file
from bedside.recording.beats import BeatNote, StripNote
from bedside.recording.bed_file import BedFile
from bedside.recording.recorder import AheadOfTimeError, Recorder, SequenceRanges, SyncError
from bedside.worker import Worker

MOST_WAITING = 20_000


@dataclass(frozen=True, slots=True)
class _Kept:
    """A bed's state for the disk."""

    bed: str
    content: BedFile


class Archivist:
    """Takes batches, notes and the states of beds from any thread, once its `worker` runs."""

    def __init__(
        self,
        recorder: Recorder,
        beds_folder: Path,
        log_path: Path,
        *,
        every_s: float,
        together_s: float,
        now_us: Callable[[], int],
        stored: Callable[[SequenceRanges, bool], None],
        well: Callable[[str, bool, str], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`stored` hears what was brought to the disk, or, where it is not safe, could not be.

        `well` hears how the disk fares, and whether damaged files are kept: of the recording, and
        of the alarm log at `log_path`. `failed` hears what went wrong besides. Every `every_s` it
        looks whether a sync is due; what comes within `together_s` is written together.
        """
        self._recorder = recorder
        self._beds_folder = beds_folder
        self._log_path = log_path
        self._now_us = now_us
        self._stored = stored
        self._well = well
        self._shortage = ""
        self._damage = ""
        self.worker = Worker[Batch | BeatNote | StripNote | _Kept](
            "disk",
            self._write,
            capacity=MOST_WAITING,
            every_s=every_s,
            together_s=together_s,
            idle=self._sync,
            failed=failed,
        )

    def put(self, item: Batch | BeatNote | StripNote) -> bool:
        """Take what is to be recorded; False when too much waits."""
        return self.worker.put(item)

    def keep(self, bed: str, content: BedFile) -> bool:
        """Take a bed's state; False when too much waits."""
        return self.worker.put(_Kept(bed, content))

    def _write(self, item: Batch | BeatNote | StripNote | _Kept) -> None:
        match item:
            case Batch():
                try:
                    self._recorder.write(item)
                except RecordError as error:
                    lost = {(item.node, item.boot_id): [(item.sequence, item.sequence)]}
                    self._stored(lost, False)
                    if not isinstance(error, AheadOfTimeError):
                        raise  # what is ahead of time comes again and again: `shortage` tells
            case BeatNote() | StripNote():
                self._recorder.note(item)
            case _Kept():
                bed_file.save(self._beds_folder / f"{item.bed}.json", item.content)

    def _sync(self) -> None:
        try:
            ranges = self._recorder.sync(self._now_us() / 1e6)
        except SyncError as error:
            self._stored(error.unwritten, False)
            raise
        if ranges:
            self._stored(ranges, True)
        shortage = self._recorder.shortage()
        if shortage:
            self._well("disk", False, shortage)
        elif ranges or self._shortage:
            self._well("disk", True, "")
        self._shortage = shortage
        self._look_for_damage()

    def _look_for_damage(self) -> None:
        """What was damaged is kept, and shown until somebody has taken it away."""
        kept = [*set_aside.set_aside_before(self._log_path), *self._recorder.damaged()]
        damage = f"{kept[0]} keeps what it was; take it away" if kept else ""
        if damage != self._damage:
            self._damage = damage
            self._well("damage", not damage, damage)

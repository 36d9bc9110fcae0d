"""What of a bed's recording stays: the newest hours, and the newest strips of its events.

The budget is counted in the disk's blocks, in the order in which segments were begun. No clock
has a say in it, so a clock that jumps deletes nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bedside.events import Batch, Flags
from bedside.recording.journal import SegmentFormat
from bedside.recording.runs import Run, Staged
from bedside.recording.segment import Segment
from bedside.recording.stored_segment import SAMPLE_BYTES, StoredSegment

STRIPS = "strips"
"""The folder beside a node's segments that holds the strips of events."""

_SUFFIXES = (".idx", ".hea", ".dat", ".idx.damaged", ".dat.damaged", ".hea.new")
_JOURNAL_HOUR_BYTES = 98_304
_SPARE_H = 1


@dataclass(frozen=True, slots=True, order=True)
class OnDisk:
    """A segment's files; `number` is 0 where no journal vouches for them: those go first."""

    path: Path
    number: int = 0

    def blocks_bytes(self) -> int:
        """What the files take up, with what is reserved beyond their end."""
        taken = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):
                taken += path.stat().st_blocks * 512
        return taken

    def remove(self) -> None:
        """Delete the files, the journal first: what a crash leaves has none and goes next time."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        return (self.path.with_name(self.path.name + suffix) for suffix in _SUFFIXES)


def budget_bytes(keep_h: float, rate_hz: int) -> int:
    """The most that one bed's segments may take: `keep_h` hours and the one that grows."""
    hour_bytes = 3600 * rate_hz * SAMPLE_BYTES + _JOURNAL_HOUR_BYTES
    return round((keep_h + _SPARE_H) * hour_bytes)


def segments_in(folder: Path) -> list[OnDisk]:
    """All segments of a node's folder, oldest first. Raises OSError."""
    names = {path.name.split(".")[0] for path in folder.iterdir() if path.suffix}
    found = []
    for name in names:
        stored = None
        with contextlib.suppress(OSError):
            stored = StoredSegment.open(folder / name)
        found.append(OnDisk(folder / name, stored.format.number if stored else 0))
    return sorted(found, key=lambda each: (each.number, each.path))


def prune(node: str, folder: Path, budget: int, in_use: Collection[Path]) -> list[OnDisk]:
    """Delete a node's oldest segments until the rest fits; cut the strips of events out before.

    What is `in_use` stays. Returns what remains, oldest first. Raises OSError.
    """
    segments = segments_in(folder)
    taken = sum(each.blocks_bytes() for each in segments)
    for each in list(segments):
        if taken <= budget:
            break
        if each.path in in_use:
            continue
        taken -= each.blocks_bytes()
        save_strips(node, each.path)
        each.remove()
        segments.remove(each)
    return segments


def prune_strips(folder: Path, budget: int) -> None:
    """Delete a node's strips, the oldest first, until the rest fits. Raises OSError."""
    strips = folder / STRIPS
    if not strips.is_dir():
        return
    found = sorted(
        (path.stat().st_mtime_ns, OnDisk(path.with_suffix(""))) for path in strips.glob("*.idx")
    )
    taken = sum(each.blocks_bytes() for _, each in found)
    for _, each in found:
        if taken <= budget:
            return
        taken -= each.blocks_bytes()
        each.remove()


def save_strips(node: str, path: Path) -> None:
    """Copy the stretches to keep that reach into the segment at `path`. Raises OSError."""
    stored = _opened(path)
    if stored is None:
        return
    form = stored.format
    beside = [
        other
        for other in map(_opened, path.parent.glob(f"{form.boot_id:08x}_*.idx"))
        if other is not None and _fits(other.format, form)
    ]
    marks = {
        (int(keep["from_sample"]), int(keep["to_sample"]))
        for segment in beside
        for keep in segment.journal.keeps
    }
    for first, end in sorted(marks):
        if first < form.end_sample and end > form.start_sample:
            _cut(node, path.parent / STRIPS, beside, first, end)


def _opened(path: Path) -> StoredSegment | None:
    try:
        return StoredSegment.open(path.with_suffix(""))
    except FileNotFoundError:
        return None


def _fits(other: SegmentFormat, form: SegmentFormat) -> bool:
    return (other.boot_id, other.rate_hz, other.nv_per_lsb) == (
        form.boot_id,
        form.rate_hz,
        form.nv_per_lsb,
    )


def _cut(node: str, folder: Path, sources: list[StoredSegment], first: int, end: int) -> None:
    form = replace(sources[0].format, start_sample=first, length=end - first, number=0)
    path = folder / f"{form.boot_id:08x}_{first}"
    there = _opened(path)
    if there is not None and there.journal.sealed:
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    OnDisk(path).remove()
    strip = Segment(node, path, form)
    try:
        for source in sources:
            for row in source.journal.rows:
                _copy_row(strip, node, source, row)
            beats = source.beats().within(first, end).beats(form.boot_id)
            if beats:
                strip.write_beats(beats)
        strip.keep(first, end)
        strip.sync()
        strip.seal()
    finally:
        strip.close()
    _sync_folder(folder.parent)


def _copy_row(strip: Segment, node: str, source: StoredSegment, row: np.void) -> None:
    form, of = strip.format, source.format
    row_first = int(row["first_sample"])
    row_end = row_first + int(row["count"])
    begin = max(row_first, form.start_sample, of.start_sample)
    stop = min(row_end, form.end_sample, of.end_sample)
    if begin >= stop or source.damaged_within(begin, stop):
        return
    rate_mhz, wall_us = int(row["rate_mhz"]), int(row["wall_us"])
    heard_us = 0
    if wall_us:
        wall_us += round((begin - row_first) * 1e9 / rate_mhz)
        heard_us = wall_us + round((stop - begin) * 1e9 / rate_mhz)
    batch = Batch(
        node=node,
        flags=Flags(int(row["flags"])),
        boot_id=form.boot_id,
        sequence=int(row["sequence"]),
        first_sample=begin,
        wall_us=wall_us,
        rate_mhz=rate_mhz,
        nv_per_lsb=form.nv_per_lsb,
        dropped=0,
        lowest_held=0,
        samples=source.samples(begin, stop),
    )
    strip.write(Run((form.boot_id, 1, 0), Staged(batch, heard_us), alone=True))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

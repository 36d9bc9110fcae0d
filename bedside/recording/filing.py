"""What waits of a node goes into its segments: each sample where its index alone puts it."""

from __future__ import annotations

from pathlib import Path

from bedside.events import Batch
from bedside.recording.beats import RecordedBeat
from bedside.recording.journal import SegmentFormat
from bedside.recording.node_folder import Boot, NodeFolder, Signal
from bedside.recording.retention import OnDisk
from bedside.recording.runs import Place, runs
from bedside.recording.segment import Segment
from bedside.recording.stored_segment import StoredSegment


def write_staged(name: str, node: NodeFolder) -> None:
    """Write the batches that wait, and the notes on what is there. Raises OSError."""
    for run in runs(node.staged, lambda batch: _places(node.boot(batch.boot_id), batch)):
        node.dirty.add(run.place)
        _segment(name, node, run.place).write(run)
    beats: dict[Place, list[RecordedBeat]] = {}
    for note in node.notes:
        boot = node.boots.get(note.boot_id)
        if boot is None or not boot.signals:
            continue
        if isinstance(note, RecordedBeat):
            beats.setdefault(_place_of(note.boot_id, boot, note.sample), []).append(note)
            continue
        for sample in (note.to_sample - 1, note.from_sample):
            place = _place_of(note.boot_id, boot, sample)
            if _there(node, place):
                node.dirty.add(place)
                _segment(name, node, place).keep(note.from_sample, note.to_sample)
                break
    for place, found in beats.items():
        if _there(node, place):
            node.dirty.add(place)
            _segment(name, node, place).write_beats(sorted(found, key=lambda beat: beat.sample))


def sync_files(node: NodeFolder) -> None:
    """Bring what was written to the disk; seal the segments that were left. Raises OSError."""
    for place in sorted(node.dirty & node.open.keys()):
        node.open[place].sync()
    for place in node.open.keys() - node.dirty:
        segment = node.open.pop(place)
        try:
            segment.seal()
        finally:
            segment.close()
    node.dirty.clear()
    node.notes.clear()


def forget(node: NodeFolder) -> None:
    """Take nothing of what was written for written.

    After a failed fsync the kernel may call lost pages clean: only writing again is safe.
    """
    for staged in node.staged:
        sequence = staged.batch.sequence
        node.boot(staged.batch.boot_id).written.remove(sequence, sequence)
    node.staged.clear()
    for segment in node.open.values():
        segment.close()
    node.open.clear()
    node.dirty.clear()


def _places(boot: Boot, batch: Batch) -> list[Place]:
    number = _signal_number(boot, batch)
    hour_samples = 3600 * boot.signals[number].rate_hz
    last_hour = (batch.end_sample - 1) // hour_samples
    hours = range(batch.first_sample // hour_samples, last_hour + 1)
    return [(batch.boot_id, number, hour) for hour in hours]


def _place_of(boot_id: int, boot: Boot, sample: int) -> Place:
    number = max(boot.signal_in_use, 1)
    return boot_id, number, sample // (3600 * boot.signals[number].rate_hz)


def _path(node: NodeFolder, place: Place) -> Path:
    boot_id, number, hour = place
    return node.folder / (f"{boot_id:08x}_{hour:04d}" + (f"_{number}" if number > 1 else ""))


def _there(node: NodeFolder, place: Place) -> bool:
    return place in node.open or _path(node, place).with_suffix(".idx").exists()


def _segment(name: str, node: NodeFolder, place: Place) -> Segment:
    if place not in node.open:
        boot_id, number, hour = place
        signal = node.boots[boot_id].signals[number]
        path = _path(node, place)
        form = _known_format(path)
        if form is None:
            hour_samples = 3600 * signal.rate_hz
            form = SegmentFormat(
                boot_id,
                signal.rate_hz,
                signal.nv_per_lsb,
                start_sample=hour * hour_samples,
                length=hour_samples,
                number=node.begun + 1,
            )
        segment = Segment(name, path, form)
        try:
            segment.reserve()
        except OSError:
            segment.close()
            if form.number > node.begun:
                OnDisk(path).remove()
            raise
        if form.number > node.begun:
            node.begun, node.grown = form.number, True
        node.open[place] = segment
    return node.open[place]


def _known_format(path: Path) -> SegmentFormat | None:
    try:
        stored = StoredSegment.open(path)
    except FileNotFoundError:
        return None
    return stored.format if stored else None


def _signal_number(boot: Boot, batch: Batch) -> int:
    in_order = sorted(boot.signals, key=lambda number: number != boot.signal_in_use)
    number = next((n for n in in_order if boot.signals[n].fits(batch)), None)
    if number is None:
        number = max(boot.signals, default=0) + 1
        boot.signals[number] = Signal(round(batch.rate_hz), batch.nv_per_lsb)
    boot.signal_in_use = number
    return number

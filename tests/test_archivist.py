"""What the beds send comes to the disk on a thread of its own, which tells how that goes."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bedside.archivist import Archivist
from bedside.events import BedState
from bedside.recording import bed_file
from bedside.recording.bed_file import BedFile
from bedside.recording.recorder import Recorder, SequenceRanges
from bedside.set_aside import set_aside
from tests.recording.batches import BOOT, a_batch

PATIENCE_S = 60.0
Told = queue.Queue[tuple[str, bool, str]]
Stored = queue.Queue[tuple[SequenceRanges, bool]]


@contextmanager
def archivist(folder: Path) -> Iterator[tuple[Archivist, Stored, Told]]:
    stored: Stored = queue.Queue()
    told: Told = queue.Queue()
    (folder / "beds").mkdir()
    with contextlib.closing(Recorder(folder / "recordings", sync_every_s=0.0)) as recorder:
        one = Archivist(
            recorder,
            folder / "beds",
            folder / "alarms.sqlite",
            every_s=0.01,
            together_s=0.0,
            now_us=lambda: 0,
            stored=lambda ranges, safe: stored.put((ranges, safe)),
            well=lambda *fares: told.put(fares),
            failed=lambda error: told.put(("failed", False, str(error))),
        )
        one.worker.start()
        try:
            yield one, stored, told
        finally:
            one.worker.stop()


def test_a_batch_is_told_as_stored_once_it_is_synced(tmp_path: Path) -> None:
    with archivist(tmp_path) as (one, stored, told):
        assert one.put(a_batch(0, 0, [1] * 50))
        assert stored.get(timeout=PATIENCE_S) == ({("bed-1", BOOT): [(0, 0)]}, True)
        assert told.get(timeout=PATIENCE_S) == ("disk", True, "")


def test_a_batch_that_cannot_be_recorded_is_told_as_not_stored(tmp_path: Path) -> None:
    with archivist(tmp_path) as (one, stored, told):
        assert one.put(a_batch(7, 0, [1] * 50, node="../elsewhere"))
        assert stored.get(timeout=PATIENCE_S) == ({("../elsewhere", BOOT): [(7, 7)]}, False)
        assert told.get(timeout=PATIENCE_S)[:2] == ("failed", False)


def test_the_state_of_a_bed_is_kept(tmp_path: Path) -> None:
    with archivist(tmp_path) as (one, _, _):
        assert one.keep("bed-1", BedFile(BedState.ADMITTED, "session"))
    kept = bed_file.load(tmp_path / "beds" / "bed-1.json")
    assert kept is not None
    assert (kept.state, kept.session) == (BedState.ADMITTED, "session")


def test_damage_is_told_until_somebody_has_taken_it_away(tmp_path: Path) -> None:
    (tmp_path / "alarms.sqlite").write_bytes(b"")
    damaged = set_aside(tmp_path / "alarms.sqlite")
    with archivist(tmp_path) as (_, _, told):
        subject, well, words = told.get(timeout=PATIENCE_S)
        assert (subject, well, str(damaged) in words) == ("damage", False, True)
        damaged.unlink()
        assert told.get(timeout=PATIENCE_S) == ("damage", True, "")

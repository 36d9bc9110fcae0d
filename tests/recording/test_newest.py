"""What a station that starts goes on from: the last seconds of the recording."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from pathlib import Path

import numpy as np

from bedside.events import Batch, Flags
from bedside.recording.recorder import Recorder
from tests.recording.batches import BOOT, WALL_US, a_batch, a_signal


def recorded(folder: Path, batches: list[Batch], seconds: float = 15.0) -> list[Batch]:
    with contextlib.closing(Recorder(folder)) as recorder:
        for batch in batches:
            recorder.write(batch)
        recorder.sync(0.0, at_once=True)
    with contextlib.closing(Recorder(folder)) as again:
        return again.newest("bed-1", seconds)


def test_the_last_seconds_come_back_as_they_were_with_their_times(tmp_path: Path) -> None:
    found = recorded(tmp_path, list(a_signal(40)))
    assert (found[0].first_sample, found[-1].end_sample) == (2500, 4000)
    assert np.concatenate([batch.samples for batch in found]).tolist() == [
        sample % 1000 for sample in range(2500, 4000)
    ]
    assert all(one.end_sample == two.first_sample for one, two in pairwise(found))
    assert [batch.wall_us for batch in found[:2]] == [WALL_US + 25_000_000, WALL_US + 25_200_000]
    assert {(batch.boot_id, batch.flags) for batch in found} == {(BOOT, Flags.CLOCK_SYNCED)}


def test_nothing_from_before_a_gap_comes_back(tmp_path: Path) -> None:
    found = recorded(tmp_path, [*a_signal(10), *a_signal(4, from_s=12)])
    assert (found[0].first_sample, found[-1].end_sample) == (1200, 1600)


def test_a_late_batch_that_closed_a_gap_is_in_its_place(tmp_path: Path) -> None:
    late = [*a_signal(10), *a_signal(4, from_s=12), *a_signal(2, from_s=10, flags=Flags.REPLAYED)]
    found = recorded(tmp_path, late)
    assert (found[0].first_sample, found[-1].end_sample) == (100, 1600)
    assert [batch.wall_us for batch in found if batch.flags & Flags.REPLAYED] == [0] * 10


def test_only_the_newest_boot_comes_back(tmp_path: Path) -> None:
    found = recorded(tmp_path, [*a_signal(10), a_batch(0, 0, [1] * 60, boot_id=7)])
    assert [(batch.boot_id, len(batch.samples)) for batch in found] == [(7, 20)] * 3


def test_a_file_that_somebody_else_left_there_is_passed_over(tmp_path: Path) -> None:
    recorded(tmp_path, list(a_signal(4)))
    (tmp_path / "bed-1" / f"{BOOT:08x}_0000_copy.idx").write_bytes(b"")
    with contextlib.closing(Recorder(tmp_path)) as again:
        assert [batch.end_sample for batch in again.newest("bed-1", 0.3)] == [380, 400]


def test_a_node_without_a_recording_has_none(tmp_path: Path) -> None:
    assert recorded(tmp_path, []) == []

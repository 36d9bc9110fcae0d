"""A node that counts samples faster than time cannot push its bed's hours out of the recording."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from bedside.recording.recorder import AheadOfTimeError, Recorder
from bedside.recording.retention import prune_strips, save_strips
from tests.recording.batches import BOOT, a_batch, a_signal

HOUR = 3600 * 100


def test_a_node_that_jumps_ahead_again_and_again_costs_no_hour_that_is_there(
    tmp_path: Path,
) -> None:
    with contextlib.closing(Recorder(tmp_path, keep_h=1)) as recorder:
        for batch in a_signal(600):
            recorder.write(batch)
        recorder.sync(600.0, at_once=True)
        for jump in range(1, 60):
            with pytest.raises(AheadOfTimeError, match="faster than time"):
                recorder.write(a_batch(600 + jump, jump * 100 * HOUR, [1] * 100))
        assert "faster than time" in recorder.shortage()
        recorder.write(a_batch(660, 60_000, [2] * 100))
        assert recorder.sync(700.0, at_once=True) == {("bed-1", BOOT): [(660, 660)]}
        assert recorder.shortage() == "" or "free" in recorder.shortage()
    assert [path.stem for path in (tmp_path / "bed-1").glob("*.dat")] == ["0bedbeef_0000"]


def test_a_node_that_was_away_for_hours_goes_on(tmp_path: Path) -> None:
    with contextlib.closing(Recorder(tmp_path)) as recorder:
        recorder.write(a_batch(0, 0, [1] * 100))
        recorder.sync(10.0, at_once=True)
        recorder.sync(10 * 3600.0, at_once=True)
        recorder.write(a_batch(36_000, 10 * HOUR, [1] * 100))
        assert recorder.sync(36_001.0, at_once=True) == {("bed-1", BOOT): [(36_000, 36_000)]}


def test_a_station_that_starts_anew_takes_a_node_as_it_finds_it(tmp_path: Path) -> None:
    for hour in (0, 50):
        with contextlib.closing(Recorder(tmp_path)) as recorder:
            recorder.write(a_batch(hour, hour * HOUR, [1] * 100))
            recorder.sync(0.0, at_once=True)
            assert recorder.stored("bed-1")[BOOT][-1] == (hour, hour)


def test_a_boot_cannot_begin_later_in_its_count_than_time_allows(tmp_path: Path) -> None:
    with contextlib.closing(Recorder(tmp_path)) as recorder:
        recorder.write(a_batch(0, 0, [1] * 100))
        recorder.sync(10.0, at_once=True)
        for boot_id in range(1, 50):
            with pytest.raises(AheadOfTimeError):
                recorder.write(a_batch(0, 5 * HOUR, [1] * 100, boot_id=boot_id))
        recorder.write(a_batch(3, 300, [1] * 100, boot_id=99))
        assert ("bed-1", 99) in recorder.sync(20.0, at_once=True)


def test_strips_go_oldest_first_when_there_are_more_than_their_room_holds(tmp_path: Path) -> None:
    with contextlib.closing(Recorder(tmp_path)) as recorder:
        for batch in a_signal(900):
            recorder.write(batch)
        recorder.sync(0.0, at_once=True)
        for minute in range(1, 14):
            segment = next(iter(recorder._nodes["bed-1"].open.values()))
            segment.keep(minute * 6000, minute * 6000 + 1000)
    folder = tmp_path / "bed-1"
    save_strips("bed-1", folder / "0bedbeef_0000")
    strips = sorted(
        (folder / "strips").glob("*.idx"), key=lambda path: (path.stat().st_mtime_ns, path)
    )
    assert len(strips) == 13
    prune_strips(folder, 10_000_000)
    assert len(list((folder / "strips").glob("*.idx"))) == 13
    prune_strips(folder, 60_000)
    left = {path.stem for path in (folder / "strips").glob("*.idx")}
    assert 1 <= len(left) < 13
    assert left == {path.stem for path in strips[-len(left) :]}

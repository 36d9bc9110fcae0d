"""The recorder on a real disk, its files opened by wfdb."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.errors import RecordError
from bedside.events import Batch, Flags
from bedside.recording.archive import Archive
from bedside.recording.recorder import Recorder, SyncError
from tests.recording.batches import BOOT, a_batch

INVALID = -32768
HOUR = 3600 * 100


def digital(folder: Path, name: str = "0bedbeef_0000", node: str = "bed-1") -> np.ndarray:
    record = wfdb.rdrecord(str(folder / node / name), physical=False)
    return record.d_signal[:, 0]


def put(recorder: Recorder, batch: Batch) -> None:
    recorder.write(batch)
    recorder.sync(0.0, at_once=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def recorder(folder: Path) -> Iterator[Recorder]:
    with contextlib.closing(Recorder(folder, sync_every_s=10.0)) as recorder:
        yield recorder


def reopened(folder: Path) -> contextlib.closing[Recorder]:
    return contextlib.closing(Recorder(folder))


# ── what lies on disk ─────────────────────────────────────────────────────────────────────────


def test_a_growing_record_opens_in_wfdb_after_every_batch(recorder: Recorder, folder: Path) -> None:
    for sequence in range(5):
        put(recorder, a_batch(sequence, 3 * sequence, [sequence, -sequence, 7]))
        expected = [x for s in range(sequence + 1) for x in (s, -s, 7)]
        assert digital(folder).tolist() == expected


def test_the_header_gives_rate_millivolts_and_origin(recorder: Recorder, folder: Path) -> None:
    put(recorder, a_batch(0, 0, [1000, -500], rate_mhz=249_870, flags=Flags.SYNTHETIC))
    record = wfdb.rdrecord(str(folder / "bed-1" / "0bedbeef_0000"))
    assert record.fs == 250
    assert record.units == ["mV"]
    assert record.p_signal[:, 0].tolist() == pytest.approx([12.0, -6.0], rel=1e-9)
    assert record.comments == [
        "node: bed-1",
        "boot id: 0bedbeef",
        "synthetic: parts of this signal were simulated",
    ]


def test_a_record_of_a_patient_does_not_say_synthetic(recorder: Recorder, folder: Path) -> None:
    put(recorder, a_batch(0, 0, [1]))
    assert not any(
        "synthetic" in line
        for line in wfdb.rdheader(str(folder / "bed-1" / "0bedbeef_0000")).comments
    )


def test_the_start_is_told_once_the_clock_is_synced(recorder: Recorder, folder: Path) -> None:
    name = str(folder / "bed-1" / "0bedbeef_0000")
    put(recorder, a_batch(0, 0, [1] * 100))
    assert not any("start" in line for line in wfdb.rdheader(name).comments)
    wall_us = 1_700_000_001_500_000
    put(recorder, a_batch(1, 100, [1] * 50, flags=Flags.CLOCK_SYNCED, wall_us=wall_us))
    assert "start: 2023-11-14T22:13:20.500000Z" in wfdb.rdheader(name).comments


def test_a_wall_time_beyond_reason_leaves_the_record_without_a_start(
    recorder: Recorder, folder: Path
) -> None:
    for sequence, wall_us in enumerate((-(2**63), 2**63 - 1, 0)):
        put(recorder, a_batch(sequence, sequence, [1], flags=Flags.CLOCK_SYNCED, wall_us=wall_us))
    assert digital(folder).tolist() == [1, 1, 1]
    assert "start" not in (folder / "bed-1" / "0bedbeef_0000.hea").read_text()


def test_a_complete_hour_has_its_start_time_and_length_in_the_header(
    recorder: Recorder, folder: Path
) -> None:
    put(
        recorder,
        a_batch(0, HOUR - 100, [5] * 200, flags=Flags.CLOCK_SYNCED, wall_us=1_700_003_599_000_000),
    )
    record = wfdb.rdrecord(str(folder / "bed-1" / "0bedbeef_0000"), physical=False)
    assert record.sig_len == HOUR
    assert record.base_datetime.isoformat() == "2023-11-14T22:13:20"
    assert wfdb.rdheader(str(folder / "bed-1" / "0bedbeef_0001")).base_datetime is None


def test_a_batch_across_the_hour_is_split_between_two_records(
    recorder: Recorder, folder: Path
) -> None:
    put(recorder, a_batch(0, HOUR - 2, [1, 2, 3, 4, 5]))
    assert digital(folder)[-2:].tolist() == [1, 2]
    assert digital(folder, "0bedbeef_0001").tolist() == [3, 4, 5]


def test_a_missing_batch_is_invalid_samples_until_it_comes_late(
    recorder: Recorder, folder: Path
) -> None:
    put(recorder, a_batch(0, 0, [1, 1]))
    put(recorder, a_batch(2, 4, [3, 3]))
    assert digital(folder).tolist() == [1, 1, INVALID, INVALID, 3, 3]
    physical = wfdb.rdrecord(str(folder / "bed-1" / "0bedbeef_0000")).p_signal[:, 0]
    assert np.isnan(physical).tolist() == [False, False, True, True, False, False]
    put(recorder, a_batch(1, 2, [2, 2], flags=Flags.REPLAYED))
    assert digital(folder).tolist() == [1, 1, 2, 2, 3, 3]


def test_the_lowest_sample_is_not_mistaken_for_a_missing_one(
    recorder: Recorder, folder: Path
) -> None:
    put(recorder, a_batch(0, 0, [INVALID, -32767, 32767]))
    assert digital(folder).tolist() == [-32767, -32767, 32767]


def test_a_changed_gain_goes_on_in_another_record(recorder: Recorder, folder: Path) -> None:
    put(recorder, a_batch(0, 0, [100]))
    put(recorder, a_batch(1, 1, [100], nv_per_lsb=24_000))
    put(recorder, a_batch(2, 2, [100]))
    assert digital(folder).tolist() == [100, INVALID, 100]
    second = wfdb.rdrecord(str(folder / "bed-1" / "0bedbeef_0000_2"))
    assert second.p_signal[-1, 0] == pytest.approx(2.4)


@pytest.mark.parametrize(("rate_mhz", "stays"), [(100_500, True), (100_510, False)])
def test_a_rate_off_by_more_than_half_a_percent_goes_on_in_another_record(
    recorder: Recorder, folder: Path, rate_mhz: int, stays: bool
) -> None:
    put(recorder, a_batch(0, 0, [1]))
    put(recorder, a_batch(1, 1, [2], rate_mhz=rate_mhz))
    assert (folder / "bed-1" / "0bedbeef_0000_2.dat").exists() is not stays


def test_a_new_boot_is_a_new_record(recorder: Recorder, folder: Path) -> None:
    put(recorder, a_batch(0, 0, [1]))
    put(recorder, a_batch(0, 0, [2], boot_id=7))
    assert digital(folder).tolist() == [1]
    assert digital(folder, "00000007_0000").tolist() == [2]


def test_a_real_ecg_comes_back_as_it_was_sent(
    ecg_data: Path, recorder: Recorder, folder: Path
) -> None:
    source = wfdb.rdrecord(
        str(ecg_data / "mitdb" / "208"), sampto=360 * 60, physical=False, channels=[0]
    )
    signal = (source.d_signal[:, 0] - source.baseline[0]).astype(np.int16)
    nv_per_lsb = round(1e6 / source.adc_gain[0])
    for sequence, first in enumerate(range(0, len(signal), 72)):
        part = signal[first : first + 72]
        put(recorder, a_batch(sequence, first, part, rate_mhz=360_000, nv_per_lsb=nv_per_lsb))
    stored = wfdb.rdrecord(str(folder / "bed-1" / "0bedbeef_0000"))
    expected = wfdb.rdrecord(str(ecg_data / "mitdb" / "208"), sampto=360 * 60, channels=[0])
    np.testing.assert_allclose(stored.p_signal, expected.p_signal, atol=1e-9)
    assert stored.fs == expected.fs


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_loss_and_repetition_give_the_file_of_the_batches_that_came(
    data: st.DataObject,
) -> None:
    base = data.draw(st.sampled_from([0, HOUR - 60]), "first sample")
    counts = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=12), "counts")
    sent = data.draw(
        st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=30), "order of arrival"
    )
    restarts = data.draw(st.sets(st.sampled_from(range(len(sent))), max_size=2), "restarts before")
    firsts = base + np.cumsum([0, *counts[:-1]])
    batches = [
        a_batch(number, int(first), np.arange(count) + 100 * number)
        for number, (first, count) in enumerate(zip(firsts, counts, strict=True))
    ]
    reference = np.full(base + sum(counts), INVALID)
    for number in set(sent):
        batch = batches[number]
        reference[batch.first_sample : batch.end_sample] = batch.samples

    with tempfile.TemporaryDirectory() as place:
        recorder = Recorder(Path(place))
        for position, number in enumerate(sent):
            if position in restarts:
                recorder.close()
                recorder = Recorder(Path(place))
            recorder.write(batches[number])
        recorder.sync(0.0, at_once=True)
        recorder.close()
        for hour in range(2):
            expected = reference[hour * HOUR : (hour + 1) * HOUR]
            arrived = np.flatnonzero(expected != INVALID)
            if len(arrived) == 0:
                assert not (Path(place) / "bed-1" / f"0bedbeef_{hour:04d}.dat").exists()
                continue
            found = digital(Path(place), f"0bedbeef_{hour:04d}")
            np.testing.assert_array_equal(found, expected[: arrived[-1] + 1])
        with contextlib.closing(Recorder(Path(place))) as again:
            ranges = again.stored("bed-1")[BOOT]
            assert {n for a, b in ranges for n in range(a, b + 1)} == set(sent)


# ── what may be acknowledged ──────────────────────────────────────────────────────────────────


def test_a_batch_may_be_acknowledged_only_after_its_sync(recorder: Recorder) -> None:
    recorder.write(a_batch(0, 0, [1]))
    assert recorder.stored("bed-1") == {BOOT: []}
    assert recorder.sync(0.0) == {("bed-1", BOOT): [(0, 0)]}
    assert recorder.stored("bed-1") == {BOOT: [(0, 0)]}


def test_a_sync_comes_at_its_interval_or_when_asked_for(recorder: Recorder) -> None:
    recorder.write(a_batch(0, 0, [1]))
    assert recorder.sync(100.0)
    recorder.write(a_batch(1, 1, [1]))
    assert recorder.sync(109.9) == {}
    assert recorder.sync(110.0) == {("bed-1", BOOT): [(1, 1)]}
    recorder.write(a_batch(2, 2, [1]))
    assert recorder.sync(110.1, at_once=True) == {("bed-1", BOOT): [(2, 2)]}


def test_a_sync_reports_every_node_and_boot_with_its_ranges(recorder: Recorder) -> None:
    for sequence in (0, 1, 5):
        recorder.write(a_batch(sequence, sequence, [1]))
    recorder.write(a_batch(9, 9, [1], boot_id=7))
    recorder.write(a_batch(0, 0, [1], node="bed-2"))
    assert recorder.sync(0.0) == {
        ("bed-1", BOOT): [(0, 1), (5, 5)],
        ("bed-1", 7): [(9, 9)],
        ("bed-2", BOOT): [(0, 0)],
    }


def test_a_repeated_batch_is_reported_again_but_not_written_again(
    recorder: Recorder, folder: Path
) -> None:
    recorder.write(a_batch(0, 0, [1]))
    recorder.sync(0.0)
    length = (folder / "bed-1" / "0bedbeef_0000.idx").stat().st_size
    recorder.write(a_batch(0, 0, [1]))
    assert (folder / "bed-1" / "0bedbeef_0000.idx").stat().st_size == length
    assert recorder.sync(10.0) == {("bed-1", BOOT): [(0, 0)]}


def test_a_restart_knows_what_is_stored(folder: Path) -> None:
    with reopened(folder) as recorder:
        for sequence in (0, 1, 2, 7, 8):
            recorder.write(a_batch(sequence, HOUR - 10 + 3 * sequence, [1, 2, 3]))
    with reopened(folder) as again:
        assert again.stored("bed-1") == {BOOT: [(0, 2), (7, 8)]}
        assert again.stored("bed-2") == {}


def test_a_batch_that_comes_again_after_a_restart_is_not_written_again(folder: Path) -> None:
    with reopened(folder) as recorder:
        put(recorder, a_batch(0, 0, [1, 2]))
    journal = (folder / "bed-1" / "0bedbeef_0000.idx").read_bytes()
    with reopened(folder) as again:
        again.write(a_batch(0, 0, [1, 2]))
        assert again.sync(0.0) == {("bed-1", BOOT): [(0, 0)]}
    assert (folder / "bed-1" / "0bedbeef_0000.idx").read_bytes() == journal


def test_an_hour_that_is_over_is_closed(recorder: Recorder, folder: Path) -> None:
    def open_names() -> set[str]:
        links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
        return {Path(link).name for link in links if link.startswith(str(folder / "bed-1"))}

    recorder.write(a_batch(0, 0, [1]))
    recorder.sync(0.0)
    recorder.write(a_batch(1, HOUR, [1]))
    recorder.sync(10.0)
    assert open_names() == {"0bedbeef_0001.dat", "0bedbeef_0001.idx"}


@contextlib.contextmanager
def ended_without_warning(folder: Path, *batches: Batch) -> Iterator[Path]:
    """The folder of a recorder that synced these batches, each alone, and was never closed."""
    with tempfile.TemporaryDirectory() as place:
        with reopened(Path(place)) as recorder:
            for batch in batches:
                put(recorder, batch)
            shutil.copytree(place, folder)
        yield folder / "bed-1"


def test_a_torn_journal_row_is_repaired_and_its_batch_not_counted(folder: Path) -> None:
    batches = a_batch(0, 0, [1, 2]), a_batch(1, 2, [3, 4])
    with ended_without_warning(folder, *batches) as node:
        content = (node / "0bedbeef_0000.idx").read_bytes()
        end = len(content.rstrip(b"\0"))
        (node / "0bedbeef_0000.idx").write_bytes(content[: end - 5])
    with reopened(folder) as again:
        assert again.stored("bed-1") == {BOOT: [(0, 0)]}
        again.write(a_batch(1, 2, [3, 4]))
        assert again.sync(0.0) == {("bed-1", BOOT): [(1, 1)]}
    with reopened(folder) as again:
        assert again.stored("bed-1") == {BOOT: [(0, 1)]}
    assert digital(folder).tolist() == [1, 2, 3, 4]


def test_half_a_sample_at_the_end_is_cut_off(folder: Path) -> None:
    with (
        ended_without_warning(folder, a_batch(0, 0, [1, 2])) as node,
        (node / "0bedbeef_0000.dat").open("ab") as file,
    ):
        file.write(b"\x01")
    with reopened(folder) as again:
        assert again.stored("bed-1") == {BOOT: [(0, 0)]}
    assert digital(folder).tolist() == [1, 2]


def test_a_journal_row_whose_samples_did_not_reach_the_disk_does_not_count(folder: Path) -> None:
    batches = a_batch(0, 0, [1, 2]), a_batch(1, 2, [3, 4])
    with (
        ended_without_warning(folder, *batches) as node,
        (node / "0bedbeef_0000.dat").open("r+b") as file,
    ):
        file.seek(4)
        file.write(bytes(4))
    for _ in range(2):
        with reopened(folder) as again:
            assert again.stored("bed-1") == {BOOT: [(0, 0)]}


def test_a_batch_across_the_hour_counts_only_when_both_halves_are_there(folder: Path) -> None:
    with (
        ended_without_warning(folder, a_batch(0, HOUR - 2, [1, 2, 3, 4])) as node,
        (node / "0bedbeef_0000.dat").open("r+b") as file,
    ):
        file.seek(-2, os.SEEK_END)
        file.write(bytes(2))
    with reopened(folder) as again:
        assert again.stored("bed-1") == {BOOT: []}


def test_a_damaged_journal_head_is_written_anew_and_costs_nothing(folder: Path) -> None:
    with reopened(folder) as recorder:
        put(recorder, a_batch(0, 0, [1, 2]))
        put(recorder, a_batch(1, HOUR, [3]))
    journal = folder / "bed-1" / "0bedbeef_0000.idx"
    with journal.open("r+b") as file:
        file.write(b"rust")
    with reopened(folder) as again:
        assert again.stored("bed-1") == {BOOT: [(0, 1)]}
        put(again, a_batch(2, 2, [3, 4]))
        [kept] = again.damaged()
        assert kept.read_bytes().startswith(b"rust")
        kept.unlink()
        assert again.damaged() == []
    assert journal.read_bytes().startswith(b"BEDIDX")
    assert digital(folder).tolist() == [1, 2, 3, 4]


def test_a_journal_whose_header_is_damaged_too_is_set_aside_and_the_samples_stay(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with reopened(folder) as recorder:
        put(recorder, a_batch(0, 0, [1, 2]))
    with (folder / "bed-1" / "0bedbeef_0000.idx").open("r+b") as file:
        file.write(b"rust")
    (folder / "bed-1" / "0bedbeef_0000.hea").write_bytes(b"rust")
    with reopened(folder) as again:
        assert again.stored("bed-1") == {}
        put(again, a_batch(1, 2, [3, 4]))
        assert again.stored("bed-1") == {BOOT: [(1, 1)]}
        assert [path.name for path in again.damaged()] == ["0bedbeef_0000.idx.damaged"]
    [said] = caplog.messages
    assert "damaged: kept as 0bedbeef_0000.idx.damaged" in said
    assert digital(folder).tolist() == [1, 2, 3, 4]


def test_samples_that_the_disk_has_changed_are_missing_and_what_was_found_is_kept(
    folder: Path,
) -> None:
    batches = a_batch(0, 0, [1, 2]), a_batch(1, 2, [3, 4]), a_batch(2, 4, [5, 6])
    with (
        ended_without_warning(folder, *batches) as node,
        (node / "0bedbeef_0000.dat").open("r+b") as file,
    ):
        file.seek(4)
        file.write(b"\xff\xee")
    stretches = [s.samples_mv for s in Archive(folder.parent).read("bed-1", 0, 2**60)]
    assert np.isnan(np.concatenate(stretches)).tolist() == [False, False, True, True, False, False]
    for _ in range(2):
        with reopened(folder) as again:
            assert again.stored("bed-1") == {BOOT: [(0, 0), (2, 2)]}
            [kept] = again.damaged()
            assert kept.read_text() == "samples 2 to 3 were found as ffee0400\n"
    assert digital(folder).tolist() == [1, 2, INVALID, INVALID, 5, 6]


def test_a_restart_goes_on_in_the_same_records(folder: Path) -> None:
    with reopened(folder) as recorder:
        put(recorder, a_batch(0, 0, [1]))
        put(recorder, a_batch(1, 1, [2], nv_per_lsb=24_000))
    with reopened(folder) as again:
        put(again, a_batch(2, 2, [3], nv_per_lsb=24_000))
    assert digital(folder, "0bedbeef_0000_2").tolist() == [INVALID, 2, 3]
    assert not (folder / "bed-1" / "0bedbeef_0000_3.dat").exists()


def test_after_a_clean_end_no_sample_is_read_at_the_start(folder: Path) -> None:
    with reopened(folder) as recorder:
        put(recorder, a_batch(0, 0, [1, 2]))
    samples = folder / "bed-1" / "0bedbeef_0000.dat"
    samples.chmod(0)
    samples.unlink()
    with reopened(folder) as again:
        assert again.stored("bed-1") == {BOOT: [(0, 0)]}
    assert not samples.exists()


def test_a_sealed_record_grows_again_when_a_late_batch_comes(folder: Path) -> None:
    with reopened(folder) as recorder:
        put(recorder, a_batch(0, 0, [1, 1]))
        put(recorder, a_batch(2, 4, [3, 3]))
    assert wfdb.rdheader(str(folder / "bed-1" / "0bedbeef_0000")).sig_len == 6
    with reopened(folder) as again:
        put(again, a_batch(1, 2, [2, 2], flags=Flags.REPLAYED))
        put(again, a_batch(3, 6, [4, 4]))
        assert digital(folder).tolist() == [1, 1, 2, 2, 3, 3, 4, 4]


def test_the_disk_for_a_whole_hour_is_reserved_and_given_back(
    recorder: Recorder, folder: Path
) -> None:
    def taken() -> int:
        return (folder / "bed-1" / "0bedbeef_0000.dat").stat().st_blocks * 512

    put(recorder, a_batch(0, 0, [1] * 50))
    if taken() < 2 * HOUR:
        pytest.skip("this file system cannot reserve")
    assert digital(folder).tolist() == [1] * 50
    put(recorder, a_batch(1, HOUR, [1]))
    assert taken() <= 4096


# ── a killed process ──────────────────────────────────────────────────────────────────────────

_WRITER = """
import sys
from pathlib import Path
import numpy as np
from bedside.events import Batch, Flags
from bedside.recording import staging
from bedside.recording.archive import Archive
from bedside.recording.recorder import Recorder
staging.MEMORY = Path(sys.argv[2])
recorder = Recorder(Path(sys.argv[1]))
for n in range(1_000_000):
    first = 3600 * 100 - 5000 + 50 * n
    samples = (np.arange(50) + n).astype(np.int16)
    recorder.write(Batch("bed-1", Flags(0), 7, n, first, 0, 100_000, 1000, 0, 0, samples))
    if n % 40 == 0:
        recorder.sync(n)
    print(n, flush=True)
"""


def test_whatever_was_written_before_kill_9_is_in_the_record(folder: Path, memory: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), str(memory)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 300:
                writer.send_signal(signal.SIGKILL)
                break
        said = [300, *(int(line) for line in writer.stdout if line.endswith("\n"))][-1]
    assert writer.returncode == -signal.SIGKILL
    with reopened(folder) as again:
        [(first, last)] = again.stored("bed-1")[7]
        assert first == 0
        assert last >= said
    signal_found = np.concatenate(
        [digital(folder, "00000007_0000"), digital(folder, "00000007_0001")]
    )[HOUR - 5000 :]
    expected = np.concatenate([np.arange(50) + n for n in range(said + 1)])
    np.testing.assert_array_equal(signal_found[: len(expected)], expected)
    with reopened(folder) as again:
        again.write(a_batch(last + 1, HOUR - 5000 + 50 * (last + 1), [9] * 50, boot_id=7))
        assert again.sync(0.0) == {("bed-1", 7): [(last + 1, last + 1)]}


# ── a disk that refuses ───────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def files_no_longer_than(length: int) -> Iterator[None]:
    """The kernel itself refuses to let a file grow further, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_refused_write_loses_nothing_and_recording_goes_on_by_itself(folder: Path) -> None:
    with reopened(folder) as recorder:
        put(recorder, a_batch(0, 0, [1] * 50))
        recorder.write(a_batch(1, 50, [2] * 50))
        with files_no_longer_than(130), pytest.raises(SyncError, match=r"free space") as raised:
            recorder.sync(1.0, at_once=True)
        assert raised.value.unwritten == {("bed-1", BOOT): [(1, 1)]}
        assert digital(folder).tolist() == [1] * 50
        recorder.write(a_batch(1, 50, [2] * 50))
        assert recorder.sync(2.0, at_once=True) == {("bed-1", BOOT): [(1, 1)]}
    assert digital(folder).tolist() == [1] * 50 + [2] * 50


def test_a_refused_journal_row_leaves_both_files_as_they_were(folder: Path) -> None:
    with reopened(folder) as recorder:
        put(recorder, a_batch(0, 0, [1]))
    journal = folder / "bed-1" / "0bedbeef_0000.idx"
    length = journal.stat().st_size
    for room_bytes in (0, 1, 35):
        with reopened(folder) as recorder:
            recorder.write(a_batch(1, 1, [2]))
            with files_no_longer_than(length + room_bytes), pytest.raises(SyncError):
                recorder.sync(0.0)
            assert journal.stat().st_size == length
            assert digital(folder).tolist() == [1]
    with reopened(folder) as again:
        assert again.stored("bed-1") == {BOOT: [(0, 0)]}


def test_a_disk_with_little_room_is_said_in_words(folder: Path) -> None:
    with contextlib.closing(Recorder(folder, low_space_mb=10**9)) as recorder:
        assert re.fullmatch(r"only \d+ MB are free", recorder.shortage())
    with contextlib.closing(Recorder(folder, low_space_mb=1)) as recorder:
        assert recorder.shortage() == ""


def test_a_failed_sync_makes_its_batches_unwritten_and_spares_other_nodes(
    recorder: Recorder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(recorder, a_batch(9, 9, [1]))
    recorder.write(a_batch(0, 0, [1]))
    recorder.write(a_batch(0, 0, [1], node="bed-2"))
    broken = os.stat(folder / "bed-1" / "0bedbeef_0000.dat").st_ino
    fdatasync = os.fdatasync

    def failing(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fdatasync(descriptor)

    monkeypatch.setattr(os, "fdatasync", failing)
    assert recorder.sync(10.0) == {("bed-2", BOOT): [(0, 0)]}
    with pytest.raises(SyncError, match="input/output error") as raised:
        recorder.sync(10.0)
    assert raised.value.unwritten == {("bed-1", BOOT): [(0, 0)]}
    assert recorder.sync(11.0) == {}
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    assert recorder.stored("bed-1") == {BOOT: [(9, 9)]}
    recorder.write(a_batch(0, 0, [1]))
    assert recorder.sync(20.0) == {("bed-1", BOOT): [(0, 0)]}


def test_a_failed_sync_of_the_only_node_is_raised_at_once(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    recorder.write(a_batch(0, 0, [1]))
    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(SyncError):
        recorder.sync(0.0)


def test_two_recorders_cannot_have_one_folder(recorder: Recorder, folder: Path) -> None:
    with pytest.raises(RecordError, match="Another station is recording"):
        Recorder(folder)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecordError, match=r"The recording in .* failed") as raised:
        Recorder(tmp_path / "file" / "recordings")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("node", ["../bed", "", "Bed", "a/b", "x" * 33])
def test_a_node_cannot_name_its_way_out_of_the_folder(recorder: Recorder, node: str) -> None:
    with pytest.raises(RecordError):
        recorder.write(a_batch(0, 0, [1], node=node))


@pytest.mark.parametrize(("nv_per_lsb", "first_sample"), [(0, 0), (1000, 2**64 - 1)])
def test_a_batch_that_fits_no_record_is_refused(
    recorder: Recorder, folder: Path, nv_per_lsb: int, first_sample: int
) -> None:
    with pytest.raises(RecordError, match="firmware"):
        recorder.write(a_batch(0, first_sample, [1], nv_per_lsb=nv_per_lsb))
    assert list((folder / "bed-1").iterdir()) == []

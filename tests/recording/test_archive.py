"""What the archive finds of recordings and of the alarm log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bedside.alarms.log import AlarmLog
from bedside.event_json import instance_json
from bedside.events import AlarmState, BeatClass, Flags, Instance, Priority
from bedside.recording.archive import Archive
from bedside.recording.beats import BeatNote, RecordedBeat, StripNote
from bedside.recording.recorder import Recorder
from tests.recording.batches import BOOT, WALL_US, a_batch, a_signal

MINUTE_US = 60_000_000


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with contextlib.closing(Recorder(tmp_path / "recordings", wall_us=lambda: 0)) as recorder:
        yield recorder


def record(recorder: Recorder, *signals: object) -> None:
    for signal in signals:
        for batch in signal:  # type: ignore[attr-defined]
            recorder.write(batch)
    recorder.sync(0.0, at_once=True)


def test_an_empty_folder_is_an_empty_archive(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "nothing")
    assert archive.beds() == []
    assert archive.spans("bed-1") == []
    assert archive.events("bed-1") == []
    assert np.isnan(archive.trend("bed-1", 0, MINUTE_US).heart_rate_bpm).all()


def test_the_signal_between_two_moments_comes_back(recorder: Recorder, tmp_path: Path) -> None:
    record(recorder, a_signal(30))
    archive = Archive(tmp_path)
    assert archive.beds() == ["bed-1"]
    [span] = archive.spans("bed-1")
    assert (span.from_wall_us, span.to_wall_us) == (WALL_US, WALL_US + 30_000_000)
    [stretch] = archive.read("bed-1", WALL_US + 2_500_000, WALL_US + 4_000_000)
    assert stretch.from_wall_us == WALL_US + 2_500_000
    assert stretch.samples_mv == pytest.approx(np.arange(250, 400) * 0.012)


def test_a_stretch_goes_on_across_the_hour(recorder: Recorder, tmp_path: Path) -> None:
    record(recorder, a_signal(10, from_s=3595))
    [stretch] = Archive(tmp_path).read("bed-1", 0, 2**60)
    assert len(stretch.samples_mv) == 1000
    assert not np.isnan(stretch.samples_mv).any()


def test_a_short_hole_is_in_the_stretch_and_a_long_one_between_two(
    recorder: Recorder, tmp_path: Path
) -> None:
    record(recorder, a_signal(5), a_signal(5, from_s=8), a_signal(5, from_s=40))
    first, second = Archive(tmp_path).read("bed-1", 0, 2**60)
    assert np.isnan(first.samples_mv).sum() == 300
    assert second.from_wall_us == WALL_US + 40_000_000


def test_a_late_batch_is_seen_by_an_archive_that_looked_before(
    recorder: Recorder, tmp_path: Path
) -> None:
    record(recorder, a_signal(2), a_signal(2, from_s=3))
    archive = Archive(tmp_path)
    [before] = archive.read("bed-1", 0, 2**60)
    record(recorder, a_signal(1, from_s=2, flags=Flags.CLOCK_SYNCED | Flags.REPLAYED))
    [after] = archive.read("bed-1", 0, 2**60)
    assert np.isnan(before.samples_mv).sum() == 100
    assert not np.isnan(after.samples_mv).any()


def test_a_node_without_a_clock_has_the_times_at_which_its_batches_came(tmp_path: Path) -> None:
    wall_us = WALL_US
    recorder = Recorder(tmp_path / "recordings", wall_us=lambda: wall_us)
    for batch in a_signal(20, flags=0):
        wall_us += 1_000_000
        recorder.write(batch)
    recorder.sync(0.0)
    recorder.close()
    [span] = Archive(tmp_path).spans("bed-1")
    assert not span.clock_synced
    assert span.from_wall_us == WALL_US


def test_two_boots_and_a_clock_that_jumps_are_spans_of_their_own(
    recorder: Recorder, tmp_path: Path
) -> None:
    late = a_batch(
        60, 6000, [1] * 100, flags=Flags.CLOCK_SYNCED, wall_us=WALL_US + 3600 * 1_000_000
    )
    record(recorder, a_signal(60), [late], a_signal(5, boot_id=7))
    spans = Archive(tmp_path).spans("bed-1")
    assert [(span.boot_id, span.first_sample) for span in spans] == [
        (7, 0),
        (BOOT, 0),
        (BOOT, 6000),
    ]


def beats(recorder: Recorder, *found: tuple[float, BeatClass, float | None]) -> None:
    for at_s, beat_class, error in found:
        beat = RecordedBeat(BOOT, round(at_s * 100), beat_class, error, (error or 0) > 1)
        recorder.note(BeatNote("bed-1", beat))
    recorder.sync(0.0, at_once=True)


def test_beats_come_back_with_class_and_error(recorder: Recorder, tmp_path: Path) -> None:
    record(recorder, a_signal(10))
    beats(recorder, (1.0, BeatClass.NORMAL, 0.5), (1.5, BeatClass.VENTRICULAR, 2.5))
    beats(recorder, (2.5, BeatClass.UNKNOWN, None))
    [stretch] = Archive(tmp_path).read("bed-1", 0, 2**60)
    assert stretch.beats == (
        RecordedBeat(BOOT, 100, BeatClass.NORMAL, 0.5, False),
        RecordedBeat(BOOT, 150, BeatClass.VENTRICULAR, 2.5, True),
        RecordedBeat(BOOT, 250, BeatClass.UNKNOWN, None, False),
    )


def test_the_trend_counts_beats_and_ectopics_of_each_minute(
    recorder: Recorder, tmp_path: Path
) -> None:
    record(recorder, a_signal(240))
    fast = [(at * 0.5, BeatClass.NORMAL, 0.5) for at in range(120)]
    slow = [(60 + at, BeatClass.VENTRICULAR, 2.0) for at in range(60)]
    beats(recorder, *fast, *slow)
    trend = Archive(tmp_path).trend("bed-1", WALL_US, WALL_US + 4 * MINUTE_US)
    assert trend.wall_us.tolist() == [WALL_US + n * MINUTE_US for n in range(4)]
    assert trend.heart_rate_bpm[:2] == pytest.approx([120, 60], rel=0.02)
    assert trend.ectopic_per_min[:2].tolist() == [0, 60]
    assert trend.abnormal_per_min[:2].tolist() == [0, 60]
    assert trend.error[:2].tolist() == [0.5, 2.0]
    assert np.isnan(trend.heart_rate_bpm[2:]).all()
    assert np.isnan(trend.ectopic_per_min[2:]).all()


def an_alarm(state: AlarmState, at_s: float, *, ended_s: float | None = None) -> Instance:
    return Instance(
        instance_id="a-1",
        code="vt",
        priority=Priority.HIGH,
        state=state,
        onset_us=40_000_000,
        at_us=round(at_s * 1e6),
        text="ventricular tachycardia",
        active_us=None if state is AlarmState.PENDING else 43_000_000,
        ended_us=None if ended_s is None else round(ended_s * 1e6),
        acknowledged_by="nurse" if state is AlarmState.ACKNOWLEDGED else "",
    )


def test_an_alarm_is_one_event_from_onset_to_acknowledgement(tmp_path: Path) -> None:
    log = AlarmLog(tmp_path / "alarms.sqlite")
    for instance in (
        an_alarm(AlarmState.PENDING, 41),
        an_alarm(AlarmState.ACTIVE, 43),
        an_alarm(AlarmState.ENDED, 50, ended_s=50),
        an_alarm(AlarmState.ACKNOWLEDGED, 60, ended_s=50),
    ):
        content = instance_json(instance) | {"bed": "bed-1", "boot_id": BOOT, "sample": 4300}
        log.append("alarm", content, WALL_US + instance.at_us, instance.at_us)
    log.append("alarm", instance_json(an_alarm(AlarmState.ACTIVE, 43)) | {"bed": "b"}, 0, 0)
    log.close()
    archive = Archive(tmp_path)
    [event] = archive.events("bed-1")
    assert (event.code, event.acknowledged_by, event.sample) == ("vt", "nurse", 4300)
    assert event.onset_wall_us == WALL_US + 40_000_000
    assert event.active_wall_us == WALL_US + 43_000_000
    assert event.ended_wall_us == WALL_US + 50_000_000
    assert archive.events("bed-1", event.active_wall_us + 1) == []


@pytest.mark.parametrize("at_s", [1800.0, 3580.0, 3610.0, 7180.0])
def test_the_strip_of_an_alarm_outlives_its_hours(tmp_path: Path, at_s: float) -> None:
    with contextlib.closing(Recorder(tmp_path / "recordings", keep_h=1)) as recorder:
        for hour in range(8):
            for batch in a_signal(3600, from_s=3600 * hour, rate_hz=10, batch_s=10):
                recorder.write(batch)
                if batch.first_sample == at_s * 10:
                    recorder.sync(0.0, at_once=True)
                    recorder.note(StripNote("bed-1", BOOT, batch.end_sample, since_s=2.0))
                    recorder.note(
                        BeatNote("bed-1", RecordedBeat(BOOT, batch.end_sample, BeatClass.NORMAL))
                    )
            recorder.sync(0.0, at_once=True)
    archive = Archive(tmp_path)
    onset_us = WALL_US + round((at_s + 10 - 2) * 1e6)
    [stretch] = archive.read("bed-1", 0, WALL_US + 3 * 3600 * 1_000_000)
    assert stretch.from_wall_us == onset_us - 30_000_000
    assert stretch.to_wall_us == onset_us + 32_000_000
    samples = np.arange(stretch.first_sample, stretch.first_sample + 620) % 1000
    assert stretch.samples_mv == pytest.approx(samples * 0.012)
    assert [beat.sample for beat in stretch.beats] == [round((at_s + 10) * 10)]
    segments = sorted((tmp_path / "recordings" / "bed-1").glob("*.dat"))
    assert segments[0].stem > "0bedbeef_0002"
    assert segments[-1].stem == "0bedbeef_0007"


def test_a_damaged_journal_is_said_once_and_the_rest_is_read(
    recorder: Recorder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(recorder, a_signal(5), a_signal(5, boot_id=7))
    [path] = (tmp_path / "recordings" / "bed-1").glob("0bedbeef*.idx")
    path.write_bytes(b"rust" + path.read_bytes()[4:])
    archive = Archive(tmp_path)
    for _ in range(2):
        assert [span.boot_id for span in archive.spans("bed-1")] == [7]
    assert caplog.messages == [f"the journal {path} is damaged: what it tells is left out"]

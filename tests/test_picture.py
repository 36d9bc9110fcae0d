"""What a face reads: the ring of samples, and the picture that events paint."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bedside.events import (
    AlarmChanged,
    AlarmState,
    BeatScored,
    BedChanged,
    BedState,
    Flags,
    Instance,
    Priority,
    Vitals,
    Wave,
)
from bedside.picture import Picture
from bedside.wave_ring import RING_SAMPLES, WaveRing


def wave(position: int, count: int, flags: Flags | None = None, at_us: int = 1) -> Wave:
    samples = np.arange(position, position + count, dtype=np.float32)
    return Wave(at_us, position, samples, Flags(0) if flags is None else flags, (position,))


def instance(number: int, priority: Priority, state: AlarmState, **times: int) -> AlarmChanged:
    return AlarmChanged(number, Instance(f"a-{number}", "vt", priority, state, 0, number, **times))


@given(
    pieces=st.lists(st.tuples(st.integers(1, 400), st.integers(0, 300)), min_size=1, max_size=80),
    since=st.integers(0, 30_000),
)
def test_the_ring_gives_back_what_was_written_and_nan_for_what_was_not(
    pieces: list[tuple[int, int]], since: int
) -> None:
    ring = WaveRing()
    reference = np.full(60_000, np.nan, dtype=np.float32)
    position = 0
    for count, hole in pieces:
        position += hole
        ring.write(wave(position, count))
        reference[position : position + count] = np.arange(position, position + count)
        position += count
    part = ring.read(since)
    assert part.newest == position
    assert part.position >= max(0, position - RING_SAMPLES)
    assert np.array_equal(part.samples_mv, reference[part.position : position], equal_nan=True)


def test_a_reader_that_is_up_to_date_gets_nothing_new() -> None:
    ring = WaveRing()
    ring.write(wave(0, 50))
    assert len(ring.read(50).samples_mv) == 0
    assert len(ring.read(10_000).samples_mv) == 0


def test_what_an_electrode_that_is_off_picks_up_is_not_drawn() -> None:
    ring = WaveRing()
    ring.write(wave(0, 50, Flags.LEAD_OFF_PLUS))
    part = ring.read(0)
    assert part.lead_off.all()
    assert np.isnan(part.samples_mv).all()


def test_a_bed_that_never_spoke_has_no_numbers_and_an_old_picture() -> None:
    snapshot = Picture("bed-1").snapshot(5_000_000, 0)
    assert snapshot.vitals is None
    assert snapshot.age_s == float("inf")
    assert snapshot.bed_state is BedState.DISCHARGED


def test_the_pictures_age_is_the_time_since_the_last_samples() -> None:
    picture = Picture("bed-1")
    picture.apply(wave(0, 50, at_us=2_000_000), 0)
    picture.apply(Vitals(4_000_000, 72.0, 0.0, 1.0), 0)
    assert picture.snapshot(5_000_000, 0).age_s == 3.0


def test_high_alarms_stand_first_and_a_latched_one_after_those_that_last() -> None:
    picture = Picture("bed-1")
    picture.apply(instance(1, Priority.MEDIUM, AlarmState.ACTIVE, active_us=1), 0)
    picture.apply(instance(2, Priority.HIGH, AlarmState.ENDED, active_us=1, ended_us=2), 0)
    picture.apply(instance(3, Priority.HIGH, AlarmState.ACTIVE, active_us=3), 0)
    shown = [each.instance_id for each in picture.snapshot(0, 0).instances]
    assert shown == ["a-3", "a-2", "a-1"]


def test_an_alarm_leaves_the_picture_when_it_is_over_and_seen() -> None:
    picture = Picture("bed-1")
    picture.apply(instance(1, Priority.HIGH, AlarmState.ACTIVE, active_us=1), 0)
    picture.apply(
        instance(1, Priority.HIGH, AlarmState.ACKNOWLEDGED, active_us=1, acknowledged_us=2), 0
    )
    assert len(picture.snapshot(0, 0).instances) == 1
    picture.apply(
        instance(1, Priority.HIGH, AlarmState.ENDED, active_us=1, acknowledged_us=2, ended_us=3),
        0,
    )
    assert picture.snapshot(0, 0).instances == ()


def test_delivery_is_written_beside_every_row_of_its_alarm() -> None:
    picture = Picture("bed-1")
    picture.apply(instance(1, Priority.HIGH, AlarmState.ACTIVE, active_us=1), 0)
    picture.set_delivery("a-1", "sent")
    picture.apply(instance(1, Priority.HIGH, AlarmState.ENDED, active_us=1, ended_us=2), 0)
    assert [line.delivery for line in picture.snapshot(0, 0).log] == ["sent", "sent"]


def test_the_last_abnormal_beat_stays_while_normal_ones_follow() -> None:
    picture = Picture("bed-1")
    window = np.zeros(192, dtype=np.float32)
    for number, abnormal in enumerate((True, False)):
        scored = BeatScored(number, number, 1.0 + number, 1.5, 1.5, abnormal, window, window)
        picture.apply(scored, number)
    snapshot = picture.snapshot(0, 0)
    assert snapshot.errors == (1.0, 2.0)
    assert snapshot.last_beat is not None
    assert snapshot.last_beat.error == 2.0
    assert snapshot.last_abnormal is not None
    assert snapshot.last_abnormal.error == 1.0


def test_a_new_patient_starts_with_an_empty_gauge_and_no_alarm() -> None:
    picture = Picture("bed-1")
    picture.apply(instance(1, Priority.HIGH, AlarmState.ENDED, active_us=1, ended_us=2), 0)
    window = np.zeros(192, dtype=np.float32)
    picture.apply(BeatScored(1, 1, 1.0, 1.5, 1.5, True, window, window), 1)
    picture.apply(BedChanged(2, BedState.ADMITTED, "next", "nurse"), 2)
    snapshot = picture.snapshot(0, 0)
    assert snapshot.errors == ()
    assert snapshot.instances == ()
    assert snapshot.last_abnormal is None
    assert snapshot.session == "next"

"""Samples that come late are looked through, and never alarm as if they were now."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from bedside.alarms.engine import EngineState
from bedside.anomaly.scoring import ModelFacts
from bedside.events import AlarmChanged, Batch, BedState, Flags, Float64Array
from bedside.late_review import LateReview
from bedside.limits import Limits
from bedside.monitor import Monitor
from bedside.recording.record_reader import read_record
from bedside.simulator.heart import RhythmKind
from bedside.simulator.patient import Rhythm, SyntheticPatient
from bedside.simulator.source import Episode, PatientSource
from tests.records import BUNDLED, batches

MODEL = ModelFacts("test", 1.0)


def a_monitor(alarms: EngineState | None = None) -> Monitor:
    return Monitor("bed-1", MODEL, state=BedState.ADMITTED, session="s", alarms=alarms)


def test_an_arrest_in_late_samples_is_found_at_its_own_time() -> None:
    real = read_record(BUNDLED).samples_mv[:2500]
    arrest = np.concatenate((real, np.full(2000, real[-1])))
    review = LateReview(a_monitor(), MODEL)
    found = []
    for batch in batches(arrest, flags=Flags.REPLAYED):
        wall_us = 1_700_000_000_000_000 + batch.first_sample * 4000
        found += review.heard(replace(batch, at_us=999_000_000, wall_us=wall_us))
    assert [each.code for each in found] == ["asystole"]
    since_s = (found[0].found_wall_us - 1_700_000_000_000_000) / 1e6
    assert 8.5 <= since_s <= 10.2
    assert found[0].at_us == 999_000_000


def test_a_healthy_stretch_that_comes_late_is_not_mentioned() -> None:
    real = read_record(BUNDLED).samples_mv[20_000:25_000]
    review = LateReview(a_monitor(), MODEL)
    late = [review.heard(batch) for batch in batches(real, flags=Flags.REPLAYED)]
    assert not any(late)


def test_each_stretch_is_looked_through_by_itself() -> None:
    arrest = np.concatenate((read_record(BUNDLED).samples_mv[:1500], np.zeros(1500)))
    review = LateReview(a_monitor(), MODEL)
    codes = []
    for stretch in range(2):
        first = stretch * 900_000
        for batch in batches(arrest, first_sample=first, first_sequence=first // 50):
            codes += [each.code for each in review.heard(batch)]
    assert codes == ["asystole", "asystole"]


def test_a_node_whose_clock_is_absurd_gets_no_time() -> None:
    arrest = np.concatenate((read_record(BUNDLED).samples_mv[:1500], np.zeros(1500)))
    review = LateReview(a_monitor(), MODEL)
    found = [
        each for batch in batches(arrest) for each in review.heard(replace(batch, wall_us=2**62))
    ]
    assert [each.found_wall_us for each in found] == [0]


# ── what an outage cuts ───────────────────────────────────────────────────────────────────────


def a_signal(*episodes: tuple[RhythmKind, float]) -> Float64Array:
    """A synthetic patient's rhythms in turn, each for so many seconds, in mV."""
    source = PatientSource(
        SyntheticPatient(250, seed=3),
        tuple(Episode(Rhythm(kind), seconds) for kind, seconds in episodes),
    )
    samples = np.concatenate([piece.samples for piece in source.pieces()])
    return samples * (source.nv_per_lsb * 1e-6)


def raised(monitor: Monitor, batch: Batch) -> list[str]:
    return [
        event.instance.code
        for event in monitor.step(batch)
        if isinstance(event, AlarmChanged) and event.instance.active_us == event.at_us
    ]


def alarms(
    signal_mv: Float64Array, outage_s: tuple[float, float], *, newest_first: bool = False
) -> tuple[list[str], list[str]]:
    """What alarms live and what is found late when the batches of these seconds come after all
    others that were sampled by then: three late ones for each live one, as a node sends them.
    """
    monitor = a_monitor()
    review = LateReview(monitor, MODEL)
    live, late = [], []
    held: list[Batch] = []
    for batch in batches(signal_mv):
        at_s = batch.first_sample / 250
        if outage_s[0] <= at_s < outage_s[1]:
            held.append(batch)
            continue
        live += raised(monitor, batch)
        late += review.live(batch)
        now = held[len(held) // 2 :] + held[: len(held) // 2] if newest_first else held
        for each in now[:3]:
            late += review.heard(replace(each, at_us=batch.at_us))
            held.remove(each)
    assert not held
    lethal = [code for code in live if code == "asystole"]
    return lethal, [each.code for each in late]


SIX_SECONDS = a_signal(
    (RhythmKind.SINUS, 20), (RhythmKind.ASYSTOLE, 6), (RhythmKind.SINUS, 14)
)  # fmt: skip


@pytest.mark.parametrize(
    "outage_s",
    [(10, 23), (15, 22), (23, 27), (23.2, 35), (21.4, 24), (22, 22.4), (19, 28), (24.8, 25.2)],
)
def test_an_arrest_that_an_outage_cuts_is_found(outage_s: tuple[float, float]) -> None:
    live, late = alarms(SIX_SECONDS, outage_s)
    # One that goes on long enough may be known from late samples before it alarms by itself.
    assert (live, late) in ((["asystole"], []), ([], ["asystole"]), (["asystole"], ["asystole"]))


def test_an_arrest_that_comes_in_late_pieces_out_of_order_is_found_once() -> None:
    assert alarms(SIX_SECONDS, (14, 32), newest_first=True) == ([], ["asystole"])


def test_late_pieces_that_wait_for_more_hold_few_monitors_and_are_judged_whole() -> None:
    review = LateReview(a_monitor(), MODEL)
    pieces = list(batches(SIX_SECONDS))
    cut = next(n for n, batch in enumerate(pieces) if batch.first_sample >= 23 * 250)
    before = sum(type(each) is Monitor for each in gc.get_objects())
    found = []
    for part in (pieces[:cut], pieces[cut:]):
        for boot_id in range(1, 8):
            found += [
                (boot_id, each.code)
                for batch in part
                for each in review.heard(replace(batch, boot_id=boot_id))
            ]
        gc.collect()
        assert sum(type(each) is Monitor for each in gc.get_objects()) - before <= 4
    assert found == [(boot_id, "asystole") for boot_id in range(1, 8)]


def test_many_late_pieces_of_another_time_do_not_make_it_forget_the_present() -> None:
    monitor = a_monitor()
    review = LateReview(monitor, MODEL)
    pieces = list(batches(SIX_SECONDS))
    cut = next(n for n, batch in enumerate(pieces) if batch.first_sample >= 23 * 250)
    for number, batch in enumerate(pieces[cut : cut + 60]):
        raised(monitor, batch)
        review.live(batch)
        review.heard(replace(pieces[0], boot_id=99, first_sample=10_000 * number))
    late = [each.code for batch in pieces[:cut] for each in review.heard(batch)]
    assert late == ["asystole"]


def test_what_the_live_monitor_raises_is_not_found_late_as_well() -> None:
    signal_mv = a_signal((RhythmKind.SINUS, 20), (RhythmKind.ASYSTOLE, 12), (RhythmKind.SINUS, 9))
    assert alarms(signal_mv, (10, 23)) == (["asystole"], [])


def test_a_healthy_signal_with_a_hole_that_is_closed_is_not_mentioned() -> None:
    assert alarms(a_signal((RhythmKind.SINUS, 40)), (12, 20)) == ([], [])


def test_two_arrests_of_which_one_alarmed_before_the_outage_are_told_apart() -> None:
    signal_mv = a_signal(
        (RhythmKind.SINUS, 15), (RhythmKind.ASYSTOLE, 6), (RhythmKind.SINUS, 5),
        (RhythmKind.ASYSTOLE, 6), (RhythmKind.SINUS, 14),
    )  # fmt: skip
    assert alarms(signal_mv, (23, 29)) == (["asystole"], ["asystole"])


def test_the_patients_own_limits_hold_for_what_comes_late() -> None:
    monitor = a_monitor(EngineState(limits=Limits(asystole_s=9)))
    review = LateReview(monitor, MODEL)
    found = [each for batch in batches(SIX_SECONDS) for each in review.heard(batch)]
    assert "asystole" not in [each.code for each in found]

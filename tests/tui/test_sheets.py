"""Calibration, limits, test alert and ward, by key and by tap."""

from __future__ import annotations

import re

from textual.pilot import Pilot

from bedside.events import CalibrationChanged, Flags, Priority, Vitals
from bedside.feed import Hop
from bedside.local_feed import LocalFeed
from bedside.tui.app import BedsideApp
from bedside.tui.screens.calibrate import CalibrateScreen
from bedside.tui.screens.limits import LimitsScreen
from bedside.tui.screens.monitor import MonitorScreen
from bedside.tui.screens.ward import WardScreen
from tests.tui.painted_bed import CONTACTS, PaintedBed
from tests.tui.seen import drawn, monitor, text


def calibration(bed: PaintedBed, state: str, reason: str = "") -> None:
    bed.picture.apply(CalibrationChanged(bed.now_us, state, reason), bed.wall_us())


async def opened(pilot: Pilot[None], key: str) -> None:
    await pilot.press(key)
    await drawn(pilot)


# ── calibrate ─────────────────────────────────────────────────────────────────────────────────


async def test_before_a_calibration_electrodes_and_signal_are_checked_live(bed: PaintedBed) -> None:
    async with monitor(bed, (80, 24)) as pilot:
        await opened(pilot, "c")
        assert "● both electrodes are on" in text(pilot)
        assert "● good signal (95 %)" in text(pilot)
        vitals = Vitals(bed.now_us, None, None, 0.2, "muscle noise", "lead off")
        bed.picture.apply(vitals, bed.wall_us())
        await drawn(pilot)
        assert "✗ an electrode is off: press it on, or replace it" in text(pilot)
        assert "✗ the signal is poor (20 %): muscle noise" in text(pilot)


async def test_a_calibration_runs_from_start_to_acceptance_by_key(bed: PaintedBed) -> None:
    async with monitor(bed, (100, 30)) as pilot:
        await opened(pilot, "c")
        await pilot.press("enter")
        assert bed.asked == [("12", "calibrate", {"seconds": 300, "review": True})]
        calibration(bed, "running", "300 s")
        await drawn(pilot)
        assert re.search(r"at most [45]:\d\d left", text(pilot))
        await pilot.press("enter", "y")
        assert len(bed.asked) == 1
        calibration(bed, "proposed", "340 beats, about 1 false alarms a day, 95 % found")
        await drawn(pilot)
        assert "340 beats, about 1 false alarms a day, 95 % found" in text(pilot)
        await pilot.press("y")
        assert bed.asked[-1] == ("12", "calibrate", {"decision": "accept"})
        assert isinstance(pilot.app.screen, MonitorScreen)


async def test_a_refused_calibration_says_why_and_can_be_repeated(bed: PaintedBed) -> None:
    calibration(bed, "refused", "too many ectopic beats")
    async with monitor(bed, (80, 24)) as pilot:
        await opened(pilot, "c")
        assert "Refused: too many ectopic beats" in text(pilot)
        bed.refusal = "bed 12 has no patient: admit first"
        await pilot.press("enter")
        await drawn(pilot)
        assert "refused: bed 12 has no patient: admit first" in text(pilot)
        assert isinstance(pilot.app.screen, CalibrateScreen)


# ── limits ────────────────────────────────────────────────────────────────────────────────────


async def to_row(pilot: Pilot[None], title: str) -> None:
    limits = pilot.app.screen
    assert isinstance(limits, LimitsScreen)
    while limits.chosen != title:
        limits.action_down()
    await pilot.pause()


async def test_a_limit_is_changed_within_its_bounds_and_sent_once(bed: PaintedBed) -> None:
    async with monitor(bed, (80, 24)) as pilot:
        await opened(pilot, "l")
        await to_row(pilot, "pause_s")
        await pilot.press("right", "right")
        await drawn(pilot)
        assert "1 not applied yet" in text(pilot)
        assert bed.asked == []
        await pilot.press("enter")
        [(_, name, arguments)] = bed.asked
        assert name == "set-limit"
        assert arguments["limits"]["pause_s"] > 2.5
        await drawn(pilot)
        assert "the limits are set" in text(pilot)
        assert "not applied" not in text(pilot)


async def test_a_limit_stops_at_its_bounds_and_says_so(bed: PaintedBed) -> None:
    async with monitor(bed, (80, 24)) as pilot:
        await opened(pilot, "l")
        limits = pilot.app.screen
        assert isinstance(limits, LimitsScreen)
        for _ in range(7):
            limits.action_less()
        await drawn(pilot)
        assert "bounds: 3 to 10" in text(pilot)
        await pilot.press("enter")
        assert bed.asked[0][2] == {"limits": {"asystole_s": 3.0}}


async def test_a_condition_that_is_switched_off_must_be_confirmed(bed: PaintedBed) -> None:
    bed.needs_confirmation = True
    async with monitor(bed, (80, 24)) as pilot:
        await opened(pilot, "l")
        await to_row(pilot, "vt")
        await pilot.press("left", "enter")
        await drawn(pilot)
        assert "this would alarm later: confirm it" in text(pilot)
        await pilot.press("escape")
        assert len(bed.asked) == 1
        await pilot.press("enter")
        await pilot.click("#choose-confirm")
        assert bed.asked[-1][2] == {"conditions": {"vt": False}, "confirmed": True}


async def test_nothing_is_sent_where_nothing_was_changed(bed: PaintedBed) -> None:
    async with monitor(bed, (80, 24)) as pilot:
        await opened(pilot, "l")
        await pilot.click("#do-more")
        await pilot.click("#do-less")
        await pilot.press("enter")
        await drawn(pilot)
        assert "nothing is changed" in text(pilot)
        assert bed.asked == []


# ── test alert ────────────────────────────────────────────────────────────────────────────────


async def test_a_test_alert_shows_its_hops_with_their_times(bed: PaintedBed) -> None:
    async with monitor(bed, (80, 24)) as pilot:
        await opened(pilot, "t")
        assert "To nurse (contact 1 of 2)." in text(pilot)
        await pilot.click("#do-next-contact")
        await pilot.press("enter")
        assert bed.asked == [("12", "test-alert", {"contact": 2})]
        await drawn(pilot)
        assert "under way" in text(pilot)
        at_us = bed.wall_us()
        bed.hops += [
            Hop("t", at_us, "queued", 2),
            Hop("t", at_us + 40_000, "failed", 2, "no route"),
            Hop("t", at_us + 950_000, "accepted", 2),
        ]
        await drawn(pilot)
        shown = text(pilot)
        assert "0 ms  registrar: committed to disk" in shown
        assert "40 ms  registrar: failed, is tried again: no route" in shown
        assert "950 ms  registrar: accepted by the transport" in shown
        assert "under way" not in shown


# ── ward ──────────────────────────────────────────────────────────────────────────────────────


def ward_of(*beds: PaintedBed) -> LocalFeed:
    first = beds[0]
    pictures = {bed.name: bed.picture for bed in beds}
    return LocalFeed(
        pictures,
        first._act,
        lambda: first.now_us,
        first.wall_us,
        first.recording,
        contacts=CONTACTS,
    )


def three_beds() -> tuple[PaintedBed, ...]:
    beds = tuple(PaintedBed(name) for name in ("11", "12", "13"))
    for bed in beds:
        bed.play(10)
    return beds


async def test_the_ward_shows_each_beds_rate_trace_and_highest_alarm() -> None:
    beds = three_beds()
    beds[1].raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    beds[2].play(0.4, Flags.LEAD_OFF_PLUS)
    app = BedsideApp(ward_of(*beds))
    async with app.run_test(size=(160, 40)) as pilot:
        await drawn(pilot)
        await opened(pilot, "w")
        await drawn(pilot)
        shown = text(pilot)
        assert "Ward: 3 beds" in shown
        assert shown.count("75 /min") == 3
        assert "*** VENTRICULAR TACHYCARDIA" in shown
        assert "LEAD OFF" in shown
        assert shown.count("▾") >= 4


async def test_a_tap_on_a_tile_opens_its_bed_and_so_do_the_keys() -> None:
    app = BedsideApp(ward_of(*three_beds()))
    async with app.run_test(size=(160, 40)) as pilot:
        await drawn(pilot)
        await opened(pilot, "w")
        await pilot.click("#bed-13")
        await drawn(pilot)
        assert "BED 13" in text(pilot)
        await opened(pilot, "w")
        await pilot.press("left", "enter")
        await drawn(pilot)
        assert "BED 12" in text(pilot)
        await opened(pilot, "w")
        assert isinstance(app.screen, WardScreen)
        await pilot.press("escape")
        await drawn(pilot)
        assert "BED 12" in text(pilot)
        await pilot.press("n")
        await drawn(pilot)
        assert "BED 13" in text(pilot)

"""The screen, driven by keys and taps, on a bed painted by real events."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bedside.errors import BedsideError, SettingsError
from bedside.events import (
    BedChanged,
    BedState,
    Flags,
    LimitsChanged,
    Priority,
    SoundPaused,
)
from bedside.limits import Limits, Population
from bedside.local_feed import LocalFeed
from bedside.picture import Picture
from bedside.settings import ScreenSettings
from bedside.tui.app import BedsideApp
from bedside.tui.direct_paint import DirectPaint
from bedside.tui.screens.help import HelpScreen
from bedside.tui.screens.monitor import COMMANDS, MonitorScreen
from bedside.tui.widgets.sweep import Sweep
from tests.tui.painted_bed import PIECE_S, PaintedBed
from tests.tui.seen import drawn, monitor, rows, text

SIZES = [(80, 24), (100, 30), (160, 40), (240, 60)]


# ── what it shows ─────────────────────────────────────────────────────────────────────────────


async def test_a_feed_that_stopped_never_looks_alive(bed: PaintedBed) -> None:
    async with monitor(bed) as pilot:
        assert "this picture is old" not in text(pilot)
        bed.wait(7)
        await drawn(pilot)
        shown = text(pilot)
        assert "NO SAMPLES FOR 7 s: this picture is old" in shown
        assert "  ███ █████████" not in shown
        bed.play(1)
        await drawn(pilot)
        assert "this picture is old" not in text(pilot)
        assert "  ███ █████████" in text(pilot)


async def test_lead_off_is_said_in_words_over_the_trace(bed: PaintedBed) -> None:
    async with monitor(bed) as pilot:
        bed.play(0.4, Flags.LEAD_OFF_PLUS)
        await drawn(pilot)
        assert "LEAD OFF: check the electrodes" in text(pilot)
        bed.play(0.4)
        await drawn(pilot)
        assert "LEAD OFF" not in text(pilot)


async def test_the_banner_comes_and_goes_and_the_trace_keeps_its_place(bed: PaintedBed) -> None:
    async with monitor(bed) as pilot:
        before = rows(pilot)
        assert before[1].strip() == ""
        bed.raise_alarm("vt", Priority.HIGH, "5 ventricular beats, 184/min")
        await drawn(pilot)
        after = rows(pilot)
        assert "*** VENTRICULAR TACHYCARDIA  5 ventricular beats, 184/min" in after[1]
        assert "not acknowledged" in after[1]
        assert after[2:18] == before[2:18]
        assert pilot.app.screen.query_one("#banner").has_class("-high")


async def test_an_alarm_is_logged_with_its_priority_in_text(bed: PaintedBed) -> None:
    bed.raise_alarm("abnormal-beats", Priority.MEDIUM, "abnormal beats 7 of 10")
    async with monitor(bed) as pilot:
        assert any("**" in row and "abnormal beats 7 of 10" in row for row in rows(pilot)[19:])


async def test_a_resize_redraws_the_whole_trace(bed: PaintedBed) -> None:
    async with monitor(bed, (160, 40)) as pilot:
        for size in ((100, 30), (90, 24), (160, 40)):
            await pilot.resize_terminal(*size)
            await drawn(pilot)
            trace = rows(pilot)[3:8]
            assert sum(row.count("▾") for row in trace) >= 6


async def test_a_repaint_shows_what_was_written_past_the_compositor(
    bed: PaintedBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DirectPaint, "possible", True)
    async with monitor(bed) as pilot:
        sweep = pilot.app.screen.query_one(Sweep)
        for _ in range(20):
            bed.play(PIECE_S)
            await pilot.pause(0.02)
            await drawn(pilot)
        repainted = rows(pilot)
        sweep.refresh()
        await pilot.pause()
        assert repainted[3:18] == rows(pilot)[3:18]


# ── what it does ──────────────────────────────────────────────────────────────────────────────


async def test_a_acknowledges_the_alarm_of_the_banner_if_there_is_one(bed: PaintedBed) -> None:
    bed.raise_alarm("abnormal-beats", Priority.MEDIUM, "abnormal beats", "medium")
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia", "high")
    async with monitor(nobody := PaintedBed()) as pilot:
        await pilot.press("a")
        assert nobody.asked == []
        assert "nothing to acknowledge" in text(pilot)
    async with monitor(bed) as pilot:
        await pilot.press("a")
        assert bed.asked == [("12", "acknowledge", {"instance": "high"})]
        assert "acknowledged: ventricular tachycardia" in text(pilot)


async def test_a_refusal_is_shown_with_its_reason(bed: PaintedBed) -> None:
    bed.refusal = "this screen may only read"
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia", "high")
    async with monitor(bed) as pilot:
        await pilot.press("a")
        assert "refused: this screen may only read" in text(pilot)


async def test_a_feed_that_cannot_act_says_why(
    bed: PaintedBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise BedsideError("the station is away: try again when it is back")

    monkeypatch.setattr(bed.feed, "act", broken)
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia", "high")
    async with monitor(bed) as pilot:
        await pilot.press("a")
        assert "the station is away: try again when it is back" in text(pilot)


async def test_b_offers_to_admit_put_on_standby_and_discharge(bed: PaintedBed) -> None:
    async with monitor(bed, (80, 24)) as pilot:
        for key, action in (
            ("a", ("admit", {})),
            ("s", ("standby", {"seconds": 1800})),
            ("d", ("discharge", {})),
        ):
            await pilot.press("b", key)
            assert bed.asked[-1] == ("12", *action)


async def test_a_new_patient_is_admitted_with_the_limits_of_a_population(bed: PaintedBed) -> None:
    bed.picture.apply(BedChanged(bed.now_us, BedState.DISCHARGED, "", "nurse"), bed.wall_us())
    async with monitor(bed, (80, 24)) as pilot:
        await pilot.press("b", "a")
        await pilot.pause()
        assert "neonate (up to 28 days)" in text(pilot)
        await pilot.click("#choose-child")
        assert bed.asked == [("12", "admit", {"population": "child"})]


async def test_p_pauses_the_sound_and_a_second_p_ends_the_pause(bed: PaintedBed) -> None:
    async with monitor(bed, (80, 24)) as pilot:
        await pilot.press("p")
        assert bed.asked == [("12", "pause-sound", {})]
        paused = SoundPaused(bed.now_us, bed.now_us + 102_000_000, "nurse")
        bed.picture.apply(paused, bed.wall_us())
        await drawn(pilot)
        assert "sound paused 1:42" in rows(pilot)[0]
        bed.play(2)
        await drawn(pilot)
        assert "sound paused 1:40" in rows(pilot)[0]
        await pilot.click("#do-pause-sound")
        assert bed.asked[-1] == ("12", "pause-sound", {"seconds": 0})


async def test_what_does_not_alarm_is_said_for_as_long_as_it_does_not(bed: PaintedBed) -> None:
    limits = LimitsChanged(
        bed.now_us, Population.ADULT, Limits(), ("bigeminy",), ("asystole only after 6 s",), "x"
    )
    bed.picture.apply(limits, bed.wall_us())
    async with monitor(bed, (160, 40)) as pilot:
        assert "disabled: bigeminy" in text(pilot)


async def test_help_says_what_this_is_not_and_leaves_the_banner_visible(bed: PaintedBed) -> None:
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    async with monitor(bed, (80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        assert "Not a medical device" in text(pilot)
        assert "VENTRICULAR TACHYCARDIA" in rows(pilot)[1]
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, MonitorScreen)


async def test_an_alarm_appears_while_a_question_is_open(bed: PaintedBed) -> None:
    async with monitor(bed) as pilot:
        await pilot.press("b")
        bed.raise_alarm("asystole", Priority.HIGH, "asystole")
        await drawn(pilot)
        assert "*** ASYSTOLE" in rows(pilot)[1]


async def test_q_asks_and_a_second_q_leaves(bed: PaintedBed) -> None:
    async with monitor(bed) as pilot:
        await pilot.press("q", "escape")
        assert pilot.app.is_running
        await pilot.press("q", "q")
        await pilot.pause()
        assert pilot.app._exit


async def test_buttons_are_large_enough_for_a_finger_at_every_size(bed: PaintedBed) -> None:
    async with monitor(bed, SIZES[0]) as pilot:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await drawn(pilot)
            for button in pilot.app.screen.query("ActionButton"):
                assert button.outer_size.height >= 3
                assert button.outer_size.width >= 10
                assert button.region in pilot.app.screen.region
        await pilot.press("m")
        await pilot.pause()
        for choice in pilot.app.screen.query("ChoiceButton"):
            assert choice.outer_size.height >= 3
            assert choice.outer_size.width >= 10


async def test_every_theme_says_the_priority_in_words_too(bed: PaintedBed) -> None:
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    async with monitor(bed) as pilot:
        for theme in ("day", "high-contrast", "monochrome", "night"):
            await pilot.press("v")
            assert pilot.app.theme == f"bedside-{theme}"
            assert "*** VENTRICULAR TACHYCARDIA" in text(pilot)


async def test_speed_and_gain_go_round_and_stand_in_the_title(bed: PaintedBed) -> None:
    async with monitor(bed, (160, 40)) as pilot:
        assert "≈25 mm/s" in text(pilot)
        assert "mm/mV auto" in text(pilot)
        await pilot.press("s", "g")
        await drawn(pilot)
        assert "≈50 mm/s" in text(pilot)
        assert "≈5 mm/mV" in text(pilot)
        fast = rows(pilot)[3].count("▾")
        await pilot.press("s")
        await drawn(pilot)
        assert "≈12.5 mm/s" in text(pilot)
        assert rows(pilot)[3].count("▾") >= 3 * fast


async def test_a_measured_screen_shows_a_true_25_mm_a_second(bed: PaintedBed) -> None:
    app = BedsideApp(bed.feed, settings=ScreenSettings(width_mm=160, gain_mm_mv=10))
    async with app.run_test(size=(160, 40)) as pilot:
        await drawn(pilot)
        marks = [at for at, cell in enumerate(rows(pilot)[3]) if cell == "▾"]
        # A beat of 0.8 s is 20 mm, here 20 cells; at the erase bar a mark or two are missing.
        beats_mm = [later - earlier for earlier, later in pairwise(marks)]
        assert sorted(beats_mm)[len(beats_mm) // 2] == 20
        assert "25 mm/s  10 mm/mV" in text(pilot)
        assert "≈" not in text(pilot)


async def test_no_color_in_the_environment_takes_the_colours_away(
    bed: PaintedBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    async with monitor(bed) as pilot:
        strips = pilot.app.screen._compositor.render_strips()
        for segment in (segment for strip in strips for segment in strip):
            colour = segment.style.color.triplet if segment.style and segment.style.color else None
            assert colour is None or max(colour) - min(colour) < 3
        assert "*** VENTRICULAR TACHYCARDIA" in text(pilot)


async def test_a_terminal_without_utf8_gets_ascii_alone(
    bed: PaintedBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.tui.app.terminal_knows_utf8", lambda: False)
    async with monitor(bed) as pilot:
        assert text(pilot).isascii()
        assert len({len(row) for row in rows(pilot)}) == 1
        await pilot.press("question_mark")
        await pilot.pause()
        assert text(pilot).isascii()


async def test_the_palette_holds_every_action_and_a_kiosk_has_none(bed: PaintedBed) -> None:
    async with monitor(bed) as pilot:
        commands = list(pilot.app.get_system_commands(pilot.app.screen))
        assert [command.title for command in commands] == [label for label, *_ in COMMANDS]
        await pilot.press("ctrl+p")
        assert not isinstance(pilot.app.screen, MonitorScreen)
    app = BedsideApp(bed.feed, settings=ScreenSettings(kiosk=True))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+p", "ctrl+q", "q")
        await drawn(pilot)
        assert isinstance(app.screen, MonitorScreen)
        assert "not closed from here" in text(pilot)
        assert not app.ALLOW_SELECT


async def test_a_discharged_bed_says_that_its_alarms_are_off(bed: PaintedBed) -> None:
    bed.picture.apply(BedChanged(bed.now_us, BedState.DISCHARGED, "", "nurse"), bed.wall_us())
    async with monitor(bed) as pilot:
        assert "no patient in this bed: alarms are off" in rows(pilot)[1]


# ── what it refuses ───────────────────────────────────────────────────────────────────────────


def test_an_unknown_bed_is_refused_with_the_known_ones(bed: PaintedBed) -> None:
    with pytest.raises(SettingsError, match="choose one of 12"):
        BedsideApp(bed.feed, bed="13")


async def test_before_any_node_has_spoken_the_screen_says_what_to_do(bed: PaintedBed) -> None:
    pictures: dict[str, Picture] = {}
    feed = LocalFeed(pictures, bed._act, lambda: bed.now_us, bed.wall_us, bed.recording)
    app = BedsideApp(feed)
    async with app.run_test(size=(100, 30)) as pilot:
        assert "No node has spoken yet" in str(app.screen.query_one("#waiting").render())
        pictures[bed.name] = bed.picture
        while not isinstance(app.screen, MonitorScreen):
            await pilot.pause(0.02)
        assert app.screen.bed == bed.name

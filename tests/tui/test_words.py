"""What the screen says, without a screen."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bedside.events import (
    AlarmChanged,
    AlarmState,
    BedChanged,
    BedState,
    Instance,
    Priority,
    Vitals,
)
from bedside.feed import BedSnapshot, LinkState, LogLine
from bedside.tui import words
from bedside.tui.glyphs import ASCII, BRAILLE
from tests.tui.painted_bed import PaintedBed

PAPER = "25 mm/s  10 mm/mV"


def snapshot_of(bed: PaintedBed) -> BedSnapshot:
    return bed.feed.snapshot(bed.name)


def instance(
    priority: Priority, instance_id: str = "i", acknowledged_us: int | None = None
) -> Instance:
    return Instance(
        instance_id,
        "vt",
        priority,
        AlarmState.ACTIVE,
        0,
        0,
        f"{priority.value} words",
        active_us=0,
        acknowledged_us=acknowledged_us,
    )


def test_the_heart_rate_is_a_whole_number(bed: PaintedBed) -> None:
    assert words.heart_rate(snapshot_of(bed)) == "75"


def test_an_unknown_heart_rate_is_two_dashes(bed: PaintedBed) -> None:
    bed.picture.apply(Vitals(bed.now_us, None, None, None), bed.wall_us())
    assert words.heart_rate(snapshot_of(bed)) == "--"
    assert "--" in words.below_heart_rate(snapshot_of(bed), 22).plain


def test_an_old_picture_shows_no_number(bed: PaintedBed) -> None:
    bed.wait(3.1)
    snapshot = snapshot_of(bed)
    assert words.heart_rate(snapshot) == "--"
    assert words.below_heart_rate(snapshot, 22).plain.split() == ["ectopic", "/min", "--"]
    assert words.trace_notice(snapshot, lead_off=False) == "NO SAMPLES FOR 3 s: this picture is old"


def test_a_bed_without_a_sample_says_that_it_waits() -> None:
    assert "WAITING" in words.trace_notice(snapshot_of(PaintedBed()), lead_off=False)


def test_lead_off_is_said_over_the_trace_unless_the_picture_is_old(bed: PaintedBed) -> None:
    assert words.trace_notice(snapshot_of(bed), lead_off=True).startswith("LEAD OFF")
    bed.wait(5)
    assert words.trace_notice(snapshot_of(bed), lead_off=True).startswith("NO SAMPLES")


def test_a_live_trace_has_no_words_over_it(bed: PaintedBed) -> None:
    assert words.trace_notice(snapshot_of(bed), lead_off=False) == ""


def test_a_quiet_admitted_bed_has_no_banner(bed: PaintedBed) -> None:
    assert words.banner(snapshot_of(bed)) is None


@pytest.mark.parametrize(
    ("state", "said"), [(BedState.DISCHARGED, "no patient"), (BedState.STANDBY, "standby")]
)
def test_a_bed_whose_alarms_are_off_says_so(bed: PaintedBed, state: BedState, said: str) -> None:
    bed.picture.apply(BedChanged(bed.now_us, state, "", "nurse"), bed.wall_us())
    banner = words.banner(snapshot_of(bed))
    assert banner is not None
    assert said in banner.title
    assert "alarms are off" in banner.title
    assert banner.priority is None


def test_the_banner_shows_the_most_urgent_alarm_with_its_mark_and_its_beginning(
    bed: PaintedBed,
) -> None:
    bed.raise_alarm("abnormal-beats", Priority.MEDIUM, "abnormal beats 7 of 10", "i1")
    bed.raise_alarm("vt", Priority.HIGH, "5 ventricular beats, 184/min", "i2")
    banner = words.banner(snapshot_of(bed))
    assert banner is not None
    assert banner.title == "*** VENTRICULAR TACHYCARDIA  5 ventricular beats, 184/min"
    assert banner.details == (
        "not acknowledged",
        "+1 more",
        f"since {words.clock(bed.wall_us())}",
    )
    assert banner.flashing


def test_the_banner_says_whether_help_is_on_its_way(bed: PaintedBed) -> None:
    raised = bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    bed.picture.set_delivery(raised.instance_id, "sent")
    banner = words.banner(snapshot_of(bed))
    assert banner is not None
    assert banner.details[-1] == "sent"


def test_a_high_alarm_that_is_over_stays_and_says_so(bed: PaintedBed) -> None:
    raised = bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    over = replace(raised, state=AlarmState.ENDED, ended_us=bed.now_us)
    bed.picture.apply(AlarmChanged(bed.now_us, over), bed.wall_us())
    banner = words.banner(snapshot_of(bed))
    assert banner is not None
    assert "over" in banner.details


def test_an_acknowledged_alarm_no_longer_flashes(bed: PaintedBed) -> None:
    raised = bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia")
    acknowledged = replace(raised, acknowledged_us=bed.now_us, acknowledged_by="nurse")
    bed.picture.apply(AlarmChanged(bed.now_us, acknowledged), bed.wall_us())
    banner = words.banner(snapshot_of(bed))
    assert banner is not None
    assert not banner.flashing
    assert banner.details[0] == "acknowledged"


def test_a_narrow_banner_drops_the_least_important_details_first() -> None:
    banner = words.BannerWords("*** ASYSTOLE", ("not acknowledged", "+1 more", "since 12:40:58"))
    assert words.banner_line(banner, 40).split("  ")[-1].strip() == "not acknowledged"
    assert (
        words.banner_line(banner, 70)
        .rstrip()
        .endswith("since 12:40:58 · +1 more · not acknowledged")
    )
    for width in range(3, 90):
        assert len(words.banner_line(banner, width)) <= width


def test_the_key_acknowledges_the_most_urgent_alarm_that_waits() -> None:
    waiting = (
        instance(Priority.LOW, "low"),
        instance(Priority.HIGH, "seen", acknowledged_us=1),
        instance(Priority.MEDIUM, "medium"),
    )
    chosen = words.to_acknowledge(waiting)
    assert chosen is not None
    assert chosen.instance_id == "medium"
    assert words.to_acknowledge((instance(Priority.HIGH, acknowledged_us=1),)) is None


def test_the_gravest_of_several_high_alarms_has_the_banner(bed: PaintedBed) -> None:
    bed.raise_alarm("vt", Priority.HIGH, "ventricular tachycardia", "i1")
    bed.raise_alarm("extreme-tachy", Priority.HIGH, "heart rate 152, above 140/min", "i2")
    banner = words.banner(snapshot_of(bed))
    assert banner is not None
    assert "VENTRICULAR TACHYCARDIA" in banner.title


@pytest.mark.parametrize(("priority", "flashes"), [(Priority.HIGH, 20), (Priority.MEDIUM, 6)])
def test_alarms_flash_in_the_rhythm_of_their_priority(priority: Priority, flashes: int) -> None:
    seen = [words.lit(priority, step / 100) for step in range(1001)]
    starts = sum(now and not before for before, now in pairwise(seen))
    assert starts == flashes


def test_a_low_alarm_is_steady() -> None:
    assert all(words.lit(Priority.LOW, step / 10) for step in range(100))


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("glyphs", [BRAILLE, ASCII])
def test_the_status_row_fills_its_width_and_ends_with_the_time(
    bed: PaintedBed, width: int, glyphs: object
) -> None:
    row = words.status(snapshot_of(bed), glyphs, width)  # type: ignore[arg-type]
    assert row.cell_length == width
    assert row.plain.endswith(words.clock(bed.wall_us()))
    assert "BED 12" in row.plain


def test_a_failed_link_keeps_its_detail_when_room_is_short(bed: PaintedBed) -> None:
    links = (
        LinkState("node", True, "250.0 Hz"),
        LinkState("broker", False, "away since 12:04"),
        LinkState("analysis", True, "3 ms"),
        LinkState("disk", True, "40 GB free"),
        LinkState("cloud", None, "not configured"),
    )
    bed.picture.set_links(links)
    row = words.status(snapshot_of(bed), BRAILLE, 90).plain
    assert "✗ broker away since 12:04" in row
    assert "250.0 Hz" not in row


def test_synthetic_signals_say_so_in_the_title(bed: PaintedBed) -> None:
    synthetic = replace(snapshot_of(bed), synthetic=True)
    assert "SYNTHETIC" in words.trace_title(synthetic, PAPER, (0.2, 0.5), 60).plain
    assert "SYNTHETIC" not in words.trace_title(snapshot_of(bed), PAPER, (0.2, 0.5), 60).plain


def test_a_narrow_title_keeps_what_the_trace_is(bed: PaintedBed) -> None:
    title = words.trace_title(snapshot_of(bed), PAPER, (0.2, 0.5), 18).plain
    assert title == "RECORD painted"


def test_speed_and_gain_stay_in_the_title_before_what_is_well_or_of_less_use(
    bed: PaintedBed,
) -> None:
    demo = replace(snapshot_of(bed), title="RECORD mitdb/208 (trained on)", synthetic=True)
    for width, said in (
        (75, "RECORD mitdb/208 (trained on)  SYNTHETIC  ≈25 mm/s  ≈34 mm/mV auto"),
        (60, "RECORD mitdb/208  SYNTHETIC  ≈25 mm/s  ≈34 mm/mV auto"),
    ):
        title = words.trace_title(demo, "≈25 mm/s  ≈34 mm/mV auto", (0.2, 0.5), width).plain
        assert title == said


def test_suspended_monitoring_is_said_in_words(bed: PaintedBed) -> None:
    bed.picture.apply(Vitals(bed.now_us, None, None, 0.0, suspended="lead off"), bed.wall_us())
    assert "no monitoring: lead off" in words.below_heart_rate(snapshot_of(bed), 30).plain


def test_the_log_has_the_newest_row_on_top_and_fits_its_pane() -> None:
    log = tuple(
        LogLine(number, 0, "**", "abnormal beats 7 of 10", "ended", "sent", "i")
        for number in range(200)
    )
    lines = words.log_lines(log, 50, 6).plain.split("\n")
    assert len(lines) == 6
    assert all(len(line) <= 50 for line in lines)
    assert "abnormal" in lines[1]


def test_a_long_log_text_gives_way_to_the_state_it_is_in() -> None:
    line = LogLine(1, 0, "***", "heart rate 143, above 140/min", "acknowledged", "sent", "i")
    row = words.log_lines((line,), 55, 4).plain.split("\n")[1]
    assert "…: acknowledged" in row
    assert row.rstrip().endswith("sent")


def test_an_unknown_wall_time_is_dashes() -> None:
    assert words.clock(0) == "--:--:--"

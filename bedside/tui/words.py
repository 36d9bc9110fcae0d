"""What the screen says of a bed: pure functions from a snapshot to text.

Every state is a word with a mark; colour only repeats it. What is unknown is `--`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from textual.content import Content

from bedside.alarms.conditions import CONDITIONS
from bedside.ecg.filters import HIGH_PASS_HZ, LOW_PASS_HZ
from bedside.events import AlarmState, BedState, Instance, Priority
from bedside.feed import BedSnapshot, LinkState, LogLine
from bedside.tui.glyphs import GlyphSet
from bedside.tui.paper import Paper

STALE_AFTER_S = 3.0
LOW_LOG_ROWS = 3
NOT_A_DEVICE = "not a medical device"
UNKNOWN = "--"
GOOD_SIGNAL = "good signal"

_COLOUR = {Priority.HIGH: "$error", Priority.MEDIUM: "$warning", Priority.LOW: "$accent"}
_FLASHES_PER_S = {Priority.HIGH: 2.0, Priority.MEDIUM: 0.6}
_MARK_COLOUR = {priority.mark: colour for priority, colour in _COLOUR.items()}


@dataclass(frozen=True, slots=True)
class BannerWords:
    """The banner: its title, details in order of importance, and whose colour and rhythm it has.

    `priority` is None for what is no alarm.
    """

    title: str
    details: tuple[str, ...]
    priority: Priority | None = None
    flashing: bool = False


def is_stale(snapshot: BedSnapshot) -> bool:
    """Whether the picture is too old to look alive."""
    return snapshot.age_s > STALE_AFTER_S or bool(snapshot.fault)


LAST_WALL_US = 4_102_444_800_000_000
"""The year 2100: a clock beyond it is wrong."""


def clock(wall_us: int) -> str:
    """A wall time as the local `12:41:07`; `--:--:--` while it is not known."""
    if not 0 < wall_us < LAST_WALL_US:
        return "--:--:--"
    return datetime.fromtimestamp(wall_us / 1e6).strftime("%H:%M:%S")


def day_clock(wall_us: int) -> str:
    """A wall time of the last days as the local `25 12:41:07`, the day of the month first."""
    if not 0 < wall_us < LAST_WALL_US:
        return "-- --:--:--"
    return datetime.fromtimestamp(wall_us / 1e6).strftime("%d %H:%M:%S")


def minutes(seconds: float) -> str:
    """A remaining time as `1:42`, rounded up so that it never says 0:00 too early."""
    whole = math.ceil(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def condition_title(instance: Instance) -> str:
    """The name of an alarm instance's condition."""
    condition = CONDITIONS.get(instance.code)
    return condition.title if condition else instance.code


def lit(priority: Priority, now_s: float) -> bool:
    """Whether a flashing alarm shows its bright half: 2 Hz high, 0.6 Hz medium, low steady."""
    per_s = _FLASHES_PER_S.get(priority)
    return per_s is None or (now_s * per_s) % 1.0 < 0.5


def by_urgency(instances: tuple[Instance, ...]) -> list[Instance]:
    """Highest priority first; then not acknowledged, not over, and the order of the conditions.

    The table of conditions runs from the gravest on, so that a fast heart rate never takes the
    banner from the ventricular tachycardia that causes it.
    """
    priorities, codes = list(Priority), list(CONDITIONS)
    return sorted(
        instances,
        key=lambda one: (
            priorities.index(one.priority),
            one.acknowledged_us is not None,
            one.ended_us is not None,
            codes.index(one.code) if one.code in codes else len(codes),
        ),
    )


def to_acknowledge(instances: tuple[Instance, ...]) -> Instance | None:
    """The instance that the key acknowledges: the most urgent one that nobody has acknowledged."""
    waiting = (one for one in by_urgency(instances) if one.acknowledged_us is None)
    return next(waiting, None)


def banner(snapshot: BedSnapshot) -> BannerWords | None:
    """What the banner says, or None when there is nothing to say."""
    instances = by_urgency(snapshot.instances)
    if not instances:
        return _bed_words(snapshot)
    first = instances[0]
    raised = _line_when_raised(snapshot.log, first)
    acknowledged = first.acknowledged_us is not None
    details = ["acknowledged" if acknowledged else "not acknowledged"]
    if len(instances) > 1:
        details.append(f"+{len(instances) - 1} more")
    if first.ended_us is not None:
        details.append("over")
    elif first.state is AlarmState.SUSPENDED:
        details.append("suspended")
    if raised:
        details.append(f"since {clock(raised.wall_us)}")
        # That its alert was acknowledged, too, says nothing more.
        details += [raised.delivery] if raised.delivery not in ("", "acknowledged") else []
    title = f"{first.mark} {condition_title(first).upper()}"
    if first.text and first.text.lower() != condition_title(first).lower():
        title += f"  {first.text}"
    return BannerWords(title, tuple(details), first.priority, not acknowledged)


def banner_line(said: BannerWords, width: int) -> str:
    """The banner in one row: the title, and at the right as many details as there is room for."""
    shown = len(said.details)
    while shown and len(said.title) + 4 + len(" · ".join(said.details[:shown])) > width:
        shown -= 1
    right = " · ".join(reversed(said.details[:shown]))
    title = _short(said.title, max(1, width - 2))
    return f" {title}{right:>{max(0, width - len(title) - 2)}} "


def _bed_words(snapshot: BedSnapshot) -> BannerWords | None:
    if snapshot.bed_state is BedState.DISCHARGED:
        return BannerWords("no patient in this bed: alarms are off", ("b admits",))
    if snapshot.bed_state is BedState.STANDBY:
        left = "" if snapshot.standby_s is None else f" for {minutes(snapshot.standby_s)}"
        return BannerWords(f"standby{left}: recording goes on, alarms are off", ("b admits",))
    return None


def not_alarming(snapshot: BedSnapshot) -> str:
    """Which conditions are off, and which lethal ones alarm later than usual; empty: none."""
    parts = []
    if snapshot.disabled:
        titles = [CONDITIONS[c].title if c in CONDITIONS else c for c in snapshot.disabled]
        parts.append(f"disabled: {', '.join(titles)}")
    return "; ".join([*parts, *snapshot.relaxed])


def _line_when_raised(log: tuple[LogLine, ...], instance: Instance) -> LogLine | None:
    lines = [line for line in log if line.instance_id == instance.instance_id]
    return next((line for line in reversed(lines) if line.state == AlarmState.ACTIVE), None)


def status(snapshot: BedSnapshot, glyphs: GlyphSet, width: int) -> Content:
    """The top row: bed, links, paused sound, time; link details only where there is room."""
    right = [_span(clock(snapshot.wall_us), "bold")]
    if snapshot.sound_paused_s:
        paused = f" sound paused {minutes(snapshot.sound_paused_s)} "
        right.insert(0, _span(paused, "bold reverse $warning") + Content("  "))
    right_end = Content("").join(right)
    for shown in ("all", "failed", "none"):
        parts = [_span(f"BED {snapshot.bed.upper()} ", "bold")]
        parts += [_link(link, glyphs, shown) for link in snapshot.links]
        left = Content("  ").join(parts)
        if left.cell_length + right_end.cell_length + 3 <= width:
            break
    return _ends(Content(" ") + left, right_end, width)


def _link(link: LinkState, glyphs: GlyphSet, shown: str) -> Content:
    mark, colour = {
        True: (glyphs.working, "$success"),
        False: (glyphs.failed, "bold $warning"),
        None: (glyphs.unknown, "$secondary"),
    }[link.ok]
    detail = link.detail if shown == "all" or (shown == "failed" and link.ok is False) else ""
    words = f" {link.name} {detail}".rstrip()
    return _span(mark, colour) + _span(words, "$text" if link.ok else colour)


def paper_words(paper: Paper, gain_mm_mv: float, clipped: bool, glyphs: GlyphSet) -> str:
    """Speed and gain as on paper; `≈` before them where no ruler was laid on the screen."""
    about = "" if paper.is_true else glyphs.about
    gain = f"{gain_mm_mv:.2g} mm/mV" + ("" if paper.gain_mm_mv else " auto")
    cut = ", beats cut off" if clipped else ""
    return f"{about}{paper.speed_mm_s:g} mm/s  {about}{gain}{cut}"


def trace_title(
    snapshot: BedSnapshot, paper: str, grid: tuple[float, float], width: int
) -> Content:
    """Above the trace: what it is, its signal, its scale; what matters least gives way first."""
    parts = {
        "title": _span(snapshot.title, "bold"),
        "origin": _span("SYNTHETIC" if snapshot.synthetic else "", "bold reverse $accent"),
        "signal": _signal(snapshot),
        "paper": _span(paper, "$secondary"),
        "band": _span(f"{HIGH_PASS_HZ:g}–{LOW_PASS_HZ:g} Hz", "$secondary"),
        "dots": _span(f"dots {grid[0]:g} s, {grid[1]:g} mV", "$secondary"),
    }
    well = quality(snapshot) == GOOD_SIGNAL
    gives_way = {"dots": "", "band": ""} | ({"signal": ""} if well else {})
    gives_way |= {"title": snapshot.title.partition(" (")[0], "paper": ""}
    line = _joined(parts.values())
    for name, shorter in gives_way.items():
        if line.cell_length > width:
            parts[name] = _span(shorter, "bold")
            line = _joined(parts.values())
    return line.truncate(width, ellipsis=True)


def _joined(parts: Iterable[Content]) -> Content:
    return Content("  ").join([part for part in parts if part.plain])


def quality(snapshot: BedSnapshot) -> str:
    """The signal's quality in words."""
    vitals = snapshot.vitals
    if vitals is None or is_stale(snapshot) or vitals.quality is None:
        return f"signal {UNKNOWN}"
    return vitals.quality_reason or GOOD_SIGNAL


def _signal(snapshot: BedSnapshot) -> Content:
    said = quality(snapshot)
    colour = {GOOD_SIGNAL: "$success", f"signal {UNKNOWN}": "$secondary"}.get(said, "$warning")
    return _span(said, colour)


def trace_notice(snapshot: BedSnapshot, lead_off: bool) -> str:
    """What stands over the whole trace, or nothing: an old picture never looks alive."""
    if snapshot.fault:
        return snapshot.fault
    if math.isinf(snapshot.age_s):
        return "WAITING FOR THE NODE: no samples yet"
    if is_stale(snapshot):
        return f"NO SAMPLES FOR {snapshot.age_s:.0f} s: this picture is old"
    return "LEAD OFF: check the electrodes" if lead_off else ""


def heart_rate(snapshot: BedSnapshot) -> str:
    """The large number, `--` while it is unknown or old."""
    vitals = snapshot.vitals
    if vitals is None or vitals.heart_rate_bpm is None or is_stale(snapshot):
        return UNKNOWN
    return f"{min(999.0, vitals.heart_rate_bpm):.0f}"


def heart_rate_title(snapshot: BedSnapshot, mark: str, width: int) -> Content:
    """What stands beside the number: its unit, its limits, and the mark of the last beat."""
    left = _span("HR /min", "bold") + _span(
        f"  {snapshot.low_bpm:.0f}–{snapshot.high_bpm:.0f}", "$secondary"
    )
    return _ends(left, _span(mark, "bold $success"), width)


def below_heart_rate(snapshot: BedSnapshot, width: int) -> Content:
    """Ectopic beats, and in words whether anything is not being monitored."""
    vitals = snapshot.vitals
    known = vitals is not None and not is_stale(snapshot)
    ectopic = vitals.ectopic_per_min if vitals and known else None
    number = UNKNOWN if ectopic is None else f"{ectopic:.0f}"
    lines = [_ends(Content("ectopic /min"), _span(number, "bold"), width)]
    if vitals and vitals.suspended and known:
        lines.append(
            _span(f"no monitoring: {vitals.suspended}", "bold $warning").truncate(
                width, ellipsis=True
            )
        )
    elif off := not_alarming(snapshot):
        lines.append(_span(off, "bold $warning").truncate(width, ellipsis=True))
    return Content("\n").join(lines)


def log_lines(log: tuple[LogLine, ...], width: int, height: int) -> Content:
    """The newest rows of the alarm log that fit, under their heading where there is room for it."""
    delivery_width = 12 if width >= 56 else 8
    what_width = max(8, width - 9 - 4 - delivery_width - 1)
    title = f"{'time':<9}{'':<4}{'what':<{what_width}} {'delivery':<{delivery_width}}"
    rows = [_span(title[:width], "$secondary")] if height > LOW_LOG_ROWS else []
    for line in log[: height - len(rows)]:
        told = line.state and line.state != AlarmState.ACTIVE
        state = f": {line.state}" if told else ""
        what = _short(line.text, what_width - len(state)) + state
        rows.append(
            Content(f"{clock(line.wall_us):<9}")
            + _span(f"{line.mark:<4}", f"bold {_MARK_COLOUR.get(line.mark, '')}".strip())
            + Content(f"{what:<{what_width}} ")
            + _span(_short(line.delivery or "–", delivery_width), "$secondary")
        )
    if not log:
        rows.append(_span("nothing yet", "$secondary"))
    return Content("\n").join(rows)


def calibration_words(snapshot: BedSnapshot) -> str:
    """Whose threshold the gauge shows, or how far the calibration is."""
    state = snapshot.calibration.partition(":")[0]
    if state == "proposed":
        return "calibration done: c decides"
    if state == "running":
        return "calibration running"
    return f"calibration {snapshot.calibration}" if state else snapshot.calibrated.partition(":")[0]


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _span(text: str, style: str) -> Content:
    return Content.styled(text, style) if text else Content("")


def _ends(left: Content, right: Content, width: int) -> Content:
    """Two texts at the two ends of a row; the left one gives way."""
    room = max(0, width - right.cell_length - 1)
    left = left.truncate(room, ellipsis=True)
    return left + " " * max(1, width - left.cell_length - right.cell_length) + right

"""The monitor: one bed, live."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.screen import Screen

from bedside.events import BedState
from bedside.feed import BedSnapshot, LastBeat
from bedside.limits import Population
from bedside.tui import beat_picture, words
from bedside.tui.desk import Desk
from bedside.tui.numerals import numeral
from bedside.tui.paper import Paper
from bedside.tui.screens.alert_test import AlertTestScreen
from bedside.tui.screens.calibrate import CalibrateScreen
from bedside.tui.screens.choice import Choice, ChoiceScreen
from bedside.tui.screens.help import HelpScreen
from bedside.tui.screens.limits import LimitsScreen
from bedside.tui.screens.ward import WardScreen
from bedside.tui.sizes import LEAST_COLUMNS, LEAST_ROWS
from bedside.tui.widgets.actions import ActionBar
from bedside.tui.widgets.banner import Banner
from bedside.tui.widgets.pane import Pane
from bedside.tui.widgets.sweep import Sweep

FRAMES_PER_S = 30
NUMBERS_PER_S = 4
HEART_SHOWN_S = 0.2
STANDBY_S = 1800

PANES = (
    "too-small",
    "status",
    "trace-title",
    "rate-title",
    "rate",
    "below-rate",
    "gauge",
    "why",
    "log",
    "foot",
)
COMMANDS = (
    ("Acknowledge", "a", "action_acknowledge", "the most urgent alarm"),
    ("Pause sound", "p", "action_pause_sound", "all sounds for 2 minutes, or on again"),
    ("Review", "r", "action_review", "the last 72 hours, events, strips"),
    ("Calibrate", "c", "action_calibrate", "learn this patient's normal"),
    ("Limits", "l", "action_limits", "alarm limits, presets, disabled conditions"),
    ("Test alert", "t", "action_test_alert", "send a marked test, hop by hop"),
    ("Bed", "b", "action_bed", "admit, standby, discharge"),
    ("Ward", "w", "action_ward", "all beds as tiles"),
    ("Next bed", "n", "action_next_bed", "show the next bed of this station"),
    ("Speed", "s", "action_speed", "12.5, 25 or 50 mm/s"),
    ("Gain", "g", "action_gain", "5, 10 or 20 mm/mV, or automatic"),
    ("Colours", "v", "action_colours", "night, day, high contrast, monochrome"),
    ("Help", "?", "action_help", "keys, alarms, and what this is not"),
    ("Quit", "q", "action_quit", "close this screen"),
)
"""Every action of the monitor: label, key, method, and what it does."""

FIRST_BUTTONS = ("Acknowledge", "Pause sound", "Review", "Calibrate", "Limits", "Test alert")
"""The actions with a button of their own; the others stand behind More."""


@runtime_checkable
class HasThemes(Protocol):
    """An app whose colours can be changed."""

    def next_theme(self) -> str:
        """Change to the next theme; returns its name."""


class MonitorScreen(Screen[None]):
    """Pulls samples 30 times and a snapshot 4 times a second; sends actions back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding("question_mark" if key == "?" else key, action.removeprefix("action_"), label)
            for label, key, action, _ in COMMANDS
        ),
        Binding("m", "more", "More"),
    ]

    def __init__(self, desk: Desk, bed: str, paper: Paper) -> None:
        super().__init__()
        self.bed = bed
        self._desk = desk
        self._feed = desk.feed
        self._glyphs = glyphs = desk.glyphs
        self._snapshot: BedSnapshot | None = None
        self._sweep = Sweep(glyphs, paper, id="sweep")
        self._banner = Banner(id="banner")
        self._panes = {name: Pane(id=name) for name in PANES}
        self._explained: tuple[LastBeat | None, Size] | None = None
        self._heart_until_s = 0.0

    def compose(self) -> ComposeResult:
        """From the top: who and how well connected, danger, the heart, the past, the buttons."""
        yield self._panes["too-small"]
        # A frame renders every sibling of the trace and of its ancestors: few and small ones.
        with Vertical(id="top"):
            yield self._panes["status"]
            yield self._banner
        with Horizontal(id="body"):
            with Vertical(id="trace"):
                yield self._panes["trace-title"]
                yield self._sweep
            with Vertical(id="side"):
                yield self._panes["rate-title"]
                yield self._panes["rate"]
                yield self._panes["below-rate"]
                yield self._panes["gauge"]
        with Vertical(id="bottom"):
            with Horizontal(id="lower"):
                yield self._panes["why"]
                yield self._panes["log"]
            yield self._panes["foot"]
            yield ActionBar(self._buttons(), id="actions")

    @staticmethod
    def _buttons() -> tuple[tuple[str, str, str], ...]:
        first = (
            (label, key, action.removeprefix("action_"))
            for label, key, action, _ in COMMANDS
            if label in FIRST_BUTTONS
        )
        return (*first, ("More", "m", "more"))

    def on_mount(self) -> None:
        """Start the two paces."""
        self.set_interval(1 / FRAMES_PER_S, self.draw_frame)
        self.set_interval(1 / NUMBERS_PER_S, self.draw_numbers)
        self.call_after_refresh(self.draw_numbers)

    def on_resize(self) -> None:
        """Texts are fitted to their panes."""
        self.call_after_refresh(self.draw_numbers)

    @property
    def drawn_to(self) -> int:
        """The position up to which the trace is drawn."""
        return self._sweep.position

    def draw_frame(self) -> None:
        """Move the pen, the heart mark and the alarm's flash."""
        now_s = time.monotonic()
        beaten = self._sweep.follow(lambda since: self._feed.wave(self.bed, since), now_s)
        if beaten:
            self._heart_until_s = now_s + HEART_SHOWN_S
        self._banner.flash(now_s)
        if self._snapshot is not None:
            self._show_rate_title(self._snapshot, now_s)

    def draw_numbers(self) -> None:
        """Take a snapshot and fill every pane from it."""
        self._desk.hear()
        self._snapshot = snapshot = self._feed.snapshot(self.bed)
        size = self.app.size
        if size.width < LEAST_COLUMNS or size.height < LEAST_ROWS:
            self._show_too_small(snapshot)
            return
        if not self._panes["gauge"].size:
            return  # not laid out yet: the next call is a quarter of a second away
        self._sweep.set_notice(words.trace_notice(snapshot, self._sweep.lead_off))
        self._panes["status"].show(words.status(snapshot, self._glyphs, self._width("status")))
        self._banner.say(words.banner(snapshot))
        self._panes["trace-title"].show(
            words.trace_title(
                snapshot, self._paper_words(), self._sweep.grid, self._width("trace-title")
            )
        )
        self._show_side(snapshot)
        why = self._panes["why"]
        explained = (snapshot.last_abnormal or snapshot.last_beat, why.size)
        if why.size and explained != self._explained:
            self._explained = explained
            why.show(beat_picture.why(snapshot, why.size.width, why.size.height, self._glyphs))
        log = self._panes["log"]
        log.show(words.log_lines(snapshot.log, log.size.width, log.size.height))
        self._show_foot()

    def _paper_words(self) -> str:
        sweep = self._sweep
        return words.paper_words(sweep.paper, sweep.gain_mm_mv, sweep.clipped, self._glyphs)

    def _show_side(self, snapshot: BedSnapshot) -> None:
        rate = self._panes["rate"]
        stale = words.is_stale(snapshot)
        rate.set_class(stale, "-old")
        lines = numeral(words.heart_rate(snapshot), rate.size.width, rate.size.height, self._glyphs)
        rate.show(Content("\n".join(lines)))
        below = self._panes["below-rate"]
        below.show(words.below_heart_rate(snapshot, below.size.width))
        gauge = self._panes["gauge"]
        gauge.set_class(stale, "-old")
        gauge.show(beat_picture.gauge(snapshot, gauge.size.width, self._glyphs))

    def _show_rate_title(self, snapshot: BedSnapshot, now_s: float) -> None:
        title = self._panes["rate-title"]
        heart = self._glyphs.heart if now_s < self._heart_until_s else ""
        title.show(words.heart_rate_title(snapshot, heart, title.size.width))

    def _show_foot(self) -> None:
        left = Content(" ") + self._desk.said
        right = Content.styled(f"{words.NOT_A_DEVICE} ", "$secondary")
        room = self._width("foot") - right.cell_length
        self._panes["foot"].show(left.truncate(room, pad=True) + right)

    def _show_too_small(self, snapshot: BedSnapshot) -> None:
        size = self.app.size
        said = words.banner(snapshot)
        lines = [
            f"terminal too small: {size.width} × {size.height}, "
            f"needs {LEAST_COLUMNS} × {LEAST_ROWS}",
            f"HR {words.heart_rate(snapshot)} /min",
            said.title if said else "",
            words.trace_notice(snapshot, lead_off=False),
        ]
        self._panes["too-small"].show(Content("\n".join(line for line in lines if line)))

    def _width(self, name: str) -> int:
        return self._panes[name].size.width

    # ── what the operator does ────────────────────────────────────────────────────────────────

    def action_acknowledge(self) -> None:
        """Acknowledge the most urgent alarm that nobody has acknowledged."""
        instance = words.to_acknowledge(self._feed.snapshot(self.bed).instances)
        if instance is None:
            self._tell("nothing to acknowledge")
            return
        title = words.condition_title(instance)
        self._act("acknowledge", {"instance": instance.instance_id}, f"acknowledged: {title}")

    def action_pause_sound(self) -> None:
        """Pause all sounds, or end the pause."""
        if self._feed.snapshot(self.bed).sound_paused_s:
            self._act("pause-sound", {"seconds": 0}, "sound is on again")
        else:
            self._act("pause-sound", {}, "sound paused: a new high alarm breaks through")

    def action_calibrate(self) -> None:
        """Learn this patient's normal anew, step by step."""
        self.app.push_screen(CalibrateScreen(self._desk, self.bed))

    def action_limits(self) -> None:
        """Show and set the bed's limits."""
        self.app.push_screen(LimitsScreen(self._desk, self.bed))

    def action_test_alert(self) -> None:
        """Send a test."""
        self.app.push_screen(AlertTestScreen(self._desk, self.bed))

    def action_review(self) -> None:
        """Look back."""
        # Imported here: the plots cost half a second that no monitor needs.
        from bedside.tui.screens.review import ReviewScreen

        self.app.push_screen(ReviewScreen(self._desk, self.bed))

    def action_ward(self) -> None:
        """Show all beds; the one chosen is shown next."""
        self.app.push_screen(WardScreen(self._desk, self.bed), self._show_bed)

    def _show_bed(self, bed: str | None) -> None:
        if bed is not None and bed != self.bed:
            self.bed = bed
            self._sweep.restart()
        self.draw_numbers()

    def action_bed(self) -> None:
        """Ask: admit, standby or discharge."""
        state = self._feed.snapshot(self.bed).bed_state
        question = ChoiceScreen(
            f"Bed {self.bed.upper()}: {state.value}",
            "Not for paced patients. Admit arms the alarms for a new patient. Standby keeps "
            "recording, alarms off. Discharge ends the session; the next patient inherits nothing.",
            (
                Choice("admit", "Admit", "a"),
                Choice("standby", "Standby", "s"),
                Choice("discharge", "Discharge", "d"),
            ),
        )
        self.app.push_screen(question, self._change_bed)

    def _change_bed(self, answer: str | None) -> None:
        if answer == "admit" and self._feed.snapshot(self.bed).bed_state is BedState.DISCHARGED:
            question = ChoiceScreen(
                "Admit: whose limits?",
                "Adult, child (1 to 12 years), neonate (up to 28 days) or athlete. Not for paced "
                "patients: pacing looks like a beat.",
                tuple(
                    Choice(each.value, each.value.capitalize(), each.value[0])
                    for each in Population
                ),
            )
            self.app.push_screen(question, self._admit)
        elif answer == "admit":
            self._act("admit", {}, "the alarms are armed again")
        elif answer == "standby":
            self._act("standby", {"seconds": STANDBY_S}, f"standby for {STANDBY_S // 60} min")
        elif answer == "discharge":
            self._act("discharge", {}, "discharged: alarms are off")

    def _admit(self, population: str | None) -> None:
        if population:
            self._act("admit", {"population": population}, "admitted: alarms are armed")

    def action_next_bed(self) -> None:
        """Show the next bed of this station."""
        beds = self._feed.beds()
        at = beds.index(self.bed) + 1 if self.bed in beds else 0
        self._show_bed(beds[at % len(beds)])

    def action_speed(self) -> None:
        """Draw faster or slower."""
        self._sweep.use(self._sweep.paper.next_speed())
        self._tell(f"{self._sweep.paper.speed_mm_s:g} mm/s")

    def action_gain(self) -> None:
        """Draw higher or lower."""
        self._sweep.use(self._sweep.paper.next_gain())
        gain = self._sweep.paper.gain_mm_mv
        self._tell(f"{gain:g} mm/mV" if gain else "gain fits the beats")

    def action_colours(self) -> None:
        """Change to the next theme."""
        app = self.app
        if isinstance(app, HasThemes):
            self._tell(f"colours: {app.next_theme()}")

    def action_more(self) -> None:
        """Offer the actions that have no button of their own."""
        more = tuple(
            Choice(action, label, key)
            for label, key, action, _ in COMMANDS
            if label not in FIRST_BUTTONS and not (self._desk.kiosk and label == "Quit")
        )
        self.app.push_screen(ChoiceScreen("More", "", more), self._do)

    def _do(self, action: str | None) -> None:
        if action:
            getattr(self, action)()

    def action_help(self) -> None:
        """Show the help."""
        self.app.push_screen(HelpScreen())

    def action_quit(self) -> None:
        """Ask, then leave: a key hit by accident must not end a monitor."""
        if self._desk.kiosk:
            self._tell("this screen belongs to the bed: it is not closed from here")
            return
        question = ChoiceScreen(
            "Quit",
            "This screen closes. A station started together with it stops, and its alarms with it.",
            (Choice("quit", "Quit", "q"),),
        )
        self.app.push_screen(question, self._leave)

    def _leave(self, answer: str | None) -> None:
        if answer:
            self.app.exit()

    def _tell(self, message: str) -> None:
        self._desk.say(message)
        self._show_foot()

    def _act(self, name: str, arguments: Mapping[str, Any], done: str) -> None:
        self._desk.act(self.bed, name, arguments, done)
        self._show_foot()

"""The monitor: one bed, live."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.screen import Screen

from bedside.errors import BedsideError
from bedside.feed import BedSnapshot, Feed, LastBeat
from bedside.tui import beat_picture, words
from bedside.tui.glyphs import GlyphSet
from bedside.tui.numerals import numeral
from bedside.tui.paper import Paper
from bedside.tui.screens.choice import Choice, ChoiceScreen
from bedside.tui.screens.help import HelpScreen
from bedside.tui.widgets.actions import ActionBar
from bedside.tui.widgets.banner import Banner
from bedside.tui.widgets.pane import Pane
from bedside.tui.widgets.sweep import Sweep

FRAMES_PER_S = 30
NUMBERS_PER_S = 4
HEART_SHOWN_S = 0.2
MESSAGE_SHOWN_S = 8.0
STANDBY_S = 1800
CALIBRATION_S = 300
LEAST_COLUMNS, LEAST_ROWS = 80, 24

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
BUTTONS = (
    ("Acknowledge", "a", "acknowledge"),
    ("Calibrate", "c", "calibrate"),
    ("Bed", "b", "bed"),
    ("Help", "?", "help"),
    ("Quit", "q", "quit"),
)


class MonitorScreen(Screen[None]):
    """Pulls samples 30 times and a snapshot 4 times a second; sends actions back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Acknowledge"),
        Binding("c", "calibrate", "Calibrate"),
        Binding("b", "bed", "Bed"),
        Binding("n", "next_bed", "Next bed"),
        Binding("question_mark", "help", "Help"),
        Binding("q", "quit", "Quit"),
    ]
    ALLOW_SELECT = False
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (Textual declares it so)
        (0, "-too-narrow"),
        (LEAST_COLUMNS, "-narrow"),
        (100, "-medium"),
        (140, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-too-low"),
        (LEAST_ROWS, "-low"),
        (30, "-tall"),
        (38, "-high"),
    ]

    def __init__(self, feed: Feed, bed: str, glyphs: GlyphSet, paper: Paper) -> None:
        super().__init__()
        self.bed = bed
        self._feed = feed
        self._glyphs = glyphs
        self._snapshot: BedSnapshot | None = None
        self._sweep = Sweep(glyphs, paper, id="sweep")
        self._banner = Banner(id="banner")
        self._panes = {name: Pane(id=name) for name in PANES}
        self._explained: tuple[LastBeat | None, Size] | None = None
        self._heart_until_s = 0.0
        self._message = Content("")
        self._message_until_s = 0.0
        self._asked: dict[str, str] = {}

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
            yield ActionBar(BUTTONS, id="actions")

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
        self._hear_results()
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
            words.trace_title(snapshot, self._paper_words(), self._width("trace-title"))
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
        shown = time.monotonic() < self._message_until_s
        left = Content(" ") + self._message if shown else Content("")
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
            self._say("nothing to acknowledge")
            return
        title = words.condition_title(instance)
        self._act("acknowledge", {"instance": instance.instance_id}, f"acknowledged: {title}")

    def action_calibrate(self) -> None:
        """Ask, then learn this patient's normal anew."""
        question = ChoiceScreen(
            "Calibrate",
            f"Learns this patient's normal from the next {CALIBRATION_S // 60} minutes. "
            "The patient should lie still; every rhythm alarm goes on.",
            (Choice("calibrate", "Start", "enter"),),
        )
        self.app.push_screen(question, self._calibrate)

    def _calibrate(self, answer: str | None) -> None:
        if answer:
            self._act("calibrate", {"seconds": CALIBRATION_S}, "calibration started")

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
        if answer == "admit":
            self._act("admit", {}, "admitted: alarms are armed")
        elif answer == "standby":
            self._act("standby", {"seconds": STANDBY_S}, f"standby for {STANDBY_S // 60} min")
        elif answer == "discharge":
            self._act("discharge", {}, "discharged: alarms are off")

    def action_next_bed(self) -> None:
        """Show the next bed of this station."""
        beds = self._feed.beds()
        self.bed = beds[(beds.index(self.bed) + 1) % len(beds)] if self.bed in beds else beds[0]
        self._sweep.restart()
        self.draw_numbers()

    def action_help(self) -> None:
        """Show the help."""
        self.app.push_screen(HelpScreen())

    def action_quit(self) -> None:
        """Ask, then leave: a key hit by accident must not end a monitor."""
        question = ChoiceScreen(
            "Quit",
            "This screen closes. A station started together with it stops, and its alarms with it.",
            (Choice("quit", "Quit", "q"),),
        )
        self.app.push_screen(question, self._leave)

    def _leave(self, answer: str | None) -> None:
        if answer:
            self.app.exit()

    def _act(self, name: str, arguments: Mapping[str, Any], done: str) -> None:
        try:
            action_id = self._feed.act(self.bed, name, arguments)
        except BedsideError as error:
            self._say(str(error), "$warning")
            return
        self._asked[action_id] = done
        self._hear_results()

    def _hear_results(self) -> None:
        for result in self._feed.results():
            done = self._asked.pop(result.action_id, "done")
            if result.done:
                self._say(done, "$success")
            else:
                self._say(f"refused: {result.reason}", "$warning")

    def _say(self, message: str, style: str = "") -> None:
        self._message = Content.styled(message, f"bold {style}".strip())
        self._message_until_s = time.monotonic() + MESSAGE_SHOWN_S
        self._show_foot()

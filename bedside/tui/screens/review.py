"""Review: the last 72 hours of a bed, its alarms, any strip of it, and why a beat stood out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.screen import Screen

from bedside.alarms.conditions import named
from bedside.alarms.log import AFTER_THE_LAST
from bedside.errors import BedsideError
from bedside.feed import LastBeat, View
from bedside.look_back import COURSE_S, MOST_EVENTS
from bedside.recording.archived_event import ArchivedEvent
from bedside.tui import beat_picture, words
from bedside.tui.course_picture import course_lines, hours_of, plot_columns
from bedside.tui.desk import Desk
from bedside.tui.screens.jump import JumpScreen, moment_us
from bedside.tui.strip_picture import measured, strip_picture
from bedside.tui.widgets.actions import ActionBar
from bedside.tui.widgets.banner import Banner
from bedside.tui.widgets.pane import Pane

VIEW_S = 8.0
BEFORE_S = 4.0
CURSOR_STEP_S = 0.04
NUMBERS_PER_S = 4
EXPORT_S = 30.0


class TapPane(Pane):
    """Text that says where it was tapped."""

    class Tapped(Message):
        """A cell of the pane `pane` was tapped."""

        def __init__(self, pane: str, column: int) -> None:
            super().__init__()
            self.pane = pane
            self.column = column

    def on_click(self, event: events.Click) -> None:
        """Pass it on."""
        self.post_message(self.Tapped(self.id or "", event.x))


class ReviewScreen(Screen[None]):
    """Reads in a thread of its own: however long the recording is, the screen goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "older", "Older event"),
        Binding("up", "newer", "Newer event"),
        Binding("left", "earlier", "Earlier"),
        Binding("right", "later", "Later"),
        Binding("j", "jump", "Jump"),
        Binding("x", "cursor", "Cursor"),
        Binding("comma", "cursor_left", "Cursor left"),
        Binding("full_stop", "cursor_right", "Cursor right"),
        Binding("e", "export", "Export"),
        Binding("escape,r", "leave", "Back"),
    ]
    BUTTONS = (
        ("Older", "↓", "older"),
        ("Newer", "↑", "newer"),
        ("Earlier", "←", "earlier"),
        ("Later", "→", "later"),
        ("Jump", "j", "jump"),
        ("Cursor", "x", "cursor"),
        ("Export", "e", "export"),
        ("Back", "esc", "leave"),
    )

    def __init__(self, desk: Desk, bed: str) -> None:
        super().__init__()
        self._desk = desk
        self._bed = bed
        self._recording = desk.feed.recording()
        self._reader = ThreadPoolExecutor(1, "review")
        self._banner = Banner(id="banner")
        names = ("review-title", "events", "review-why", "review-foot")
        self._panes: dict[str, Pane] = {name: Pane(id=name) for name in names}
        self._panes |= {name: TapPane(id=name) for name in ("course", "strip")}
        self._events: list[ArchivedEvent] = []
        self._events_to_us = AFTER_THE_LAST
        self._events_fault = ""
        self._at_event = 0
        self._view: View | None = None
        self._beat: LastBeat | None = None
        self._from_us = 0
        self._cursors_s = [BEFORE_S, BEFORE_S + 0.8]
        self._active = 0
        self._course_to_us = 0
        self._course_h = COURSE_S / 3600
        self._course_columns = (0, 1)
        self._said = "reading the recording …"

    @property
    def chosen(self) -> ArchivedEvent | None:
        """The event that the list has chosen."""
        return self._events[self._at_event] if self._events else None

    def compose(self) -> ComposeResult:
        """Title, live alarm, course, events beside strip and beat, buttons."""
        yield self._panes["review-title"]
        yield self._banner
        yield self._panes["course"]
        with Horizontal(id="review-body"):
            yield self._panes["events"]
            yield self._panes["strip"]
            yield self._panes["review-why"]
        yield self._panes["review-foot"]
        yield ActionBar(self.BUTTONS, id="actions")

    def on_mount(self) -> None:
        """Read course and events; keep the live alarm in sight."""
        self.set_interval(1 / NUMBERS_PER_S, self.draw_live)
        self.call_after_refresh(self._begin)

    def on_unmount(self) -> None:
        """Let the reader go."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self._begin)

    def draw_live(self) -> None:
        """The bed's alarm now, whatever is being looked back at."""
        self._desk.hear()
        snapshot = self._desk.feed.snapshot(self._bed)
        self._banner.say(words.banner(snapshot))
        self._banner.flash(asyncio.get_running_loop().time())
        known = self._known_events() if self._view else self._said
        title = f" REVIEW BED {self._bed.upper()}   {known}   now {words.clock(snapshot.wall_us)}"
        self._panes["review-title"].show(Content.styled(title, "bold"))
        said = self._desk.said
        self._panes["review-foot"].show(said if said.plain else self._measure())

    def _known_events(self) -> str:
        count = len(self._events)
        if count < MOST_EVENTS:
            return f"{count} event" if count == 1 else f"{count} events"
        return f"{count} events of more"

    # ── reading ───────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        self.draw_live()
        self._work("course", self._read_all)

    def _work(self, group: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin to read; what the same group was reading is no longer wanted."""
        self.run_worker(work, exclusive=True, group=group)  # type: ignore[arg-type]

    async def _read_all(self) -> None:
        now_us = self._desk.feed.snapshot(self._bed).wall_us
        size = self._panes["course"].size
        read = asyncio.get_running_loop().run_in_executor
        try:
            trend = await read(self._reader, self._recording.course, self._bed, now_us)
        except BedsideError as error:
            self._said = str(error)
            self._panes["course"].show(Content.styled(self._said, "bold $warning"))
            self.draw_live()
            return
        hours = hours_of(trend)
        lines = await read(self._reader, course_lines, trend, hours, size.width, size.height)
        self._course_to_us, self._course_h = now_us, hours
        self._course_columns = plot_columns(lines)
        self._panes["course"].show(Content("\n".join(lines)))
        await self._read_events(self._events_to_us)
        self._at_event = min(self._at_event, max(0, len(self._events) - 1))
        if self._from_us == 0 and self._events:
            self._look_at_event()
        elif self._from_us == 0:
            self._look(now_us - round(2 * VIEW_S * 1e6))
        else:
            self._look(self._from_us)

    async def _read_events(self, to_us: int) -> None:
        """The events before a moment; a log that cannot be read leaves course and strip usable."""
        read = asyncio.get_running_loop().run_in_executor
        try:
            found = await read(self._reader, self._recording.events, self._bed, to_us)
        except BedsideError as error:
            self._events_fault = str(error)
            return
        self._events_fault = ""
        self._events_to_us, self._events = to_us, found

    async def _turn_page(self, to_us: int) -> None:
        """To the events before a moment, if there are any."""
        before = self._events, self._events_to_us
        await self._read_events(to_us)
        if self._events:
            self._at_event = 0
        else:
            self._events, self._events_to_us = before
        self._look_at_event()

    def _look_at_event(self) -> None:
        self._cursors_s = [BEFORE_S, BEFORE_S + 0.8]
        self._draw_events()
        self._work("view", partial(self._find, self._events[self._at_event]))

    async def _find(self, event: ArchivedEvent) -> None:
        read = asyncio.get_running_loop().run_in_executor
        try:
            at_us = await read(self._reader, self._recording.moment_us, event)
        except BedsideError as error:
            self._desk.say(str(error), "$warning")
            return
        self._from_us = at_us - round(BEFORE_S * 1e6)
        await self._read_view(self._from_us)

    def _look(self, from_us: int) -> None:
        self._from_us = from_us
        self._draw_events()
        self._work("view", partial(self._read_view, from_us))

    async def _read_view(self, from_us: int) -> None:
        read = asyncio.get_running_loop().run_in_executor
        wanted_us = from_us + round(self._cursors_s[0] * 1e6)
        try:
            self._view = await read(self._reader, self._recording.view, self._bed, from_us, VIEW_S)
            self._draw_view()
            self._beat = await read(self._reader, self._recording.explain, self._bed, wanted_us)
        except BedsideError as error:
            self._desk.say(str(error), "$warning")
            return
        self._draw_view()

    # ── drawing ───────────────────────────────────────────────────────────────────────────────

    def _draw_events(self) -> None:
        pane = self._panes["events"]
        width, height = pane.size
        first = min(max(0, self._at_event - height // 2), max(0, len(self._events) - height))
        lines = []
        today_us = self._desk.feed.snapshot(self._bed).wall_us - round(43_200e6)
        for index, event in enumerate(self._events[first : first + height], first):
            late = "late: " if event.found_late else ""
            at_us = event.active_wall_us
            when = words.clock(at_us) if at_us > today_us else words.day_clock(at_us)
            text = f"{when} {event.priority.mark:<3} {late}"
            text = f"{text}{named(event.code, event.text)}"[:width].ljust(width)
            style = "reverse bold" if index == self._at_event else ""
            lines.append(Content.styled(text, style))
        if self._events_fault:
            lines = [Content.styled(self._events_fault, "bold $warning")]
        elif not lines:
            lines.append(Content.styled("no alarm in the log", "$secondary"))
        pane.show(Content("\n").join(lines))

    def _draw_view(self) -> None:
        view, pane = self._view, self._panes["strip"]
        if view is None or pane.size.height < 3:
            return
        glyphs = self._desk.glyphs
        width, height = pane.size
        title = words.day_clock(view.from_wall_us) + ("  SYNTHETIC" if view.synthetic else "")
        if not np.isfinite(view.samples_mv).any():
            title += "  nothing is recorded here"
        first, second = self._cursors_s
        picture = strip_picture(view, width, height - 1, glyphs, (first, second))
        title = f"{title}  + {VIEW_S:g} s"
        pane.show(Content("\n").join([Content.styled(title[:width], "bold"), picture]))
        why = self._panes["review-why"]
        if why.size:
            why.show(beat_picture.why_beat(self._beat, why.size.width, why.size.height, glyphs))
        self.draw_live()

    def _measure(self) -> Content:
        if self._view is None:
            return Content("")
        first, second = self._cursors_s
        active = "AB"[self._active]
        return Content.styled(f" {measured(self._view, (first, second))}", "bold") + Content.styled(
            f"   cursor {active}: tap the strip, or , and .", "$secondary"
        )

    # ── what the operator does ────────────────────────────────────────────────────────────────

    def action_older(self) -> None:
        """The event before."""
        self._step(1)

    def action_newer(self) -> None:
        """The event after."""
        self._step(-1)

    def _step(self, step: int) -> None:
        wanted = self._at_event + step
        if wanted >= len(self._events) >= MOST_EVENTS:
            self._work("view", partial(self._turn_page, self._events[-1].active_wall_us))
        elif wanted < 0 and self._events_to_us != AFTER_THE_LAST:
            self._work("view", partial(self._turn_page, AFTER_THE_LAST))
        elif self._events:
            self._at_event = min(max(0, wanted), len(self._events) - 1)
            self._look_at_event()

    def action_earlier(self) -> None:
        """Half a strip back."""
        self._look(self._from_us - round(VIEW_S / 2 * 1e6))

    def action_later(self) -> None:
        """Half a strip on."""
        self._look(self._from_us + round(VIEW_S / 2 * 1e6))

    def action_jump(self) -> None:
        """Ask where to."""
        self.app.push_screen(JumpScreen(), self._jump)

    def _jump(self, text: str | None) -> None:
        if text is None:
            return
        now_us = self._desk.feed.snapshot(self._bed).wall_us
        at_us = moment_us(text, self._from_us + round(BEFORE_S * 1e6), now_us)
        if at_us is None:
            self._desk.say(f"{text!r} is no time: write 12:40, 2h ago or now", "$warning")
        else:
            self._look(min(at_us, now_us) - round(BEFORE_S * 1e6))

    def action_cursor(self) -> None:
        """The other cursor."""
        self._active = 1 - self._active
        self.draw_live()

    def action_cursor_left(self) -> None:
        """The cursor a little to the left."""
        self._put_cursor(self._cursors_s[self._active] - CURSOR_STEP_S)

    def action_cursor_right(self) -> None:
        """The cursor a little to the right."""
        self._put_cursor(self._cursors_s[self._active] + CURSOR_STEP_S)

    def _put_cursor(self, at_s: float) -> None:
        self._cursors_s[self._active] = min(max(0.0, at_s), VIEW_S)
        self._draw_view()

    def on_tap_pane_tapped(self, message: TapPane.Tapped) -> None:
        """In the strip the cursor goes there, the other is next; in the course the strip does."""
        if message.pane == "strip":
            width = max(1, self._panes["strip"].size.width)
            self._put_cursor((message.column + 0.5) / width * VIEW_S)
            self.action_cursor()
            return
        first, stop = self._course_columns
        share = (message.column - first) / max(1, stop - first)
        if self._course_to_us and 0 <= share <= 1:
            self._look(self._course_to_us - round((1 - share) * self._course_h * 3.6e9))

    def action_export(self) -> None:
        """Write 30 s around the strip as a page for a printer."""
        self._desk.say("exporting …")
        self._work("export", self._export)

    async def _export(self) -> None:
        middle_us = self._from_us + round(VIEW_S / 2 * 1e6)
        half_us = round(EXPORT_S / 2 * 1e6)
        read = asyncio.get_running_loop().run_in_executor
        try:
            first_us, last_us = middle_us - half_us, middle_us + half_us
            pages = await read(self._reader, self._recording.pages, self._bed, first_us, last_us)
            written = write_pages(pages, self._desk.export_folder, self._bed, first_us)
        except (BedsideError, OSError) as error:
            self._desk.say(f"not exported: {error}", "$warning")
            return
        if written:
            self._desk.say(f"written: {written[0]}", "$success")
        else:
            self._desk.say("nothing is recorded here: nothing was written", "$warning")

    def action_leave(self) -> None:
        """Back to the monitor."""
        self.dismiss(None)


def write_pages(pages: Sequence[str], folder: Path, bed: str, from_wall_us: int) -> list[Path]:
    """Write SVG pages under the bed's name and the local time they begin at. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.fromtimestamp(from_wall_us / 1e6).strftime("%Y%m%d-%H%M%S")
    written = []
    for number, page in enumerate(pages, 1):
        path = folder / f"{bed}-{stamp}-{number}.svg"
        path.write_text(page, encoding="utf-8")
        written.append(path)
    return written

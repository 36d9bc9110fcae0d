"""One bed of a ward: who, how fast, the highest alarm in words, and its trace."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from bedside.events import BedState
from bedside.feed import BedSnapshot
from bedside.tui import words
from bedside.tui.desk import Desk
from bedside.tui.paper import Paper
from bedside.tui.widgets.banner import Banner
from bedside.tui.widgets.pane import Pane
from bedside.tui.widgets.sweep import Sweep

TILE_SWEEP_S = 3.0


class Tile(Vertical):
    """A tap on it chooses its bed."""

    class Chosen(Message):
        """This bed was tapped."""

        def __init__(self, bed: str) -> None:
            super().__init__()
            self.bed = bed

    def __init__(self, desk: Desk, bed: str) -> None:
        super().__init__(id=f"bed-{bed}")
        self.bed = bed
        self._desk = desk
        self._head = Pane(id=f"head-{bed}")
        self._banner = Banner(id=f"banner-{bed}")
        self._sweep = Sweep(desk.glyphs, Paper(sweep_s=TILE_SWEEP_S), id=f"sweep-{bed}")

    def compose(self) -> ComposeResult:
        """Head, alarm, trace."""
        yield self._head
        yield self._banner
        yield self._sweep

    def draw_frame(self, now_s: float) -> None:
        """Move the pen and the alarm's flash."""
        self._sweep.follow(lambda since: self._desk.feed.wave(self.bed, since), now_s)
        self._banner.flash(now_s)

    def draw_numbers(self) -> None:
        """Write what is true now."""
        snapshot = self._desk.feed.snapshot(self.bed)
        self._sweep.set_notice(words.trace_notice(snapshot, self._sweep.lead_off))
        self._banner.say(words.banner(snapshot))
        self._head.show(self._title(snapshot, self._head.size.width))

    def _title(self, snapshot: BedSnapshot, width: int) -> Content:
        rate = f"{words.heart_rate(snapshot)} /min"
        known = snapshot.bed_state is not BedState.DISCHARGED
        quality = words.quality(snapshot) if known else "no patient"
        left = f"{self.bed.upper()}  {quality}"[: max(0, width - len(rate) - 2)]
        gap = " " * max(1, width - len(left) - len(rate))
        return Content.assemble((left, "bold"), gap, (rate, "bold $success"))

    def on_click(self) -> None:
        """Choose this bed."""
        self.post_message(self.Chosen(self.bed))

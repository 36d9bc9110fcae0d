"""The terminal face of a station."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.theme import Theme

from bedside.errors import SettingsError
from bedside.feed import Feed
from bedside.tui.glyphs import glyph_set
from bedside.tui.screens.monitor import MonitorScreen
from bedside.tui.screens.waiting import WaitingScreen

SECONDS_PER_SCREEN = 8.0
LEAST_SECONDS, GREATEST_SECONDS = 2.0, 30.0

NIGHT = Theme(
    name="bedside-night",
    primary="#4cc38a",
    secondary="#7d929f",
    warning="#ffd447",
    error="#ff4d42",
    success="#4fd897",
    accent="#4cc9f0",
    foreground="#d8e0e4",
    background="#080b0d",
    surface="#080b0d",
    panel="#11171b",
    dark=True,
)


class BedsideApp(App[None]):
    """Shows one bed of a feed at a time. It can stall without slowing the station.

    `glyphs` is `braille`, `block` or `ascii`; `seconds_per_screen` (2 to 30) is how long the pen
    takes from left to right; `stop_after_s` ends the app by itself, 0 never. Raises SettingsError
    for values that are none of these, and for a bed that the feed does not have.
    """

    CSS_PATH = "bedside.tcss"
    TITLE = "bedside"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", show=False)]

    def __init__(
        self,
        feed: Feed,
        bed: str | None = None,
        glyphs: str = "braille",
        seconds_per_screen: float = SECONDS_PER_SCREEN,
        stop_after_s: float = 0.0,
    ) -> None:
        super().__init__()
        beds = feed.beds()
        if bed is not None and bed not in beds:
            raise SettingsError(f"bed {bed!r} is not here: choose one of {', '.join(beds)}")
        if not LEAST_SECONDS <= seconds_per_screen <= GREATEST_SECONDS:
            raise SettingsError(
                f"seconds_per_screen = {seconds_per_screen:g} is out of range: "
                f"choose {LEAST_SECONDS:g} to {GREATEST_SECONDS:g}"
            )
        self._feed = feed
        self._first_bed = bed or next(iter(beds), None)
        self._stop_after_s = stop_after_s
        self._glyphs = glyph_set(glyphs)
        self._seconds = seconds_per_screen

    def on_mount(self) -> None:
        """Open the monitor."""
        self.register_theme(NIGHT)
        self.theme = NIGHT.name
        self.set_class(not self._glyphs.half_blocks, "-ascii")
        if self._stop_after_s > 0:
            self.set_timer(self._stop_after_s, self.exit)
        if self._first_bed is None:
            self.push_screen(WaitingScreen(self._feed, self._open))
        else:
            self._open(self._first_bed)

    def _open(self, bed: str) -> None:
        monitor = MonitorScreen(self._feed, bed, self._glyphs, self._seconds)
        if isinstance(self.screen, WaitingScreen):
            self.switch_screen(monitor)
        else:
            self.push_screen(monitor)

"""The terminal face of a station."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.theme import Theme

from bedside.errors import SettingsError
from bedside.feed import Feed
from bedside.settings import ScreenSettings
from bedside.tui.glyphs import glyph_set
from bedside.tui.paper import Paper
from bedside.tui.screens.monitor import MonitorScreen
from bedside.tui.screens.waiting import WaitingScreen

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

    `settings` say what it is drawn with; `stop_after_s` ends the app by itself, 0 never. Raises
    SettingsError for a bed that the feed does not have.
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
        settings: ScreenSettings | None = None,
        stop_after_s: float = 0.0,
    ) -> None:
        super().__init__()
        beds = feed.beds()
        if bed is not None and bed not in beds:
            raise SettingsError(f"bed {bed!r} is not here: choose one of {', '.join(beds)}")
        settings = settings or ScreenSettings()
        self._feed = feed
        self._first_bed = bed or next(iter(beds), None)
        self._stop_after_s = stop_after_s
        self._glyphs = glyph_set(settings.glyphs)
        self._paper = Paper(
            settings.speed_mm_s,
            settings.gain_mm_mv,
            settings.width_mm,
            settings.height_mm,
            settings.sweep_s,
        )

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
        monitor = MonitorScreen(self._feed, bed, self._glyphs, self._paper)
        if isinstance(self.screen, WaitingScreen):
            self.switch_screen(monitor)
        else:
            self.push_screen(monitor)

"""The terminal face of a station."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from bedside.errors import SettingsError
from bedside.feed import Feed
from bedside.settings import ScreenSettings
from bedside.tui import themes
from bedside.tui.desk import Desk
from bedside.tui.glyphs import glyph_set
from bedside.tui.paper import Paper
from bedside.tui.plain_text import AsciiFilter, terminal_knows_utf8
from bedside.tui.screens.monitor import COMMANDS, MonitorScreen
from bedside.tui.screens.waiting import WaitingScreen
from bedside.tui.sizes import BY_COLUMNS, BY_ROWS


class BedsideApp(App[None]):
    """Shows one bed of a feed at a time. It can stall without slowing the station.

    `settings` say what it is drawn with; `stop_after_s` ends the app by itself, 0 never. A review
    writes its strips to `export_folder`. Raises SettingsError for a bed that the feed lacks.
    """

    CSS_PATH = "bedside.tcss"
    TITLE = "bedside"
    ALLOW_SELECT = False
    HORIZONTAL_BREAKPOINTS = BY_COLUMNS
    VERTICAL_BREAKPOINTS = BY_ROWS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "leave", "Quit", show=False)]

    def __init__(
        self,
        feed: Feed,
        bed: str | None = None,
        settings: ScreenSettings | None = None,
        stop_after_s: float = 0.0,
        *,
        export_folder: Path = Path("exports"),
    ) -> None:
        settings = settings or ScreenSettings()
        self._plain = not (terminal_knows_utf8() and os.environ.get("TERM") != "linux")
        self._ascii_filter = AsciiFilter()
        super().__init__()
        beds = feed.beds()
        if bed is not None and bed not in beds:
            raise SettingsError(f"bed {bed!r} is not here: choose one of {', '.join(beds)}")
        glyphs = glyph_set("ascii" if self._plain else settings.glyphs)
        self.desk = Desk(
            feed,
            glyphs,
            kiosk=settings.kiosk,
            export_folder=export_folder,
        )
        self.use_command_palette = not settings.kiosk
        self._first_bed = bed or next(iter(beds), None)
        self._stop_after_s = stop_after_s
        self._paper = Paper(
            settings.speed_mm_s,
            settings.gain_mm_mv,
            settings.width_mm,
            settings.height_mm,
            settings.sweep_s,
        )
        for theme in themes.THEMES.values():
            self.register_theme(theme)
        self._theme_name: str = "monochrome" if self.no_color else settings.theme
        self.theme = themes.THEMES[self._theme_name].name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours behind alarms, which Textual's own themes lack."""
        return themes.ALARMS

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and ASCII alone where the terminal knows no more."""
        filters = super().get_line_filters()
        return [*filters, self._ascii_filter] if self._plain else filters

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette holds what the buttons hold, and nothing of the toolkit's own."""
        monitor = next((one for one in self.screen_stack if isinstance(one, MonitorScreen)), None)
        if monitor is not None and screen is monitor:
            for label, key, action, meaning in COMMANDS:
                yield SystemCommand(label, f"{meaning} ({key})", getattr(monitor, action))

    def on_mount(self) -> None:
        """Open the monitor."""
        self.set_class(not self.desk.glyphs.half_blocks, "-ascii")
        if self._stop_after_s > 0:
            self.set_timer(self._stop_after_s, self.exit)
        if self._first_bed is None:
            self.push_screen(WaitingScreen(self.desk, self._open))
        else:
            self._open(self._first_bed)

    def next_theme(self) -> str:
        """Change to the next theme; returns its name."""
        self._theme_name = themes.after(self._theme_name)
        self.theme = themes.THEMES[self._theme_name].name
        return self._theme_name

    def action_leave(self) -> None:
        """Quit at once, but for a kiosk."""
        if not self.desk.kiosk:
            self.exit()

    def _open(self, bed: str) -> None:
        monitor = MonitorScreen(self.desk, bed, self._paper)
        if isinstance(self.screen, WaitingScreen):
            self.switch_screen(monitor)
        else:
            self.push_screen(monitor)

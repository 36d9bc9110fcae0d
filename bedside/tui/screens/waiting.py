"""What a station shows before any node has spoken."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from bedside.tui import words
from bedside.tui.desk import Desk

LOOKS_PER_S = 4


class WaitingScreen(Screen[None]):
    """Says how to get a bed, and calls `arrived` with the first one that appears."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "leave", "Quit")]

    def __init__(self, desk: Desk, arrived: Callable[[str], None]) -> None:
        super().__init__()
        self._desk = desk
        self._arrived = arrived

    def compose(self) -> ComposeResult:
        """One paragraph in the middle."""
        yield Static(
            "No node has spoken yet.\n\n"
            "Switch a node on, or try one without hardware: bedside simulate\n"
            "Then admit its patient with b, or with bedside bed admit NAME.\n\n"
            f"q quits · {words.NOT_A_DEVICE}",
            id="waiting",
        )

    def on_mount(self) -> None:
        """Look for a bed a few times a second."""
        self.set_interval(1 / LOOKS_PER_S, self._look)

    def _look(self) -> None:
        beds = self._desk.feed.beds()
        if beds:
            self._arrived(beds[0])

    def action_leave(self) -> None:
        """Quit: there is no bed to watch over yet."""
        if not self._desk.kiosk:
            self.app.exit()

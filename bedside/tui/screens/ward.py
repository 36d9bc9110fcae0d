"""The ward: every bed of the station as a tile; a tap opens one."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ItemGrid, VerticalScroll
from textual.content import Content
from textual.screen import Screen

from bedside.tui import words
from bedside.tui.desk import Desk
from bedside.tui.widgets.actions import ActionBar
from bedside.tui.widgets.pane import Pane
from bedside.tui.widgets.tile import Tile

FRAMES_PER_S = 10
NUMBERS_PER_S = 4
TILE_COLUMNS = 38


class WardScreen(Screen[str | None]):
    """Closes with the bed that was chosen, or None for `escape`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,w", "leave", "Back"),
        Binding("left,up", "before", "Before"),
        Binding("right,down", "next", "Next"),
        Binding("enter", "open", "Open"),
    ]

    def __init__(self, desk: Desk, bed: str) -> None:
        super().__init__()
        self._desk = desk
        self._chosen = bed
        self._tiles: dict[str, Tile] = {}
        self._title = Pane(id="ward-title")
        self._grid = ItemGrid(min_column_width=TILE_COLUMNS, id="tiles")

    def compose(self) -> ComposeResult:
        """Title, tiles, buttons."""
        yield self._title
        with VerticalScroll(id="ward"):
            yield self._grid
        buttons = (
            ("Before", "←", "before"),
            ("Next", "→", "next"),
            ("Open", "enter", "open"),
            ("Back", "esc", "leave"),
        )
        yield ActionBar(buttons, id="actions")

    def on_mount(self) -> None:
        """Start the two paces: a ward is watched at 10 frames a second."""
        self.set_interval(1 / FRAMES_PER_S, self.draw_frame)
        self.set_interval(1 / NUMBERS_PER_S, self.draw_numbers)
        self.call_after_refresh(self.draw_numbers)

    def draw_frame(self) -> None:
        """Move every pen."""
        now_s = time.monotonic()
        for tile in self._tiles.values():
            tile.draw_frame(now_s)

    def draw_numbers(self) -> None:
        """Add beds that have come, and write what is true of each."""
        self._desk.hear()
        for bed in self._desk.feed.beds():
            if bed not in self._tiles:
                self._tiles[bed] = tile = Tile(self._desk, bed)
                self._grid.mount(tile)
        for bed, tile in self._tiles.items():
            tile.set_class(bed == self._chosen, "-chosen")
            tile.draw_numbers()
        beds = "1 bed" if len(self._tiles) == 1 else f"{len(self._tiles)} beds"
        self._title.show(
            Content.styled(f" Ward: {beds}   ", "bold")
            + Content.styled(f"enter or a tap opens one   {words.NOT_A_DEVICE}", "$secondary")
        )

    def on_tile_chosen(self, message: Tile.Chosen) -> None:
        """A tap opens the bed."""
        self.dismiss(message.bed)

    def action_open(self) -> None:
        """Show the chosen bed."""
        self.dismiss(self._chosen)

    def action_before(self) -> None:
        """Choose the bed before."""
        self._move(-1)

    def action_next(self) -> None:
        """Choose the next bed."""
        self._move(1)

    def _move(self, step: int) -> None:
        beds = list(self._tiles)
        at = beds.index(self._chosen) if self._chosen in beds else 0
        self._chosen = beds[(at + step) % len(beds)]
        self._tiles[self._chosen].scroll_visible(animate=False)
        self.draw_numbers()

    def action_leave(self) -> None:
        """Back to the bed from which it was opened."""
        self.dismiss(None)

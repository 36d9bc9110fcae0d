"""A sheet from the bottom of the screen, so that no alarm is hidden: live words over buttons."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from bedside.tui.desk import Desk
from bedside.tui.widgets.actions import ActionButton
from bedside.tui.widgets.pane import Pane

LOOKS_PER_S = 4
BUTTONS_IN_A_ROW = 4

Button = tuple[str, str, str]
"""Label, key and action."""


class Sheet(ModalScreen[None]):
    """Words that are written anew four times a second, and buttons that come and go.

    A sheet says with `words()` what it shows, and with `shown()` which actions can be done now.
    """

    TITLE = ""
    BUTTONS: tuple[Button, ...] = ()

    def __init__(self, desk: Desk, bed: str) -> None:
        super().__init__()
        self._desk = desk
        self._bed = bed
        self._words = Pane(id="sheet-words")
        self._rows = 0

    def compose(self) -> ComposeResult:
        """Title, words, buttons."""
        with Vertical(classes="dialog"):
            yield Static(self.TITLE, classes="dialog-title", markup=False)
            yield self._words
            for first in range(0, len(self.BUTTONS), BUTTONS_IN_A_ROW):
                with Horizontal(classes="choices"):
                    for label, key, action in self.BUTTONS[first : first + BUTTONS_IN_A_ROW]:
                        yield ActionButton(label, key, action)

    def on_mount(self) -> None:
        """Write now and from now on."""
        self.look()
        self.set_interval(1 / LOOKS_PER_S, self.look)

    def look(self) -> None:
        """Write what is true now."""
        self._desk.hear()
        words = self.words()
        rows = words.plain.count("\n") + 1
        self._words.show(words)
        if rows != self._rows:
            self._rows = rows
            self._words.refresh(layout=True)
        shown = set(self.shown())
        for button in self.query(ActionButton):
            button.display = button.action_name in shown

    def words(self) -> Content:
        """What to show."""
        raise NotImplementedError

    def shown(self) -> Iterable[str]:
        """The actions that can be done now."""
        return [action for _, _, action in self.BUTTONS]

    def action_leave(self) -> None:
        """Close the sheet."""
        self.dismiss(None)

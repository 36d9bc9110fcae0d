"""The row of buttons: every action by one tap, its key on its edge."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static


class ActionButton(Static):
    """One action of the screen: at least three rows by ten columns, a finger's width."""

    def __init__(self, label: str, key: str, action: str) -> None:
        super().__init__(label, id=f"do-{action.replace('_', '-')}", markup=False)
        self.border_subtitle = key
        self.action_name = action

    async def on_click(self) -> None:
        """Do the action."""
        await self.run_action(f"screen.{self.action_name}")


class ActionBar(Horizontal):
    """The buttons of a screen: (label, key, action) each."""

    def __init__(self, buttons: tuple[tuple[str, str, str], ...], id: str | None = None) -> None:
        super().__init__(id=id)
        self._buttons = buttons

    def compose(self) -> ComposeResult:
        """The buttons from left to right."""
        for label, key, action in self._buttons:
            yield ActionButton(label, key, action)

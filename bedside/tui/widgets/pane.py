"""Text that is redrawn only when it changed."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Pane(Static):
    """A `Static` that compares before it draws: the numbers come four times a second."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._shown = Content("")

    def show(self, content: Content) -> None:
        """Show this text, if it is another than the one shown."""
        if not self._shown.is_same(content):
            self._shown = content
            self.update(content, layout=False)

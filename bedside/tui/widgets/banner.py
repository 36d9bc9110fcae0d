"""The alarm banner: one row in the colour and rhythm of the most urgent alarm."""

from __future__ import annotations

from textual.content import Content

from bedside.tui.widgets.pane import Pane
from bedside.tui.words import BannerWords, banner_line, lit


class Banner(Pane):
    """Empty while there is nothing to say; its row stays, so that the trace keeps its place."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id)
        self._words: BannerWords | None = None

    def say(self, words: BannerWords | None) -> None:
        """Take new words; the colour follows their priority."""
        self._words = words
        priority = words.priority.value if words and words.priority else ""
        for name in ("high", "medium", "low"):
            self.set_class(name == priority, f"-{name}")
        self.set_class(words is not None and not priority, "-plain")
        self.show(Content(banner_line(words, self.size.width) if words else ""))

    def flash(self, now_s: float) -> None:
        """Be bright or dark, as the rhythm of the priority wants it now."""
        words = self._words
        dark = bool(words and words.flashing and words.priority and not lit(words.priority, now_s))
        if dark != self.has_class("-dark"):
            self.set_class(dark, "-dark")

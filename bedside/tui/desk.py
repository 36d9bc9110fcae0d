"""What every screen of one face works with: the feed, the glyphs, and the operator's hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from textual.content import Content

from bedside.errors import BedsideError
from bedside.events import ActionDone
from bedside.feed import Feed
from bedside.tui.glyphs import GlyphSet

MESSAGE_SHOWN_S = 8.0

Then = Callable[[ActionDone], None]


class Desk:
    """Asks for actions and remembers what shall follow their answers.

    An answer belongs to whoever asked, whichever screen is on top when it comes. `said` is the
    message that stands at the foot of every screen for 8 s.
    """

    def __init__(
        self,
        feed: Feed,
        glyphs: GlyphSet,
        *,
        kiosk: bool = False,
        export_folder: Path,
    ) -> None:
        """Strips that are exported go to `export_folder`."""
        self.feed = feed
        self.export_folder = export_folder
        self.glyphs = glyphs
        self.kiosk = kiosk
        self._asked: dict[str, Then] = {}
        self._message = Content("")
        self._message_until_s = 0.0

    def act(
        self, bed: str, name: str, arguments: Mapping[str, Any], then: Then | str
    ) -> str | None:
        """Ask for an action; `then` hears the answer, or is what to say when it is done.

        Returns the action's id, None when it could not even be asked for: that is said, too.
        """
        try:
            action_id = self.feed.act(bed, name, arguments)
        except BedsideError as error:
            self.say(str(error), "$warning")
            return None
        self._asked[action_id] = self._saying(then) if isinstance(then, str) else then
        self.hear()
        return action_id

    def hear(self) -> None:
        """Take in what has been answered."""
        for answer in self.feed.results():
            then = self._asked.pop(answer.action_id, None)
            if then is not None:
                then(answer)

    def say(self, message: str, style: str = "") -> None:
        """Show a message at the foot of the screen."""
        self._message = Content.styled(message, f"bold {style}".strip())
        self._message_until_s = time.monotonic() + MESSAGE_SHOWN_S

    def refused(self, answer: ActionDone) -> None:
        """Say why an action was not done."""
        self.say(f"refused: {answer.reason}", "$warning")

    @property
    def said(self) -> Content:
        """The message, empty once it is old."""
        return self._message if time.monotonic() < self._message_until_s else Content("")

    def _saying(self, done: str) -> Then:
        def then(answer: ActionDone) -> None:
            if answer.done:
                self.say(done, "$success")
            else:
                self.refused(answer)

        return then

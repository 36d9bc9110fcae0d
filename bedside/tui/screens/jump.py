"""Where to look in a recording: a time of day, or so long ago."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from bedside.tui.screens.choice import Choice, ChoiceButton

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
_STEPS = (("-1h", "-1 h", "1"), ("-10m", "-10 min", "2"), ("+10m", "+10 min", "3"))


def moment_us(text: str, shown_us: int, now_us: int) -> int | None:
    """The Unix time in µs that a text means, None for one that means none.

    `12:40` or `12:40:57` is the last such time of day; `2h`, `-10 min` is so long ago; `now` is
    now; `+10m` and `-10m` with a sign in front and no space step from what is shown.
    """
    text = text.strip().lower()
    if text == "now":
        return now_us
    if text[:1] in "+-" and (step := _AGO.fullmatch(text[1:])):
        sign = 1 if text[0] == "+" else -1
        return shown_us + sign * round(float(step[1]) * _SECONDS[step[2]] * 1e6)
    if ago := _AGO.fullmatch(text.removesuffix(" ago")):
        return now_us - round(float(ago[1]) * _SECONDS[ago[2]] * 1e6)
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return None
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    now = datetime.fromtimestamp(now_us / 1e6)
    then = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    if then > now:
        then -= timedelta(days=1)
    return round(then.timestamp() * 1e6)


class JumpScreen(ModalScreen[str | None]):
    """Closes with what was typed or tapped, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def compose(self) -> ComposeResult:
        """A line to type in, and steps for a finger."""
        with Vertical(classes="dialog"):
            yield Static("Jump to a time", classes="dialog-title", markup=False)
            yield Input(placeholder="12:40, 2h ago, now", id="moment")
            with Horizontal(classes="choices"):
                for value, label, key in (*_STEPS, ("now", "Now", ""), ("", "Back", "esc")):
                    yield ChoiceButton(Choice(value, label, key if key == "esc" else ""))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go there."""
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Stay."""
        self.dismiss(None)

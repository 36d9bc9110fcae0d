"""Help: the keys, what the alarms mean, and what this is not."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

HELP_TEXT = Content.from_markup(
    """\
[b]Not a medical device.[/b] Not for paced patients: pacing looks like a beat.

[b]a[/b] acknowledge the most urgent alarm   [b]p[/b] pause all sounds, or on again
[b]r[/b] review   [b]c[/b] calibrate   [b]l[/b] limits   [b]t[/b] test alert   \
[b]w[/b] ward   [b]n[/b] next bed
[b]b[/b] admit, standby, discharge   [b]s[/b] speed   [b]g[/b] gain   [b]v[/b] colours   \
[b]m[/b] more
[b]?[/b] help   [b]q[/b] quit   [b]esc[/b] close this

[bold $error]***[/]  danger to life: red, flashes fast, stays until acknowledged and gone
[bold $warning]**[/]   look soon: yellow, flashes slowly, leaves with its cause
[bold $accent]*[/]    attention: cyan, steady, leaves with its cause
Acknowledging ends the sound of one alarm; if it returns, it is a new one.

[b]Reconstruction error[/b]: how badly a network that learned normal beats
rebuilds a beat. Right of the mark, or in the strip's upper row: abnormal.
Not calibrated: the mark is a population's, and no alarm follows.
≈ no ruler was laid on this screen: screen.width_mm. ┄ gap, × lead off.
[b]--[/b] is unknown. Words over the trace: what you see is not the heart now.
"""
)


class HelpScreen(ModalScreen[None]):
    """Closes with escape, `?`, or a tap."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "leave", "Back")
    ]

    def compose(self) -> ComposeResult:
        """One page of text."""
        with VerticalScroll(classes="dialog"):
            yield Static(HELP_TEXT)

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)

    def on_click(self) -> None:
        """Close."""
        self.dismiss(None)

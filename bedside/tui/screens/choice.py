"""A question with a few answers, at the bottom of the screen so that no alarm is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

CHOICES_IN_A_ROW = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: its value, its label, and the key that gives it."""

    value: str
    label: str
    key: str


class ChoiceButton(Static):
    """One answer as a button."""

    def __init__(self, choice: Choice) -> None:
        name = choice.value.removeprefix("action_").replace("_", "-").replace("+", "") or "leave"
        super().__init__(choice.label, id=f"choose-{name}", markup=False)
        self.border_subtitle = choice.key
        self._value = choice.value

    def on_click(self) -> None:
        """Give this answer."""
        self.screen.dismiss(self._value or None)


class ChoiceScreen(ModalScreen[str | None]):
    """Asks; closes with the value chosen, or None for `escape`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(self, question: str, explanation: str, choices: tuple[Choice, ...]) -> None:
        super().__init__()
        self._question = question
        self._explanation = explanation
        self._choices = (*choices, Choice("", "Back", "esc"))

    def compose(self) -> ComposeResult:
        """The question, what it means, and the answers."""
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            if self._explanation:
                yield Static(self._explanation, markup=False)
            for first in range(0, len(self._choices), CHOICES_IN_A_ROW):
                with Horizontal(classes="choices"):
                    for choice in self._choices[first : first + CHOICES_IN_A_ROW]:
                        yield ChoiceButton(choice)

    def action_leave(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """A choice's own key gives it."""
        for choice in self._choices:
            if choice.value and choice.key in (event.key, event.character):
                event.stop()
                self.dismiss(choice.value)
                return

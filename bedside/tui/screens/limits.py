"""The limits of a bed: each with its bounds, the presets, and the conditions that may be off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content

from bedside.alarms.conditions import CONDITIONS
from bedside.events import ActionDone
from bedside.feed import BedSnapshot
from bedside.limits import BOUNDS, COUNTS, PRESETS, STATION_WIDE, Limits, Population
from bedside.tui.desk import Desk
from bedside.tui.screens.choice import Choice, ChoiceScreen
from bedside.tui.screens.sheet import Button, Sheet

LIST_ROWS = 9

_UNITS = {"_s": "s", "_bpm": "/min", "_beats": "beats"}


@dataclass(frozen=True, slots=True)
class _Row:
    """A limit, or a condition that may be switched off."""

    name: str
    is_limit: bool


_ROWS = (
    *(_Row(name, True) for name in BOUNDS if name not in STATION_WIDE),
    *(_Row(code, False) for code, condition in CONDITIONS.items() if not condition.technical),
)


class LimitsScreen(Sheet):
    """Changes are drawn here and sent together; the station refuses what is out of bounds."""

    TITLE = "Limits of this bed"
    BUTTONS: tuple[Button, ...] = (
        ("Up", "↑", "up"),
        ("Down", "↓", "down"),
        ("Less / off", "←", "less"),
        ("More / on", "→", "more"),
        ("Preset", "p", "preset"),
        ("Apply", "enter", "apply"),
        ("Back", "esc", "leave"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "up", "Up"),
        Binding("down", "down", "Down"),
        Binding("left,minus", "less", "Less"),
        Binding("right,plus", "more", "More"),
        Binding("p", "preset", "Preset"),
        Binding("enter", "apply", "Apply"),
        Binding("escape", "leave", "Back"),
    ]

    def __init__(self, desk: Desk, bed: str) -> None:
        super().__init__(desk, bed)
        self._at = 0
        self._population: Population | None = None
        self._limits: dict[str, float] = {}
        self._conditions: dict[str, bool] = {}
        self._message = Content("")

    def _snapshot(self) -> BedSnapshot:
        return self._desk.feed.snapshot(self._bed)

    @property
    def chosen(self) -> str:
        """The limit or the condition that the buttons change."""
        return _ROWS[self._at].name

    def words(self) -> Content:
        """The list around the chosen row, and what would change."""
        snapshot = self._snapshot()
        population = self._population or snapshot.population
        first = min(max(0, self._at - LIST_ROWS // 2), len(_ROWS) - LIST_ROWS)
        title = f"population: {population.value}"
        if self._changes():
            title += f"   {self._changes()} not applied yet"
        lines = [Content.styled(title, "bold")]
        for index in range(first, first + LIST_ROWS):
            text = self._row(_ROWS[index], snapshot)
            style = "reverse bold" if index == self._at else ""
            lines.append(Content.styled(text, style))
        return Content("\n").join([*lines, self._message])

    def _row(self, row: _Row, snapshot: BedSnapshot) -> str:
        if not row.is_limit:
            is_on = self._is_on(row.name, snapshot)
            changed = "changed" if row.name in self._conditions else ""
            title = CONDITIONS[row.name].title
            return f" {title:<28} {'alarms' if is_on else 'DISABLED':>14}   {'':<18} {changed:<8}"
        low, high = BOUNDS[row.name]
        unit = next((unit for end, unit in _UNITS.items() if row.name.endswith(end)), "")
        value = f"{self._value(row.name, snapshot):g} {unit}"
        bounds = f"{low:g} to {high:g}"
        changed = "changed" if row.name in self._limits else ""
        label = row.name.rsplit("_", 1)[0].replace("_", " ")
        label = f"{label} beats" if row.name.endswith("_beats") else label
        return f" {label:<28} {value:>14}   {bounds:<18} {changed:<8}"

    def _base(self, snapshot: BedSnapshot) -> Limits:
        return snapshot.limits if self._population is None else PRESETS[self._population]

    def _value(self, name: str, snapshot: BedSnapshot) -> float:
        return self._limits.get(name, float(getattr(self._base(snapshot), name)))

    def _is_on(self, code: str, snapshot: BedSnapshot) -> bool:
        return self._conditions.get(code, code not in snapshot.disabled)

    def _changes(self) -> int:
        return len(self._limits) + len(self._conditions) + (self._population is not None)

    # ── what the operator does ────────────────────────────────────────────────────────────────

    def action_up(self) -> None:
        """The row above."""
        self._at = max(0, self._at - 1)
        self.look()

    def action_down(self) -> None:
        """The row below."""
        self._at = min(len(_ROWS) - 1, self._at + 1)
        self.look()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """A wheel moves the choice as the keys do."""
        self.action_down()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """A wheel moves the choice as the keys do."""
        self.action_up()

    def action_less(self) -> None:
        """A step down, or off."""
        self._step(-1)

    def action_more(self) -> None:
        """A step up, or on."""
        self._step(1)

    def _step(self, direction: int) -> None:
        row, snapshot = _ROWS[self._at], self._snapshot()
        self._message = Content("")
        if not row.is_limit:
            wanted = direction > 0
            self._conditions[row.name] = wanted
            if wanted is (row.name not in snapshot.disabled):
                del self._conditions[row.name]
            self.look()
            return
        low, high = BOUNDS[row.name]
        before = self._value(row.name, snapshot)
        value = min(high, max(low, before + direction * _step_of(row.name)))
        if value == before:
            self._message = Content.styled(f"bounds: {low:g} to {high:g}", "$warning")
        self._limits[row.name] = value
        if value == float(getattr(self._base(snapshot), row.name)):
            del self._limits[row.name]
        self.look()

    def action_preset(self) -> None:
        """The next population's limits, as a whole."""
        populations = list(Population)
        now = self._population or self._snapshot().population
        self._population = populations[(populations.index(now) + 1) % len(populations)]
        self._limits.clear()
        self.look()

    def action_apply(self) -> None:
        """Send what was changed."""
        arguments: dict[str, Any] = {}
        if self._population is not None:
            arguments["population"] = self._population.value
        if self._limits:
            arguments["limits"] = {
                name: int(value) if name in COUNTS else value
                for name, value in self._limits.items()
            }
        if self._conditions:
            arguments["conditions"] = dict(self._conditions)
        if not arguments:
            self._message = Content("nothing is changed")
            self.look()
            return
        self._send(arguments)

    def _send(self, arguments: dict[str, Any]) -> None:
        def then(answer: ActionDone) -> None:
            if answer.done:
                self._population = None
                self._limits.clear()
                self._conditions.clear()
                self._message = Content.styled("the limits are set", "bold $success")
            elif answer.needs_confirmation:
                question = ChoiceScreen(
                    "Are you sure?",
                    answer.reason,
                    (Choice("confirm", "Yes, set it", "y"),),
                )
                self.app.push_screen(question, lambda yes: self._confirmed(yes, arguments))
            else:
                self._message = Content.styled(f"refused: {answer.reason}", "bold $warning")

        if self._desk.act(self._bed, "set-limit", arguments, then) is None:
            self._message = Content.styled("the station is away: nothing was set", "$warning")
        self.look()

    def _confirmed(self, yes: str | None, arguments: dict[str, Any]) -> None:
        if yes:
            self._send(arguments | {"confirmed": True})


def _step_of(name: str) -> float:
    """How much one tap changes a limit: about a fortieth of its range, in round numbers."""
    if name in COUNTS:
        return 1.0
    low, high = BOUNDS[name]
    rough = (high - low) / 40
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.99)

"""A test alert: one marked message the way a real one goes, hop by hop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from bedside.delivery.alert import test_id
from bedside.delivery.delivery import DeliveryState
from bedside.events import ActionDone
from bedside.tui.desk import Desk
from bedside.tui.screens.sheet import Button, Sheet
from bedside.tui.words import clock

_HOPS = {
    DeliveryState.QUEUED: "committed to disk",
    DeliveryState.SENT: "sending",
    DeliveryState.FAILED: "failed, is tried again",
    DeliveryState.ACCEPTED: "accepted by the transport",
    DeliveryState.ACKNOWLEDGED: "acknowledged by its contact",
    DeliveryState.EXPIRED: "left in a digest",
}
_ENDS = (DeliveryState.ACCEPTED, DeliveryState.ACKNOWLEDGED, DeliveryState.EXPIRED)


class AlertTestScreen(Sheet):
    """Sends when asked, and shows each hop with its time."""

    TITLE = "Test alert: goes the way a real one goes, marked as a test"
    BUTTONS: tuple[Button, ...] = (
        ("Send", "enter", "send"),
        ("Contact", "k", "next_contact"),
        ("Back", "esc", "leave"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send"),
        Binding("k", "next_contact", "Contact"),
        Binding("escape", "leave", "Back"),
    ]

    def __init__(self, desk: Desk, bed: str) -> None:
        super().__init__(desk, bed)
        self._contact = 1
        self._alert_id = ""
        self._refusal = ""

    def words(self) -> Content:
        """What has become of it."""
        lines = [Content(f"To {self._who(self._contact)}.")]
        if self._refusal:
            lines.append(Content.styled(f"refused: {self._refusal}", "bold $warning"))
        elif self._alert_id:
            lines.append(Content.styled(f"test {self._alert_id}", "bold"))
            hops = self._desk.feed.hops(self._alert_id)
            for hop in hops:
                state = DeliveryState(hop.state)
                ms = (hop.wall_us - hops[0].wall_us) / 1000
                mark = "$warning" if state is DeliveryState.FAILED else ""
                reason = f": {hop.reason}" if hop.reason else ""
                what = f"{self._role(hop.contact)}{_HOPS[state]}{reason}"
                text = f"  {clock(hop.wall_us)}  {ms:6.0f} ms  {what}"
                lines.append(Content.styled(text, mark))
            if not any(hop.state in _ENDS for hop in hops):
                lines.append(Content.styled("  under way …", "$secondary"))
        return Content("\n").join(lines)

    def _role(self, contact: int) -> str:
        names = self._desk.feed.contacts()
        return f"{names[contact - 1]}: " if 1 <= contact <= len(names) else ""

    def _who(self, contact: int) -> str:
        names = self._desk.feed.contacts()
        if 1 <= contact <= len(names):
            return f"{names[contact - 1]} (contact {contact} of {len(names)})"
        return f"contact {contact}" if names else "whoever listens: alerts.contacts names nobody"

    def shown(self) -> Iterable[str]:
        """A test can be repeated; the contact changed where there are several."""
        several = len(self._desk.feed.contacts()) > 1
        return ("send", "next_contact", "leave") if several else ("send", "leave")

    def action_next_contact(self) -> None:
        """Choose whom to tell."""
        self._contact = self._contact % max(1, len(self._desk.feed.contacts())) + 1
        self.look()

    def action_send(self) -> None:
        """Send it."""

        def then(answer: ActionDone) -> None:
            self._refusal = "" if answer.done else answer.reason

        self._refusal = ""
        action_id = self._desk.act(self._bed, "test-alert", {"contact": self._contact}, then)
        self._alert_id = "" if action_id is None else test_id(action_id)
        if action_id is None:
            self._refusal = "the station is away"
        self.look()

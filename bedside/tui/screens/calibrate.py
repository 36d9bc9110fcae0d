"""Calibration, step by step: electrodes, signal, minutes, result, and whether to take it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from bedside.events import ActionDone, BedState
from bedside.feed import BedSnapshot
from bedside.tui import words
from bedside.tui.desk import Desk
from bedside.tui.screens.sheet import Button, Sheet

CALIBRATION_S = 300
BAR_CELLS = 40
LEAST_QUALITY = 0.7


class CalibrateScreen(Sheet):
    """The wizard. Leaving it does not end a calibration that runs."""

    TITLE = "Calibrate: learn what is normal for this patient"
    BUTTONS: tuple[Button, ...] = (
        ("Start", "enter", "start"),
        ("Accept", "y", "accept"),
        ("Discard", "d", "discard"),
        ("Back", "esc", "leave"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start"),
        Binding("y", "accept", "Accept"),
        Binding("d", "discard", "Discard"),
        Binding("escape", "leave", "Back"),
    ]

    def __init__(self, desk: Desk, bed: str) -> None:
        super().__init__(desk, bed)
        self._began_s: float | None = None
        self._refusal = ""

    def _snapshot(self) -> BedSnapshot:
        return self._desk.feed.snapshot(self._bed)

    def words(self) -> Content:
        """The step that it has come to."""
        snapshot = self._snapshot()
        state, _, reason = snapshot.calibration.partition(": ")
        match state:
            case "running":
                lines = self._countdown(reason)
            case "proposed":
                lines = [
                    ("Done. With this baseline:", "bold"),
                    (f"  {reason}", ""),
                    ("Accept uses it from now on; Discard keeps what was before.", ""),
                ]
            case "refused":
                lines = [
                    (f"Refused: {reason}", "bold $warning"),
                    ("What was before stays. Mend the signal, then start again.", ""),
                    *self._checks(snapshot),
                ]
            case _:
                lines = self._checks(snapshot)
        if self._refusal:
            lines.append((f"refused: {self._refusal}", "bold $warning"))
        return Content("\n").join(Content.styled(text, style) for text, style in lines)

    def _checks(self, snapshot: BedSnapshot) -> list[tuple[str, str]]:
        glyphs = self._desk.glyphs
        vitals = snapshot.vitals
        old = words.is_stale(snapshot)
        checks = [
            (
                snapshot.bed_state is BedState.ADMITTED,
                "a patient is admitted",
                "admit the patient first",
            ),
            (not old, "samples arrive", "no samples arrive: look at the node"),
            (
                not old and not (vitals and "lead off" in vitals.suspended),
                "both electrodes are on",
                "an electrode is off: press it on, or replace it",
            ),
            (
                bool(not old and vitals and (vitals.quality or 0) >= LEAST_QUALITY),
                f"good signal ({self._quality(snapshot)})",
                f"the signal is poor ({self._quality(snapshot)}): "
                f"{(vitals.quality_reason if vitals else '') or 'let the patient lie still'}",
            ),
        ]
        lines = [
            (
                f"{glyphs.working if ok else glyphs.failed} {good if ok else bad}",
                "" if ok else "$warning",
            )
            for ok, good, bad in checks
        ]
        minutes = CALIBRATION_S // 60
        lines.append((f"Then {minutes} minutes lying still; every rhythm alarm goes on.", ""))
        return lines

    @staticmethod
    def _quality(snapshot: BedSnapshot) -> str:
        vitals = snapshot.vitals
        if vitals is None or vitals.quality is None or words.is_stale(snapshot):
            return words.UNKNOWN
        return f"{vitals.quality * 100:.0f} %"

    def _countdown(self, said: str) -> list[tuple[str, str]]:
        """The countdown, from when this screen saw it begin."""
        if self._began_s is None:
            self._began_s = time.monotonic()
        total_s = float(said.removesuffix(" s")) if said.endswith(" s") else CALIBRATION_S
        gone_s = min(time.monotonic() - self._began_s, total_s)
        filled = round(BAR_CELLS * gone_s / total_s)
        glyphs = self._desk.glyphs
        left = words.minutes(total_s - gone_s)
        return [
            (f"Listening: at most {left} left. The patient lies still.", "bold"),
            (glyphs.bar * filled + glyphs.bar_rest * (BAR_CELLS - filled), "$success"),
            (f"signal {self._quality(self._snapshot())}; Back leaves it running", ""),
        ]

    def shown(self) -> Iterable[str]:
        """Start before it, Accept and Discard after it."""
        calibration = self._snapshot().calibration
        if calibration.startswith("proposed"):
            return ("accept", "discard", "leave")
        if calibration.startswith("running"):
            return ("leave",)
        return ("start", "leave")

    def action_start(self) -> None:
        """Begin."""
        if "start" in self.shown():
            self._began_s = time.monotonic()
            self._act({"seconds": CALIBRATION_S, "review": True})

    def action_accept(self) -> None:
        """Use the baseline."""
        if "accept" in self.shown():
            self._act({"decision": "accept"})

    def action_discard(self) -> None:
        """Keep what was before."""
        if "discard" in self.shown():
            self._act({"decision": "discard"})

    def _act(self, arguments: dict[str, object]) -> None:
        def then(answer: ActionDone) -> None:
            self._refusal = "" if answer.done else answer.reason
            if answer.done and "decision" in arguments:
                self._desk.say(f"calibration: {arguments['decision']}ed", "$success")
                self.dismiss(None)

        self._desk.act(self._bed, "calibrate", arguments, then)
        self.look()

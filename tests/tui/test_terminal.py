"""The screen in a real terminal, where the trace is painted past the compositor."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.tmux import Tmux

PROGRAM = str(Path(__file__).with_name("beating_screen.py"))


def still(terminal: Tmux, first_row: int = 0) -> list[str]:
    """The rows of the screen with their colours, once they have stopped to change."""
    give_up_s = time.monotonic() + 60
    before: list[str] = []
    while time.monotonic() < give_up_s:
        now = terminal.text(escapes=True).splitlines()[first_row:]
        if now == before:
            return now
        before = now
        time.sleep(1)
    raise AssertionError("the screen never stood still")


def empty_below_tile(shown: str) -> bool:
    """Whether nothing stands where a ward of one bed has no tile."""
    return not "".join(shown.splitlines()[11:20]).strip()


def test_what_was_painted_directly_is_what_a_full_repaint_paints(tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    with Tmux([sys.executable, PROGRAM, "4", str(stopped)], 100, 30) as terminal:
        terminal.wait_for(lambda shown: "HR /min" in shown and stopped.exists())
        painted = still(terminal)
        assert sum(row.count("▾") for row in painted) >= 5
        # Once round the themes paints everything anew from the same samples.
        for theme in ("day", "high-contrast", "monochrome", "night"):
            terminal.keys("v")
            terminal.wait_for(f"colours: {theme}")
        repainted = still(terminal)
    trace = slice(3, 17)
    assert repainted[trace] == painted[trace]


def test_a_beating_trace_never_paints_over_a_sheet_or_another_screen() -> None:
    with Tmux([sys.executable, PROGRAM, "60"], 80, 24) as terminal:
        terminal.wait_for("HR /min")
        terminal.keys("l")
        terminal.wait_for(lambda shown: "Limits of this bed" in shown and "── esc" in shown)
        first = still(terminal, first_row=4)
        for _ in range(10):
            time.sleep(0.2)
            assert terminal.text(escapes=True).splitlines()[4:] == first
        terminal.keys("Escape")
        terminal.wait_for("Acknowledge")
        terminal.keys("w")
        terminal.wait_for(
            lambda shown: "Ward: 1 bed " in shown and "── esc" in shown and empty_below_tile(shown)
        )
        for _ in range(10):
            time.sleep(0.2)
            assert empty_below_tile(terminal.text())


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({"TERM": "linux"}, "ascii"),
        ({"PYTHONIOENCODING": "latin-1"}, "ascii"),
        ({"NO_COLOR": "1"}, "grey"),
        ({"TERM": "xterm", "COLORTERM": ""}, "16 colours"),
    ],
)
def test_it_works_in_a_poor_terminal(environment: dict[str, str], seen: str) -> None:
    with Tmux([sys.executable, PROGRAM, "60"], 80, 24, environment) as terminal:
        beat = "v" if seen == "ascii" else "▾"
        shown = terminal.wait_for(
            lambda screen: "Acknowledge" in screen and beat in screen.splitlines()[3]
        )
        assert shown.isascii() is (seen == "ascii")
        coloured = terminal.text(escapes=True)
        assert ("38;2;" in coloured) is (seen in ("ascii", "grey"))
        terminal.keys("q")
        terminal.wait_for(lambda screen: "This screen closes" in screen)
        terminal.keys("q")
        terminal.wait_until_ended()

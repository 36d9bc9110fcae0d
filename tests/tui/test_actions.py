"""Every action of every screen does the same by its key and by a tap, and does something."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from textual.pilot import Pilot

from bedside.events import CalibrationChanged, Priority
from bedside.tui.app import BedsideApp
from bedside.tui.screens.alert_test import AlertTestScreen
from bedside.tui.screens.calibrate import CalibrateScreen
from bedside.tui.screens.limits import LimitsScreen
from bedside.tui.screens.monitor import COMMANDS, FIRST_BUTTONS, MonitorScreen
from bedside.tui.screens.review import ReviewScreen
from tests.tui.painted_bed import PaintedBed
from tests.tui.past import write_past
from tests.tui.seen import drawn, text
from tests.tui.test_sheets import ward_of

KEYS = {"?": "question_mark", "esc": "escape", "↑": "up", "↓": "down", "←": "left", "→": "right"}

Doing = tuple[str, str]
"""A key, and the button that does the same."""


@pytest.fixture(autouse=True)
def messages_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr("bedside.tui.desk.MESSAGE_SHOWN_S", 1e9)


async def settled(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()
    await drawn(pilot)


def seen(pilot: Pilot[None], bed: PaintedBed) -> tuple[object, ...]:
    """All that an action can change."""
    screen = pilot.app.screen
    chosen = screen.chosen if isinstance(screen, LimitsScreen | ReviewScreen) else ""
    # A test alert has another id each time.
    lines = [line for line in text(pilot).splitlines() if " test " not in line]
    return type(screen).__name__, pilot.app.theme, tuple(map(str, bed.asked)), chosen, lines


async def do(pilot: Pilot[None], doing: Doing, by: str) -> None:
    key, button = doing
    if by == "key":
        await pilot.press(KEYS.get(key, key))
    else:
        for each in button.split():
            await pilot.click(each)
            await pilot.pause()
    await settled(pilot)


async def course(bed: PaintedBed, doings: Sequence[Doing], by: str) -> list[tuple[object, ...]]:
    """What is seen before and after each doing."""
    other = PaintedBed("13")
    other.play(20)
    app = BedsideApp(ward_of(bed, other), export_folder=bed.folder / "exports")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        found = [seen(pilot, bed)]
        for doing in doings:
            await do(pilot, doing, by)
            found.append(seen(pilot, bed))
        return found


def buttons(screen: type[object], *actions: str) -> list[Doing]:
    """The doings of a screen's actions, every one of its buttons among them."""
    known = {action: (key, f"#do-{action.replace('_', '-')}") for _, key, action in screen.BUTTONS}  # type: ignore[attr-defined]
    assert set(known) - {"leave"} <= set(actions)
    return [known[action] for action in actions]


def monitor(*labels: str) -> list[Doing]:
    found = []
    for wanted in labels:
        key, action = next((key, action) for label, key, action, _ in COMMANDS if label == wanted)
        name = action.removeprefix("action_").replace("_", "-")
        found.append(
            (key, f"#do-{name}" if wanted in FIRST_BUTTONS else f"#do-more #choose-{name}")
        )
    return found


BACK = ("esc", "#do-leave")
CLOSE = ("esc", "#choose-leave")

COURSES = {
    "monitor": [
        *monitor("Acknowledge", "Pause sound", "Speed", "Gain", "Colours", "Next bed", "Next bed"),
        *monitor("Calibrate"),
        BACK,
        *monitor("Limits"),
        BACK,
        *monitor("Test alert"),
        BACK,
        *monitor("Review"),
        BACK,
        *monitor("Ward"),
        BACK,
        *monitor("Bed"),
        CLOSE,
        *monitor("Help"),
        ("esc", ".dialog"),
        *monitor("Quit"),
        CLOSE,
        ("m", "#do-more"),
        CLOSE,
    ],
    "limits": [
        *monitor("Limits"),
        *buttons(LimitsScreen, "down", "up", "more", "less", "more", "preset", "apply", "leave"),
    ],
    "test alert": [
        *monitor("Test alert"),
        *buttons(AlertTestScreen, "next_contact", "send", "leave"),
    ],
    "review": [
        *monitor("Review"),
        *buttons(ReviewScreen, "older", "newer", "earlier", "later", "cursor", "export", "jump"),
        CLOSE,
        BACK,
    ],
    "ward": [
        *monitor("Ward"),
        ("→", "#do-next"),
        ("←", "#do-before"),
        ("→", "#do-next"),
        ("enter", "#do-open"),
    ],
}


@pytest.mark.parametrize("name", COURSES)
async def test_every_action_does_the_same_by_key_and_by_tap(name: str, tmp_path: Path) -> None:
    write_past(tmp_path, "12", alarms=3)
    beds = []
    for _ in range(2):
        bed = PaintedBed(folder=tmp_path)
        bed.play(20)
        bed.raise_alarm("vt", Priority.HIGH, "5 ventricular beats, 184/min")
        beds.append(bed)
    by_key = await course(beds[0], COURSES[name], "key")
    by_tap = await course(beds[1], COURSES[name], "tap")
    for doing, key, tap in zip(("before", *COURSES[name]), by_key, by_tap, strict=True):
        assert key == tap, doing
    for doing, (before, after) in zip(COURSES[name], pairwise(by_key), strict=True):
        assert before != after, f"{doing} did nothing"


@pytest.mark.parametrize("decision", ["accept", "discard"])
async def test_a_calibration_goes_the_same_way_by_key_and_by_tap(decision: str) -> None:
    asked = []
    key_of = {action: key for _, key, action in CalibrateScreen.BUTTONS}
    for by in ("key", "tap"):
        bed = PaintedBed()
        bed.play(20)
        app = BedsideApp(bed.feed)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            await do(pilot, ("c", "#do-calibrate"), by)
            await do(pilot, (key_of["start"], "#do-start"), by)
            bed.picture.apply(
                CalibrationChanged(bed.now_us, "proposed", "340 beats"), bed.wall_us()
            )
            await settled(pilot)
            await do(pilot, (key_of[decision], f"#do-{decision}"), by)
            assert isinstance(app.screen, MonitorScreen)
            asked.append(bed.asked)
    assert asked[0] == asked[1]
    assert asked[0][-1][2] == {"decision": decision}

"""What every screen looks like, as text in `goldens/`: `python -m tests.tui.goldens` draws it anew.

Clock and source stand still, so that nothing but a change of the program changes a picture. Look at
what has changed before it is committed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from bedside.events import CalibrationChanged, Priority
from bedside.feed import Hop
from bedside.settings import ScreenSettings
from bedside.tui.app import BedsideApp
from bedside.tui.screens.review import ReviewScreen
from tests.tui.painted_bed import PaintedBed
from tests.tui.past import write_past
from tests.tui.seen import drawn, text

FOLDER = Path(__file__).with_name("goldens")
SIZES = (80, 24), (100, 30), (160, 40)
GIVE_UP_S = 60.0

SHEETS = (
    ("calibrate", "c"),
    ("limits", "l"),
    ("test-alert", "t"),
    ("bed", "b"),
    ("more", "m"),
    ("help", "?"),
    ("quit", "q"),
    ("ward", "w"),
)
"""Each screen's name and the key that opens it from the monitor."""


def frozen_time() -> None:
    """Local time is UTC, wherever this runs."""
    os.environ["TZ"] = "UTC"
    time.tzset()


async def pictures() -> dict[str, str]:
    """Every screen's text by the name of its file."""
    with tempfile.TemporaryDirectory() as name:
        write_past(Path(name), "12")
        bed = PaintedBed(folder=Path(name))
        bed.play(20)
        raised = bed.raise_alarm("vt", Priority.HIGH, "5 ventricular beats, 184/min")
        bed.picture.set_delivery(raised.instance_id, "sent")
        found: dict[str, str] = {}
        app = BedsideApp(bed.feed)
        async with app.run_test(size=SIZES[0]) as pilot:
            for size in SIZES:
                await pilot.resize_terminal(*size)
                await drawn(pilot)
                found[f"monitor-{size[0]}x{size[1]}"] = text(pilot)
            await pilot.resize_terminal(*SIZES[0])
            for name_of, key in SHEETS:
                await pilot.press("question_mark" if key == "?" else key)
                await drawn(pilot)
                found[name_of] = text(pilot)
                await pilot.press("escape")
            await _test_alert_under_way(pilot, bed, found)
            await _calibration_proposed(pilot, bed, found)
            for size in SIZES[:2]:
                # The beat of the largest is rebuilt by a network whose last digit is the machine's.
                await pilot.resize_terminal(*size)
                await pilot.press("r")
                await _until(pilot, lambda: _settled(pilot))
                found[f"review-{size[0]}x{size[1]}"] = text(pilot)
                await pilot.press("escape")
            await pilot.resize_terminal(60, 20)
            await drawn(pilot)
            found["too-small"] = text(pilot)
        found["monitor-ascii-80x24"] = await _in_ascii(bed)
        found |= await _inks(bed)
        return found


async def _test_alert_under_way(pilot: Pilot[None], bed: PaintedBed, found: dict[str, str]) -> None:
    await pilot.press("t")
    bed.hops += [
        Hop("t", bed.wall_us(), "queued", 1),
        Hop("t", bed.wall_us() + 40_000, "failed", 1, "no route"),
        Hop("t", bed.wall_us() + 950_000, "accepted", 1),
    ]
    await pilot.press("enter")
    await drawn(pilot)
    lines = text(pilot).splitlines()
    # Its id is another one each time.
    found["test-alert-sent"] = "\n".join(
        f"{line[: line.index('test ')]}test ID" if "test " in line and "Test" not in line else line
        for line in lines
    )
    await pilot.press("escape")


async def _calibration_proposed(pilot: Pilot[None], bed: PaintedBed, found: dict[str, str]) -> None:
    said = "340 beats, about 1 false alarms a day, 95 % found"
    bed.picture.apply(CalibrationChanged(bed.now_us, "proposed", said), bed.wall_us())
    await pilot.press("c")
    await drawn(pilot)
    found["calibrate-proposed"] = text(pilot)
    await pilot.press("escape")


async def _in_ascii(bed: PaintedBed) -> str:
    settings = ScreenSettings.model_validate({"glyphs": "ascii"})
    async with BedsideApp(bed.feed, settings=settings).run_test(size=SIZES[0]) as pilot:
        await drawn(pilot)
        return text(pilot)


async def _inks(bed: PaintedBed) -> dict[str, str]:
    """The colours of two themes: each style with the first words that have it."""
    found = {}
    for theme in ("night", "day"):
        app = BedsideApp(bed.feed, settings=ScreenSettings.model_validate({"theme": theme}))
        async with app.run_test(size=(100, 30)) as pilot:
            await drawn(pilot)
            seen: dict[str, str] = {}
            for strip in app.screen._compositor.render_strips():
                for segment in strip:
                    if segment.text.strip() and segment.style:
                        # The banner flashes by the clock.
                        style = "flashing" if "*** VE" in segment.text else str(segment.style)
                        seen.setdefault(style, segment.text.strip()[:30])
            found[f"colours-{theme}"] = "\n".join(
                f"{ink:<40} {words}" for ink, words in seen.items()
            )
    return found


def _settled(pilot: Pilot[None]) -> bool:
    screen = pilot.app.screen
    return isinstance(screen, ReviewScreen) and "A to B" in text(pilot) and "▾" in text(pilot)


async def _until(pilot: Pilot[None], seen: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + GIVE_UP_S
    while not seen():
        if time.monotonic() > give_up_s:
            raise TimeoutError(text(pilot))
        await pilot.pause(0.02)


def file_of(name: str) -> Path:
    """The file of a screen's picture."""
    return FOLDER / f"{name}.txt"


def as_stored(picture: str) -> str:
    """A picture as its file has it: without the blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


def main() -> None:
    """Draw them anew."""
    frozen_time()
    FOLDER.mkdir(exist_ok=True)
    for name, picture in asyncio.run(pictures()).items():
        path, new = file_of(name), as_stored(picture)
        if not path.exists() or path.read_text(encoding="utf-8") != new:
            path.write_text(new, encoding="utf-8")
            print(f"drew {path}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""The screen as a test sees it: opened, drawn, and read as text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from bedside.settings import ScreenSettings
from bedside.tui.app import BedsideApp
from bedside.tui.screens.monitor import MonitorScreen
from bedside.tui.screens.review import ReviewScreen
from bedside.tui.screens.sheet import Sheet
from bedside.tui.screens.ward import WardScreen
from tests.tui.painted_bed import PaintedBed


@asynccontextmanager
async def monitor(
    bed: PaintedBed, size: tuple[int, int] = (100, 30), glyphs: str = "braille"
) -> AsyncIterator[Pilot[None]]:
    """The screen after its first frame."""
    app = BedsideApp(bed.feed, settings=ScreenSettings.model_validate({"glyphs": glyphs}))
    async with app.run_test(size=size) as pilot:
        await drawn(pilot)
        yield pilot


async def drawn(pilot: Pilot[None]) -> None:
    """Have the monitor draw what it knows now, and wait until that is laid out."""
    await pilot.pause()
    for screen in pilot.app.screen_stack:
        if isinstance(screen, Sheet):
            screen.look()
        if isinstance(screen, ReviewScreen):
            screen.draw_live()
        if isinstance(screen, MonitorScreen | WardScreen):
            screen.draw_frame()
            screen.draw_numbers()
            await pilot.pause()
            screen.draw_numbers()
            screen.draw_frame()
    await pilot.pause()


def rows(pilot: Pilot[None]) -> list[str]:
    """The screen as text."""
    strips = pilot.app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def text(pilot: Pilot[None]) -> str:
    return "\n".join(rows(pilot))

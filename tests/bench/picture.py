"""A picture of the screen, drawn from the program itself: `python tests/bench/picture.py OUT.svg`.

Runs the demo (broker, node, station, screen; 80 s at most), waits until an alarm of `--wait-for` is
the most urgent one, presses the keys of `--press`, two seconds after each, and draws every cell of
the terminal as SVG: braille as dots, blocks and lines as shapes, so that no font is needed for
them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from xml.sax.saxutils import escape

from rich.segment import Segment
from textual.strip import Strip

from bedside.cli.options import log_nowhere
from bedside.demo import BED, Demo
from bedside.tui.app import BedsideApp
from bedside.tui.words import by_urgency

CELL_W, CELL_H = 9.0, 19.0
BACKGROUND, FOREGROUND = "#080b0d", "#d8e0e4"
GIVE_UP_S = 80.0
SETTLE_S = 2.0

# The arms of line characters: left, right, up, down.
_ARMS = {"─": "lr", "│": "ud", "━": "lr", "┃": "ud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu"}
_BLOCKS = {"█": (0.0, 1.0), "▀": (0.0, 0.5), "▄": (0.5, 1.0)}
_BRAILLE_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))


def svg(strips: list[Strip]) -> str:
    """The rows of a screen as an SVG document."""
    columns = max(strip.cell_length for strip in strips)
    width, height = columns * CELL_W + 24, len(strips) * CELL_H + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="14.5">',
        f'<rect width="{width:g}" height="{height:g}" rx="10" fill="{BACKGROUND}"/>',
        '<g transform="translate(12 12)">',
    ]
    for row, strip in enumerate(strips):
        column = 0
        for segment in strip:
            parts += _segment(segment, column * CELL_W, row * CELL_H)
            column += segment.cell_length
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _segment(segment: Segment, x: float, y: float) -> list[str]:
    style = segment.style
    ink, ground = FOREGROUND, BACKGROUND
    if style and style.color:
        ink = style.color.get_truecolor().hex
    if style and style.bgcolor:
        ground = style.bgcolor.get_truecolor().hex
    if style and style.reverse:
        ink, ground = ground, ink
    parts = []
    if ground != BACKGROUND:
        width = segment.cell_length * CELL_W
        parts.append(_rect(x, y, width, CELL_H, ground))
    bold = bool(style and style.bold)
    for index, character in enumerate(segment.text):
        if character != " ":
            parts.append(_cell(character, x + index * CELL_W, y, ink, bold))
    return parts


def _cell(character: str, x: float, y: float, ink: str, bold: bool) -> str:
    if "\u2800" < character <= "\u28ff":
        pattern = ord(character) - 0x2800
        dots = "".join(
            f"M{x + CELL_W * (0.25 + 0.5 * dot_x):.1f} {y + CELL_H * (0.125 + 0.25 * dot_y):.1f}h0"
            for bit, (dot_x, dot_y) in enumerate(_BRAILLE_DOTS)
            if pattern >> bit & 1
        )
        return f'<path d="{dots}" stroke="{ink}" stroke-width="3.4" stroke-linecap="round"/>'
    if character in _BLOCKS:
        top, bottom = _BLOCKS[character]
        return _rect(x, y + top * CELL_H, CELL_W + 0.3, (bottom - top) * CELL_H + 0.3, ink)
    if character == "▒":
        return _rect(x, y + CELL_H * 0.2, CELL_W, CELL_H * 0.6, ink, opacity=0.6)
    if character in _ARMS:
        return _lines(character, x, y, ink)
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x + CELL_W / 2:g}" y="{y + CELL_H * 0.74:g}" text-anchor="middle" '
        f'fill="{ink}"{weight}>{escape(character)}</text>'
    )


def _lines(character: str, x: float, y: float, ink: str) -> str:
    middle_x, middle_y = x + CELL_W / 2, y + CELL_H / 2
    ends = {
        "l": (x, middle_y),
        "r": (x + CELL_W, middle_y),
        "u": (middle_x, y),
        "d": (middle_x, y + CELL_H),
    }
    (from_x, from_y), (to_x, to_y) = (ends[arm] for arm in _ARMS[character])
    thick = 3 if character in "━┃" else 1.2
    return (
        f'<path d="M{from_x:g} {from_y:g}Q{middle_x:g} {middle_y:g} {to_x:g} {to_y:g}" '
        f'stroke="{ink}" stroke-width="{thick:g}" fill="none"/>'
    )


def _rect(x: float, y: float, width: float, height: float, ink: str, opacity: float = 1) -> str:
    faded = "" if opacity == 1 else f' opacity="{opacity:g}"'
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{ink}"{faded}/>'


async def draw(size: tuple[int, int], wait_for: str, keys: list[str]) -> str:
    """Run the demo and its screen until the alarm stands in the banner, press the keys; draw."""
    with Demo() as demo:
        feed = demo.station.feed("picture")
        app = BedsideApp(feed)
        async with app.run_test(size=size) as pilot:
            end = time.monotonic() + GIVE_UP_S
            since = None
            while since is None or time.monotonic() < since + SETTLE_S:
                await pilot.pause(0.1)
                first = [one.code for one in by_urgency(feed.snapshot(BED).instances)][:1]
                if first != [wait_for]:
                    since = None
                elif since is None:
                    since = time.monotonic()
                if time.monotonic() > end:
                    sys.exit(f"no {wait_for} stood in the banner within {GIVE_UP_S:g} s")
            for key in keys:
                await pilot.press(key)
                await pilot.pause(SETTLE_S)
            while not keys and app.screen.query_one("#banner").has_class("-dark"):
                await pilot.pause(0.05)
            return svg(app.screen._compositor.render_strips())


def main() -> None:
    """Parse, run, write."""
    log_nowhere()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="110x32")
    parser.add_argument("--wait-for", default="abnormal-beats")
    parser.add_argument("--press", nargs="*", default=[], help="keys that open another screen")
    options = parser.parse_args()
    columns, rows = (int(number) for number in options.size.split("x"))
    picture = asyncio.run(draw((columns, rows), options.wait_for, options.press))
    options.out.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()

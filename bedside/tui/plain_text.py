"""Text for a terminal that knows no UTF-8: every character becomes one of ASCII."""

from __future__ import annotations

import sys

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_LIKE = {
    **dict.fromkeys("─━┄╌═▔▁", "-"),
    **dict.fromkeys("│┃┊║▏▕", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝", "+"),
    **dict.fromkeys("█▀▄▌▐▒░", "#"),
    "·": ".",
    "…": "~",
    "–": "-",
    "−": "-",
    "×": "x",
    "≈": "~",
    "≥": ">",
    "≤": "<",
    "♥": "*",
    "●": "+",
    "○": "?",
    "✗": "x",
    "▾": "v",
    "▶": ">",
    "←": "<",
    "→": ">",
    "↑": "^",
    "↓": "v",
    "µ": "u",
    "²": "2",
}
_TABLE = {ord(character): like for character, like in _LIKE.items()}


class AsciiFilter(LineFilter):
    """Puts the nearest ASCII character in the place of any other; one cell stays one cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII."""
        return [
            Segment(ascii_text(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def ascii_text(text: str) -> str:
    """`text` in ASCII, of the same length."""
    if text.isascii():
        return text
    return text.translate(_TABLE).encode("ascii", "replace").decode("ascii")


def terminal_knows_utf8() -> bool:
    """Whether what this process writes to its terminal is UTF-8 (Textual writes to stderr)."""
    encoding = getattr(sys.__stderr__, "encoding", None) or "ascii"
    return encoding.lower().replace("-", "") in ("utf8", "utf8sig")

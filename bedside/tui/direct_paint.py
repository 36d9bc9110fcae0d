"""Cells of one widget written to the terminal past the compositor.

The compositor renders every widget whose container touches a changed cell, some 3 ms a frame; the
trace changes 30 times a second and knows its cells. The terminal's order is kept, since all that
is written goes through the driver's one queue, and a repaint by the compositor draws the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

Cells = tuple[int, int, str, Style]
"""Column and row within the widget, text, and its style."""

_PROBE = "x"


class DirectPaint:
    """Writes cells of a widget while nothing can lie over it: on the top screen of a terminal."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._escapes: dict[Style, tuple[str, str]] = {}

    @property
    def possible(self) -> bool:
        """Whether cells may be written now; if not, `refresh` the widget."""
        widget = self._widget
        return (
            not widget.app.is_headless
            and widget.app._driver is not None
            # Textual calls a screen under a sheet current, too.
            and widget.app.screen is widget.screen
            and not widget.app.is_inline
            and widget.screen.region.contains_region(widget.region)
        )

    def forget_styles(self) -> None:
        """The theme has changed."""
        self._escapes.clear()

    def write(self, cells: Iterable[Cells]) -> None:
        """Write them at once."""
        left, top = self._widget.region.offset
        parts, rows = [], set()
        for column, row, text, style in cells:
            rows.add(row)
            before, after = self._escape(style)
            parts.append(f"\x1b[{top + row + 1};{left + column + 1}H{before}{text}{after}")
        # Textual keeps each row as it was rendered last, and would repaint it so.
        self._widget._styles_cache.set_dirty(*(Region(0, row, 1, 1) for row in rows))
        driver = self._widget.app._driver
        if parts and driver is not None:
            driver.write("".join(parts))

    def _escape(self, style: Style) -> tuple[str, str]:
        """What the terminal hears before and after text of a style, as Textual would say it."""
        known = self._escapes.get(style)
        if known is None:
            app = self._widget.app
            strip = Strip([Segment(_PROBE, style)], 1)
            background = self._widget.background_colors[1]
            for line_filter in app.get_line_filters():
                strip = strip.apply_filter(line_filter, background)
            before, _, after = strip.render(app.console).partition(_PROBE)
            known = self._escapes[style] = (before, after)
        return known

"""How many millimetres of screen stand for a second and for a millivolt, as on ECG paper."""

from __future__ import annotations

from dataclasses import dataclass, replace

SPEEDS_MM_S = (12.5, 25.0, 50.0)
GAINS_MM_MV = (0.0, 5.0, 10.0, 20.0)
"""0 is automatic: as large as the trace allows."""

BOX_MM = 5.0
"""The graticule's dots stand this far apart: 0.2 s at 25 mm/s."""

USUAL_SPEED_MM_S = 25.0
CELL_HEIGHTS_PER_WIDTH = 2.0


@dataclass(frozen=True, slots=True)
class Paper:
    """Speed and gain of the trace, and what a cell of the terminal measures.

    `width_mm` is the width of the whole terminal on the glass, `height_mm` its height; 0 is not
    measured. Without a width, `sweep_s` seconds at 25 mm/s fill the trace: lengths then keep their
    proportions, but are true on no ruler. Without a height, a cell is twice as high as wide.
    """

    speed_mm_s: float = USUAL_SPEED_MM_S
    gain_mm_mv: float = 0.0
    width_mm: float = 0.0
    height_mm: float = 0.0
    sweep_s: float = 6.0

    @property
    def is_true(self) -> bool:
        """Whether a millimetre is one on the glass."""
        return self.width_mm > 0

    def cell_width_mm(self, terminal_columns: int, trace_columns: int) -> float:
        """The width of a cell."""
        if self.is_true:
            return self.width_mm / max(1, terminal_columns)
        return self.sweep_s * USUAL_SPEED_MM_S / max(1, trace_columns)

    def cell_height_mm(self, terminal_rows: int, cell_width_mm: float) -> float:
        """The height of a cell."""
        if self.is_true and self.height_mm > 0:
            return self.height_mm / max(1, terminal_rows)
        return CELL_HEIGHTS_PER_WIDTH * cell_width_mm

    def next_speed(self) -> Paper:
        """The next of the usual speeds."""
        return replace(self, speed_mm_s=_after(SPEEDS_MM_S, self.speed_mm_s))

    def next_gain(self) -> Paper:
        """The next of the usual gains."""
        return replace(self, gain_mm_mv=_after(GAINS_MM_MV, self.gain_mm_mv))


def _after(values: tuple[float, ...], value: float) -> float:
    """The value after this one, going around; the first for a value that is none of them."""
    if value not in values:
        return values[0]
    return values[(values.index(value) + 1) % len(values)]

"""The peer of `sweep.py`: the same samples through textual-plotext's PlotextPlot (plotext 5).

Runs in an environment of its own: `python plotext_peer.py REPORT SAMPLES.npy SECONDS`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from textual.app import App, ComposeResult
from textual_plotext import PlotextPlot

RATE_HZ = 250
FRAMES_PER_S = 30


class Peer(App[None]):
    """One plot as large as the terminal, drawn anew 30 times a second."""

    def __init__(self, report: Path, samples_mv: np.ndarray, seconds: float) -> None:
        super().__init__()
        self._report = report
        self._samples = samples_mv
        self._seconds = seconds
        self._frames: list[tuple[float, float]] = []

    def compose(self) -> ComposeResult:
        """The plot."""
        yield PlotextPlot()

    def on_mount(self) -> None:
        """Start the pace and the end."""
        self._across = 6 * RATE_HZ
        self._started_s = time.monotonic()
        self.set_interval(1 / FRAMES_PER_S, self._frame)
        self.set_timer(self._seconds, self._finish)

    def _frame(self) -> None:
        plot = self.query_one(PlotextPlot)
        end = int((time.monotonic() - self._started_s) * RATE_HZ) % len(self._samples)
        shown = np.roll(self._samples, -end)[: self._across]
        plot.plt.clear_data()
        plot.plt.plot(shown.tolist(), marker="braille")
        plot.refresh()
        self._frames.append((time.monotonic(), time.process_time()))

    def _finish(self) -> None:
        self._report.write_text(json.dumps(self._frames))
        self.exit()


if __name__ == "__main__":
    Peer(Path(sys.argv[1]), np.load(sys.argv[2]), float(sys.argv[3])).run()

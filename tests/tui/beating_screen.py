"""A program for tests in a terminal: the screen of a painted bed.

`python beating_screen.py S [STOPPED]`: its heart beats for S seconds, and then nothing moves any
more, not even the bed's clock; the file STOPPED then says so.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bedside.tui.app import BedsideApp
from tests.tui.painted_bed import PIECE_S, PaintedBed


def main() -> None:
    """Beat in a thread, show in this one."""
    bed = PaintedBed()
    bed.play(10)
    end_s = time.monotonic() + float(sys.argv[1])

    def beat() -> None:
        while time.monotonic() < end_s:
            time.sleep(PIECE_S)
            bed.play(PIECE_S)
        for name in sys.argv[2:]:
            Path(name).touch()

    threading.Thread(target=beat, daemon=True).start()
    BedsideApp(bed.feed).run()


if __name__ == "__main__":
    main()

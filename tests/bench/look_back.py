"""What a start and a look back cost: `python -m tests.bench.look_back [--hours 72]`.

Records a bed of so many hours as fast as it goes, with a beat a second, and then times, each in a
process of its own whose start is not counted: a station's recorder that begins after a clean end,
after a kill, and with every seal missing; and an archive that shows the trend of it all, a second
time, and a strip.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bedside.events import BeatClass
from bedside.recording import staging
from bedside.recording.beats import BeatNote, RecordedBeat
from bedside.recording.journal import RECORD_BYTES
from bedside.recording.recorder import Recorder
from tests.recording.batches import BOOT, WALL_US, a_signal

RATE_HZ = 250
SYNC_EVERY_S = 20

_START = """
import sys, time
from pathlib import Path
from bedside.recording.recorder import Recorder
began = time.perf_counter()
stored = Recorder(Path(sys.argv[1]) / "recordings").stored("bed-1")
print(f"{time.perf_counter() - began:.3f} s", sum(b - a + 1 for r in stored.values() for a, b in r))
"""
_LOOK = """
import sys, time
from pathlib import Path
from bedside.recording.archive import Archive
from_us, to_us = int(sys.argv[2]), int(sys.argv[3])
archive = Archive(Path(sys.argv[1]))
for what in ("trend", "trend again", "strip of 60 s"):
    began = time.perf_counter()
    if what.startswith("trend"):
        archive.trend("bed-1", from_us, to_us)
    else:
        archive.read("bed-1", to_us - 3_600_000_000, to_us - 3_540_000_000)
    print(f"{what}: {time.perf_counter() - began:.3f} s", end="; ")
print()
"""


def record(folder: Path, hours: float) -> None:
    """A bed with so many hours, ended cleanly."""
    recorder = Recorder(folder / "recordings", keep_h=10 * hours)
    for batch in a_signal(hours * 3600, rate_hz=RATE_HZ):
        recorder.write(batch)
        beat = RecordedBeat(BOOT, batch.first_sample + 20, BeatClass.NORMAL, 0.5)
        recorder.note(BeatNote("bed-1", beat))
        if batch.sequence % SYNC_EVERY_S == SYNC_EVERY_S - 1:
            recorder.sync(0.0, at_once=True)
    recorder.sync(0.0, at_once=True)
    recorder.close()


def unseal(folder: Path, newest: int) -> None:
    """Take the seal of the newest segments: what a kill leaves."""
    for path in sorted((folder / "recordings" / "bed-1").glob("*.idx"))[-newest:]:
        os.truncate(path, path.stat().st_size - RECORD_BYTES)


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=72.0)
    hours = parser.parse_args().hours
    with tempfile.TemporaryDirectory() as name:
        staging.MEMORY = Path(name)
        # What is timed is the reading: syncs of the making would only wait.
        os.fdatasync = lambda descriptor: None  # type: ignore[assignment]
        folder = Path(name) / "data"
        record(folder, hours)
        journals = sum(path.stat().st_size for path in folder.rglob("*.idx"))
        print(
            f"{hours:g} h recorded; journals with beats: {journals / hours * 24 / 1e6:.2f} MB a day"
        )
        print("look back:", run(_LOOK, folder, WALL_US, WALL_US + round(hours * 3.6e9)))
        print("start after a clean end:", run(_START, folder))
        for what, newest in (("a kill", 1), ("a kill that took every seal", 10_000)):
            copy = Path(name) / "copy"
            shutil.copytree(folder, copy)
            unseal(copy, newest)
            print(f"start after {what}:", run(_START, copy))
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(copy)


if __name__ == "__main__":
    main()

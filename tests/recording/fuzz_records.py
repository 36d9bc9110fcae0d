"""Damages recordings in every way: `python -m tests.recording.fuzz_records --seconds 600`.

Each round takes the files of a small recording (journals, samples, headers, strips, what was
staged), changes some at random (bytes, lengths, whole files, other files' content, records that
are wrong and vouched for), and then starts a recorder on them, goes on recording, and lets the
archive read, export and list all of it. Whatever is damaged may be missing afterwards; nothing else
than the program's own sentences may come of it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import random
import resource
import shutil
import tempfile
import time
import zlib
from pathlib import Path

from bedside.errors import BedsideError
from bedside.events import BeatClass, Flags
from bedside.recording import bed_file, deletion, staging
from bedside.recording.archive import Archive
from bedside.recording.beats import BeatNote, RecordedBeat, StripNote
from bedside.recording.export import formats
from bedside.recording.export.piece import pieces
from bedside.recording.recorder import Recorder
from bedside.recording.retention import save_strips
from tests.recording.batches import BOOT, a_batch, a_signal

RATE_HZ = 10
LEAST_ROUNDS = 12


def build(place: Path) -> None:
    """A recording with two signals, a strip, beats, and a batch that waits for its sync."""
    recorder = Recorder(place / "recordings", keep_h=1)
    for batch in a_signal(30, from_s=3580, rate_hz=RATE_HZ):
        recorder.write(batch)
    recorder.note(StripNote("bed-1", BOOT, 3600 * RATE_HZ, 2.0))
    for second in range(3580, 3605):
        beat = RecordedBeat(BOOT, second * RATE_HZ, BeatClass.NORMAL, 0.5)
        recorder.note(BeatNote("bed-1", beat))
    recorder.sync(0.0, at_once=True)
    for hour in range(2, 6):
        recorder.sync(3600.0 * hour, at_once=True)
        for batch in a_signal(300, from_s=3600 * hour, rate_hz=RATE_HZ):
            recorder.write(batch)
        recorder.sync(3600.0 * hour, at_once=True)
    recorder.write(a_batch(0, 0, [1] * 10, boot_id=7, nv_per_lsb=1000))
    recorder.sync(0.0, at_once=True)
    recorder.write(a_batch(1, 10, [2] * 10, boot_id=7, nv_per_lsb=1000))
    for node in recorder._nodes.values():
        for segment in node.open.values():
            segment.close()
        node.open.clear()
    recorder._staging._end = recorder._staging._end or 1
    recorder.close()
    save_strips("bed-1", place / "recordings" / "bed-1" / "0bedbeef_0000")
    (place / "alarms.sqlite").write_bytes(b"")
    (place / "bed.json").write_text('{"state": "admitted", "session": "s", "baseline": null}')


def damage(chance: random.Random, files: list[Path]) -> None:
    """Change one file."""
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    match chance.randrange(9):
        case 0 if content:
            for _ in range(chance.choice((1, 1, 4, 64))):
                content[chance.randrange(len(content))] = chance.randrange(256)
        case 1:
            del content[chance.randrange(len(content) + 1) :]
        case 2:
            content += chance.randbytes(chance.randrange(200))
        case 3 if content:
            first = chance.randrange(len(content))
            length = chance.randrange(1, 5000)
            content[first : first + length] = bytes(len(content[first : first + length]))
        case 4:
            content = bytearray(chance.choice(files).read_bytes())
        case 5:
            path.unlink()
            return
        case 7 | 8 if path.suffix == ".idx" and len(content) >= 44:
            # The worst: a record that is wrong and vouched for.
            record = 44 * chance.randrange(len(content.rstrip(b"\0")) // 44)
            for _ in range(chance.choice((1, 2, 8))):
                content[record + chance.randrange(40)] = chance.choice((0, 1, 127, 255))
            crc = zlib.crc32(content[record : record + 40])
            content[record + 40 : record + 44] = crc.to_bytes(4, "little")
        case _ if len(content) > 88:
            # Records change places: each is intact by itself, and in the wrong place.
            record = 44 * chance.randrange(len(content) // 44)
            other = 44 * chance.randrange(len(content) // 44)
            content[record : record + 44] = content[other : other + 44]
        case _:
            pass
    path.write_bytes(content)


def round_of(place: Path, chance: random.Random) -> None:
    """Damage a recording and use it."""
    files = [path for path in place.rglob("*") if path.is_file() and path.name != ".lock"]
    for _ in range(chance.choice((1, 1, 2, 5))):
        damage(chance, [path for path in files if path.exists()])
    with contextlib.suppress(BedsideError):
        bed_file.load(place / "bed.json")
    archive = Archive(place)
    with contextlib.suppress(BedsideError):
        use(archive, place)
    with (
        contextlib.suppress(BedsideError),
        contextlib.closing(Recorder(place / "recordings", keep_h=1)) as recorder,
    ):
        recorder.stored("bed-1")
        for batch in a_signal(3, from_s=18_300, rate_hz=RATE_HZ):
            recorder.write(batch)
        for batch in a_signal(3, from_s=21_600, rate_hz=RATE_HZ, flags=Flags(0)):
            recorder.write(batch)
        recorder.sync(0.0, at_once=True)
    with contextlib.suppress(BedsideError):
        use(archive, place)
    for doomed in deletion.doomed(place / "recordings", "bed-1", 0, 2**60, strips=True):
        assert doomed.size_bytes >= 0


def use(archive: Archive, place: Path) -> None:
    """All that a reader does; a damaged file may cost it a sentence."""
    for bed in archive.beds():
        spans = archive.spans(bed)
        if spans:
            begin_us = spans[0].from_wall_us
            archive.trend(bed, begin_us, begin_us + 600_000_000)
        for piece, _ in pieces(archive, bed, 0, 2**60):
            formats.write("wfdb", piece, place / "out")
            break
        archive.events(bed)


def fuzz(seconds: float, seed: int) -> int:
    """Rounds for so many seconds, and a dozen however slow the machine is; how many there were.

    Raises what should never be raised.
    """
    logging.disable(logging.CRITICAL)
    rounds = 0
    kept = staging.MEMORY
    try:
        with tempfile.TemporaryDirectory() as name:
            original, copy = Path(name) / "original", Path(name) / "copy"
            staging.MEMORY = copy
            copy.mkdir()
            build(copy)
            shutil.copytree(copy, original)
            until_s = time.monotonic() + seconds
            while time.monotonic() < until_s or rounds < LEAST_ROUNDS:
                shutil.rmtree(copy)
                shutil.copytree(original, copy)
                try:
                    round_of(copy, random.Random(seed + rounds))
                except BaseException:
                    print(f"seed {seed + rounds}")
                    raise
                rounds += 1
    finally:
        staging.MEMORY = kept
        logging.disable(logging.NOTSET)
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fuzz(5.0, options.seed)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rounds = fuzz(options.seconds, options.seed)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    print(
        f"{rounds} rounds in {options.seconds:.0f} s, no crash, grown by {grown_kb / 1000:.1f} MB"
    )


if __name__ == "__main__":
    main()

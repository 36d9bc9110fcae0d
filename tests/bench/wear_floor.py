"""What a sync costs at the least: `python -m tests.bench.wear_floor [--syncs 12] [--every 10]`.

One block of a file, all of whose blocks are written already, is overwritten in place and synced: no
file grows, no block is taken, only the time of the file's last change is new. Counted at the block
layer, on an ext4 with the usual mount options and on one with `lazytime`. Needs root.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from tests.loop_disk import BLOCK_BYTES, LoopDisk

BLOCKS = 256
SETTLE_S = 40.0


def measure(place: Path, options: str, syncs: int, every_s: float) -> float:
    """Bytes that reach the device for each sync."""
    with LoopDisk(place, megabytes=200, options=options) as disk:
        file = os.open(disk.folder / "file", os.O_RDWR | os.O_CREAT)
        os.write(file, bytes(BLOCKS * BLOCK_BYTES))
        os.fsync(file)
        time.sleep(SETTLE_S)
        before = disk.written_bytes()
        for number in range(syncs):
            os.pwrite(file, os.urandom(BLOCK_BYTES), number % BLOCKS * BLOCK_BYTES)
            os.fdatasync(file)
            time.sleep(every_s)
        written = disk.written_bytes() - before
        os.close(file)
    return written / syncs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--syncs", type=int, default=12)
    parser.add_argument("--every", type=float, default=10.0)
    wanted = parser.parse_args()
    for options in ("", "lazytime"):
        with tempfile.TemporaryDirectory() as place:
            each = measure(Path(place) / "disk", options, wanted.syncs, wanted.every)
        print(
            f"{options or 'usual options'}: {each / BLOCK_BYTES:.1f} blocks a sync, "
            f"{each / wanted.every * 86400 / 1e6:.0f} MB a day",
            flush=True,
        )


if __name__ == "__main__":
    main()

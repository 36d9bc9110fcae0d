"""A disk of its own: ext4 in a file behind a loop device, whose writes are counted and whose power
can fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

import pytest

BLOCK_BYTES = 4096
"""The block size of a file system on any card of today; small images would get 1 kB."""


class LoopDisk:
    """An ext4 file system at `folder`; skips the test where there is no right or device for it."""

    def __init__(
        self, place: Path, megabytes: int = 0, image: Path | None = None, options: str = ""
    ) -> None:
        """An empty disk of so many megabytes, or the one in `image`; `options` of its mount."""
        self.folder = place / "mounted"
        self.image = image or place / "disk.img"
        self._megabytes = megabytes
        self._options = ",".join(filter(None, ("loop", options)))
        if os.getuid() != 0 or shutil.which("mkfs.ext4") is None or not Path("/dev/loop0").exists():
            pytest.skip("needs root and a loop device")
        place.mkdir(exist_ok=True)
        self.folder.mkdir()

    def __enter__(self) -> LoopDisk:
        if self._megabytes:
            with self.image.open("wb") as file:
                file.truncate(self._megabytes * 1_000_000)
            lazy = "lazy_itable_init=0,lazy_journal_init=0"
            _run("mkfs.ext4", "-q", "-b", str(BLOCK_BYTES), "-E", lazy, str(self.image))
        try:
            _run("mount", "-o", self._options, str(self.image), str(self.folder))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"cannot mount: {error.stderr}")
        device = _run("findmnt", "-no", "SOURCE", str(self.folder)).strip()
        self._counters = Path("/sys/block") / Path(device).name / "stat"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _run("umount", str(self.folder))

    def written_bytes(self) -> int:
        """Bytes written to the device since it was made, the file system's own among them."""
        return int(self._counters.read_text().split()[6]) * 512

    def power_cut(self, place: Path) -> LoopDisk:
        """The disk as it would be found, had the power failed now: what reached the device."""
        place.mkdir()
        copy = place / "disk.img"
        while True:
            before = self._counters.read_text().split()[4:7]
            shutil.copyfile(self.image, copy)
            if self._counters.read_text().split()[4:7] == before:
                return LoopDisk(place, image=copy)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

"""Power cuts in the middle of a recording: what was acknowledged is there."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bedside.recording import staging
from bedside.recording.archive import Archive
from bedside.recording.recorder import Recorder
from tests.loop_disk import LoopDisk
from tests.recording.batches import BOOT, a_signal

SPEED = 10.0
BED = "bed-1"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with LoopDisk(tmp_path / "disk", megabytes=64) as disk:
        yield disk


def test_after_a_power_cut_all_that_was_acknowledged_is_there_and_opens_in_wfdb(
    disk: LoopDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wfdb = pytest.importorskip("wfdb", reason="needs the extra records")
    monkeypatch.setattr(staging, "MEMORY", tmp_path)
    chance = random.Random(20)
    acknowledged = -1
    batches = list(a_signal(200, from_s=3500))
    cuts = sorted(chance.sample(range(len(batches)), 6))
    recorder = Recorder(disk.folder / "recordings")
    for number, batch in enumerate(batches):
        recorder.write(batch)
        if chance.random() < 0.2:
            for (_, _), ranges in recorder.sync(0.0, at_once=True).items():
                acknowledged = max(acknowledged, ranges[-1][1])
        if number not in cuts:
            continue
        (tmp_path / f"no memory {number}").mkdir()
        monkeypatch.setattr(staging, "MEMORY", tmp_path / f"no memory {number}")
        with disk.power_cut(tmp_path / f"cut {number}") as found:
            folder = found.folder / "recordings"
            with contextlib.closing(Recorder(folder)) as again:
                stored = again.stored(BED).get(BOOT, [])
                assert stored == ([(3500, acknowledged)] if acknowledged >= 0 else [])
            for header in (folder / BED).glob("*.hea") if (folder / BED).exists() else ():
                wfdb.rdrecord(str(header.with_suffix("")))
            stretches = Archive(found.folder).read(BED, 0, 2**60)
            got = [stretch.samples_mv for stretch in stretches]
            samples = np.arange(350_000, 100 * (acknowledged + 1)) % 1000
            assert (np.concatenate(got) if got else np.empty(0)) == pytest.approx(samples * 0.012)
    recorder.close()

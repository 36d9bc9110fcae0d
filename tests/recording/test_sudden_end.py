"""A recorder that ends without warning, anywhere: nothing that it took is lost."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.recording import staging
from bedside.recording.archive import Archive
from bedside.recording.beats import BeatNote, RecordedBeat, StripNote
from bedside.recording.recorder import Recorder
from tests.recording.batches import BOOT, WALL_US, a_batch


class Killed(BaseException):
    """What a SIGKILL leaves of a call to the system: it, or a part of it, never happened."""


CALLS = ("pwrite", "fdatasync", "ftruncate", "fsync", "replace", "unlink")


@contextlib.contextmanager
def killed_at_call(number: int, share: float) -> Iterator[None]:
    """The process ends at its `number`th call that changes a file; a write gets `share` done."""
    calls = 0
    kept = {name: getattr(os, name) for name in CALLS}

    def counted(name: str) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls > number:
                if calls == number + 1 and name == "pwrite":
                    descriptor, data, offset = arguments
                    kept["pwrite"](descriptor, data[: int(share * len(data))], offset)  # type: ignore[index,arg-type]
                raise Killed
            return kept[name](*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, counted(name))
        yield


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_kill_at_any_call_to_the_system_loses_no_batch_that_was_taken(
    data: st.DataObject,
) -> None:
    number = data.draw(st.integers(0, 60), "calls before the kill")
    share = data.draw(st.floats(0, 1), "share of the last write")
    base = data.draw(st.sampled_from([0, 3600 * 100 - 90]), "first sample")
    steps = data.draw(
        st.lists(st.sampled_from(["batch", "gap", "beat", "alarm", "sync"]), max_size=30), "steps"
    )
    with (
        tempfile.TemporaryDirectory() as place,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(staging, "MEMORY", Path(place))
        folder = Path(place) / "recordings"
        recorder = Recorder(folder)
        taken: dict[int, np.ndarray] = {}
        sequence = 0
        with contextlib.suppress(Killed), killed_at_call(number, share):
            for step in steps:
                first = base + 30 * sequence
                if step == "sync":
                    recorder.sync(0.0, at_once=True)
                elif step == "beat":
                    recorder.note(BeatNote("bed-1", RecordedBeat(BOOT, max(0, first - 20), "N")))  # type: ignore[arg-type]
                elif step == "alarm":
                    recorder.note(StripNote("bed-1", BOOT, first, 1.0))
                elif step == "batch":
                    samples = np.arange(30) + 100 * sequence
                    recorder.write(a_batch(sequence, first, samples, flags=4, wall_us=WALL_US))
                    taken[sequence] = samples
                sequence += step in ("batch", "gap")
        _abandon(recorder)
        with contextlib.closing(Recorder(folder)) as again:
            ranges = again.stored("bed-1").get(BOOT, [])
            stored = {n for a, b in ranges for n in range(a, b + 1)}
            assert taken.keys() <= stored
        found = np.full(base + 30 * (sequence + 1), np.nan)
        for stretch in Archive(Path(place)).read("bed-1", 0, 2**60):
            end = stretch.first_sample + len(stretch.samples_mv)
            found[stretch.first_sample : end] = stretch.samples_mv
        for number, samples in taken.items():
            part = found[base + 30 * number : base + 30 * (number + 1)]
            np.testing.assert_allclose(part, samples * 0.012)


def _abandon(recorder: Recorder) -> None:
    """Let go of the files as the kernel does for a killed process: nothing is written any more."""
    for node in recorder._nodes.values():
        for segment in node.open.values():
            segment.close()
    os.close(recorder._lock)
    assert recorder._staging._file is not None
    os.close(recorder._staging._file)

"""The last seconds that lie on disk of a node, as batches, for a station that starts."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from bedside.events import Batch, Flags
from bedside.recording.journal import Records
from bedside.recording.runs import INVALID_SAMPLE
from bedside.recording.stored_segment import StoredSegment

PIECE_S = 0.2
"""A node's usual batch; the journal does not say how long each one was."""

_HOUR = re.compile(r"[0-9a-f]{8}_(\d{4,})(?:_(\d+))?")

_log = logging.getLogger(__name__)


def newest(node: str, folder: Path, boot_id: int, seconds: float) -> list[Batch]:
    """At most so many seconds, oldest first, each batch joined on to the one before it.

    They end with the newest sample of the boot's newest hour, and do not reach back beyond that
    hour, a gap, or a damaged stretch; a file that cannot be read has none.
    """
    hours = {
        (int(named[1]), int(named[2] or 1)): path
        for path in folder.glob(f"{boot_id:08x}_*.idx")
        if (named := _HOUR.fullmatch(path.stem))
    }
    if not hours:
        return []
    path = hours[max(hours)]
    try:
        stored = StoredSegment.open(path.with_suffix(""))
        return [] if stored is None else _last(node, stored, seconds)
    except OSError as error:
        _log.warning("%s cannot be read (%s): check the disk", path, error.strerror)
        return []


def _last(node: str, stored: StoredSegment, seconds: float) -> list[Batch]:
    rows = np.sort(stored.journal.rows, order="first_sample")
    form = stored.format
    found: list[Batch] = []
    for row in reversed(rows):
        first = max(int(row["first_sample"]), form.start_sample)
        end = min(int(row["first_sample"]) + int(row["count"]), form.end_sample)
        if found and (
            end != found[0].first_sample or found[-1].end_sample - end >= seconds * form.rate_hz
        ):
            break
        batches = _batches(node, stored, row, first, end)
        if not batches:
            break
        found = batches + found
    begin = found[-1].end_sample - seconds * form.rate_hz if found else 0
    return [batch for batch in found if batch.end_sample > begin]


def _batches(node: str, stored: StoredSegment, row: Records, first: int, end: int) -> list[Batch]:
    """A row's samples `first` up to `end`; none where any is missing."""
    samples = stored.samples(first, end)
    if (samples == INVALID_SAMPLE).any():
        return []
    begin, rate_mhz, wall_us = (int(row[name]) for name in ("first_sample", "rate_mhz", "wall_us"))
    piece = round(PIECE_S * stored.format.rate_hz)
    return [
        Batch(
            node=node,
            flags=Flags(int(row["flags"])),
            boot_id=stored.format.boot_id,
            sequence=int(row["sequence"]),
            first_sample=at,
            wall_us=wall_us + round((at - begin) * 1e9 / rate_mhz) if wall_us else 0,
            rate_mhz=rate_mhz,
            nv_per_lsb=stored.format.nv_per_lsb,
            dropped=0,
            lowest_held=0,
            samples=samples[at - first : at - first + piece],
        )
        for at in range(first, end, piece)
    ]

"""Records that tests make or find, and the batches a node would send of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import bedside
from bedside.events import Batch, Flags, Float64Array

NO_FLAGS = Flags(0)
BUNDLED = Path(bedside.__file__).parent / "simulator" / "records" / "208"


def batches(
    samples_mv: Float64Array,
    *,
    rate_hz: float = 250.0,
    piece: int = 50,
    first_sample: int = 0,
    first_sequence: int = 0,
    boot_id: int = 7,
    node: str = "bed-1",
    flags: Flags = NO_FLAGS,
    start_us: int = 0,
) -> Iterator[Batch]:
    """The samples as batches of `piece`, 1 µV a step, each stamped when its last sample is in."""
    for number, start in enumerate(range(0, len(samples_mv), piece)):
        part = np.round(samples_mv[start : start + piece] * 1000).astype(np.int16)
        yield Batch(
            node=node,
            flags=flags,
            boot_id=boot_id,
            sequence=first_sequence + number,
            first_sample=first_sample + start,
            wall_us=0,
            rate_mhz=round(rate_hz * 1000),
            nv_per_lsb=1000,
            dropped=0,
            lowest_held=0,
            samples=part,
            at_us=start_us + round((start + len(part)) / rate_hz * 1e6),
        )

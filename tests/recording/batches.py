"""Batches of a node for the tests of its recording."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bedside.events import Batch, Flags

BOOT = 0x0BEDBEEF
WALL_US = 1_760_000_000_000_000


def a_batch(
    sequence: int,
    first_sample: int,
    samples: list[int] | np.ndarray,
    *,
    node: str = "bed-1",
    boot_id: int = BOOT,
    rate_mhz: int = 100_000,
    nv_per_lsb: int = 12_000,
    flags: int = 0,
    wall_us: int = 0,
) -> Batch:
    return Batch(
        node=node,
        flags=Flags(flags),
        boot_id=boot_id,
        sequence=sequence,
        first_sample=first_sample,
        wall_us=wall_us,
        rate_mhz=rate_mhz,
        nv_per_lsb=nv_per_lsb,
        dropped=0,
        lowest_held=0,
        samples=np.asarray(samples, np.int16),
    )


def a_signal(
    seconds: float,
    *,
    from_s: float = 0.0,
    batch_s: int = 1,
    rate_hz: int = 100,
    flags: int = Flags.CLOCK_SYNCED,
    node: str = "bed-1",
    boot_id: int = BOOT,
) -> Iterator[Batch]:
    """Batches of `batch_s` whose samples are their own index, modulo 1000.

    The clock began at WALL_US.
    """
    for second in range(round(from_s), round(from_s + seconds), batch_s):
        first = second * rate_hz
        yield a_batch(
            second // batch_s,
            first,
            np.arange(first, first + batch_s * rate_hz) % 1000,
            node=node,
            boot_id=boot_id,
            rate_mhz=rate_hz * 1000,
            flags=flags,
            wall_us=WALL_US + second * 1_000_000 if flags & Flags.CLOCK_SYNCED else 0,
        )

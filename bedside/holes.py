"""What was not received between two batches, and how much of it the trace shows."""

from __future__ import annotations

from bedside.events import WINDOW_RATE_HZ, Batch, Gap

SHOWN_GAP_S = 10.0
"""The longest hole that a gap leaves in the positions of the trace."""

NEW_BOOT_S = 1.0
"""How long a node was away that has started anew is not known: so much is shown."""


def hole(before: Batch | None, batch: Batch) -> Gap | None:
    """What is missing between a batch and the one before it, None where they join."""
    if before is None:
        return None
    if batch.boot_id != before.boot_id:
        return Gap(batch.at_us, batch.first_sample, batch.first_sample, batch.boot_id, True)
    if batch.first_sample != before.end_sample:
        return Gap(batch.at_us, before.end_sample, batch.first_sample, batch.boot_id)
    return None


def shown_samples(gap: Gap, rate_hz: float) -> int:
    """How many positions of the trace, at 250 Hz, a gap at the source's rate leaves empty."""
    lost_s = (gap.to_sample - gap.from_sample) / rate_hz
    shown_s = NEW_BOOT_S if gap.new_boot else min(max(lost_s, 0.0), SHOWN_GAP_S)
    return round(shown_s * WINDOW_RATE_HZ)

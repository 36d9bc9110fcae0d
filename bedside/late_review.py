"""Samples that came late: looked through apart from the live signal, never sounded as now."""

from __future__ import annotations

from dataclasses import replace

from bedside.anomaly.scoring import ModelFacts
from bedside.events import (
    AlarmChanged,
    AlarmState,
    Batch,
    BedState,
    FoundLate,
    Priority,
)
from bedside.limits import Limits
from bedside.monitor import Monitor


class LateReview:
    """A monitor of its own for the replayed batches of one bed.

    It counts time by the node's samples, since the moment at which a late batch arrives says
    nothing. Only findings of high priority come out.
    """

    def __init__(self, bed: str, model: ModelFacts, limits: Limits) -> None:
        """Begin with nothing heard."""
        self._monitor = Monitor(bed, model, limits, state=BedState.ADMITTED, session="late")

    def heard(self, batch: Batch) -> list[FoundLate]:
        """Take a late batch; what would have alarmed, had it come in time."""
        end_us = round(batch.end_sample / batch.rate_hz * 1e6)
        found = []
        for event in self._monitor.step(replace(batch, at_us=end_us)):
            if not isinstance(event, AlarmChanged):
                continue
            instance = event.instance
            if instance.priority is Priority.HIGH and instance.state is AlarmState.ACTIVE:
                wall_us = batch.wall_us - end_us + instance.onset_us if batch.wall_us else 0
                found.append(FoundLate(batch.at_us, instance.code, instance.text, wall_us))
        return found

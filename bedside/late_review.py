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

FIRST_WALL_US = 946_684_800_000_000
LAST_WALL_US = 4_102_444_800_000_000
"""From 2000 to 2100: a node's clock outside of that is not set, whatever it says."""


class LateReview:
    """A monitor of its own for each unbroken stretch of one bed's replayed batches.

    It counts time by the node's samples, since the moment at which a late batch arrives says
    nothing. Only findings of high priority come out.
    """

    def __init__(self, bed: str, model: ModelFacts, limits: Limits) -> None:
        """Begin with nothing heard."""
        self._bed = bed
        self._model = model
        self._limits = limits
        self._monitor: Monitor | None = None

    def forget(self) -> None:
        """Another patient: what comes late from now on is a new stretch."""
        self._monitor = None

    def heard(self, batch: Batch) -> list[FoundLate]:
        """Take a late batch; what would have alarmed, had it come in time."""
        if self._monitor is None or self._monitor.heard_to != (batch.boot_id, batch.first_sample):
            self._monitor = Monitor(
                self._bed, self._model, self._limits, state=BedState.ADMITTED, session="late"
            )
        end_us = round(batch.end_sample / batch.rate_hz * 1e6)
        found = []
        for event in self._monitor.step(replace(batch, at_us=end_us)):
            if not isinstance(event, AlarmChanged):
                continue
            instance = event.instance
            if instance.priority is Priority.HIGH and instance.state is AlarmState.ACTIVE:
                known = FIRST_WALL_US < batch.wall_us < LAST_WALL_US
                ago_us = end_us - instance.onset_us
                wall_us = batch.wall_us - ago_us if known else 0
                found.append(FoundLate(batch.at_us, instance.code, instance.text, wall_us))
        return found

"""What a station counted since its start, and the summary that a headless run ends with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bedside.events import (
    AlarmChanged,
    AlarmState,
    Beat,
    BeatScored,
    Event,
    Float64Array,
    Gap,
)

_KEPT = 20_000


class Newest:
    """The newest 20 000 of a run of numbers, 8 bytes each.

    One thread appends; others may read meanwhile.
    """

    def __init__(self) -> None:
        """None yet."""
        self._ring = np.zeros(_KEPT)
        self._appended = 0

    def append(self, number: float) -> None:
        """Add one; the oldest leaves when there are too many."""
        self._ring[self._appended % _KEPT] = number
        self._appended += 1

    def percentile(self, percent: float) -> float | None:
        """A percentile of those that are kept, None before the first."""
        kept = self._ring[: self._appended]
        return float(np.percentile(kept, percent)) if len(kept) else None

    def in_order(self) -> Float64Array:
        """Those that are kept, shape (n,), oldest first."""
        if self._appended <= _KEPT:
            return self._ring[: self._appended].copy()
        return np.roll(self._ring, -(self._appended % _KEPT))


@dataclass(slots=True)
class Counts:
    """Counters of one run; `latencies_s` are from the broker's delivery to the batch's events."""

    batches: int = 0
    duplicates: int = 0
    late: int = 0
    gaps: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    beats: int = 0
    abnormal_beats: int = 0
    alerts: int = 0
    alarms: Counter[str] = field(default_factory=Counter)
    heart_rates_bpm: Newest = field(default_factory=Newest)
    latencies_s: Newest = field(default_factory=Newest)

    def event(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Beat():
                self.beats += 1
                if event.heart_rate_bpm and not event.synthetic:
                    self.heart_rates_bpm.append(event.heart_rate_bpm)
            case BeatScored(abnormal=True):
                self.abnormal_beats += 1
            case Gap():
                self.gaps += 1
            case AlarmChanged(instance=instance):
                if instance.state is AlarmState.ACTIVE and instance.active_us == instance.at_us:
                    self.alarms[instance.code] += 1
            case _:
                pass

    def latency_ms(self, percentile: float) -> float | None:
        """A percentile of the time from the broker to a batch's events, None before the first."""
        latency_s = self.latencies_s.percentile(percentile)
        return None if latency_s is None else round(1000 * latency_s, 3)

    def summary(self) -> dict[str, Any]:
        """The counts as a JSON object. The heart rate is the median over the real signal."""
        rate_bpm = self.heart_rates_bpm.percentile(50)
        return {
            "event": "summary",
            "batches": self.batches,
            "duplicates": self.duplicates,
            "late": self.late,
            "gaps": self.gaps,
            "refused": dict(self.refused),
            "beats": self.beats,
            "abnormal_beats": self.abnormal_beats,
            "heart_rate_bpm": None if rate_bpm is None else round(rate_bpm, 1),
            "alarms": dict(sorted(self.alarms.items())),
            "alerts": self.alerts,
            "batch_to_event_p50_ms": self.latency_ms(50),
            "batch_to_event_p99_ms": self.latency_ms(99),
        }

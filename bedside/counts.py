"""What a station counted since its start, and the summary that a headless run ends with."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bedside.events import AlarmChanged, AlarmState, Beat, BeatScored, Event, Gap

_KEPT = 20_000


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
    heart_rates_bpm: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))

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
        latencies_s = list(self.latencies_s)
        if not latencies_s:
            return None
        return round(1000 * float(np.percentile(latencies_s, percentile)), 3)

    def summary(self) -> dict[str, Any]:
        """The counts as a JSON object. The heart rate is the median over the real signal."""
        rates = list(self.heart_rates_bpm)
        return {
            "event": "summary",
            "batches": self.batches,
            "duplicates": self.duplicates,
            "late": self.late,
            "gaps": self.gaps,
            "refused": dict(self.refused),
            "beats": self.beats,
            "abnormal_beats": self.abnormal_beats,
            "heart_rate_bpm": round(float(np.median(rates)), 1) if rates else None,
            "alarms": dict(sorted(self.alarms.items())),
            "alerts": self.alerts,
            "batch_to_event_p50_ms": self.latency_ms(50),
            "batch_to_event_p99_ms": self.latency_ms(99),
        }

"""What a station counted since its start and what waits in it: for Prometheus and its own topic."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedside.counts import Counts

_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Measures:
    """A station at one moment. `failures` and `waiting` are by thread; `cpu_s` was used in `up_s`.

    Nothing here is about a patient: beds are counted, not named, and no heart rate is told.
    """

    counts: Counts
    failures: Mapping[str, int]
    waiting: Mapping[str, int]
    beds: int
    alerts_waiting: int
    oldest_alert_s: float
    disk_free_bytes: int
    cpu_s: float
    memory_bytes: int
    up_s: float

    def json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        counts = self.counts
        return {
            "up_s": round(self.up_s, 1),
            "beds": self.beds,
            "batches": counts.batches,
            "batches_duplicate": counts.duplicates,
            "batches_late": counts.late,
            "batches_refused": dict(counts.refused),
            "gaps": counts.gaps,
            "beats": counts.beats,
            "beats_abnormal": counts.abnormal_beats,
            "alarms": dict(counts.alarms),
            "alerts": counts.alerts,
            "failures": dict(self.failures),
            "queue_depth": dict(self.waiting),
            "batch_to_event_p50_ms": counts.latency_ms(50),
            "batch_to_event_p99_ms": counts.latency_ms(99),
            "outbox_waiting": self.alerts_waiting,
            "outbox_oldest_s": round(self.oldest_alert_s, 1),
            "disk_free_bytes": self.disk_free_bytes,
            "cpu_s": round(self.cpu_s, 2),
            "memory_bytes": self.memory_bytes,
        }


def process_use() -> tuple[float, int]:
    """Seconds of processor time that this process has used, and the bytes it holds in memory."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident_pages = int(_STATM.read_text().split()[1])
    return used.ru_utime + used.ru_stime, resident_pages * os.sysconf("SC_PAGE_SIZE")

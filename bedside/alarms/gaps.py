"""How long nobody could have alarmed: the conditions `no-monitoring` and `poor-signal`.

Both watch the watching itself. `NoMonitoring` counts the inputs' time, `PoorSignal` seconds of
signal.
"""

from __future__ import annotations

from collections import deque

from bedside.events import Observation
from bedside.limits import Limits

POOR_SIGNAL_SLACK_S = 2
"""So many seconds without artefact may lie among those that make a poor signal …"""

CLEAN_SHARE = 0.2
"""… and it ends when no more than this share of a stretch as long still shows artefact."""

UNDECIDABLE_S = 4
"""While one of so many seconds shows artefact, in a poor signal, no arrest can be told from it."""


class NoMonitoring:
    """The stretches in which physiological alarms were suspended, within the last minute."""

    def __init__(self) -> None:
        """Begin with none."""
        self._stretches: deque[tuple[int, int]] = deque()
        self._since_us: int | None = None
        self._reason = ""

    def suspended(self, reason: str, at_us: int) -> None:
        """From now on alarms are suspended for this reason, or no longer (empty)."""
        if self._since_us is not None:
            self._stretches.append((self._since_us, at_us))
        self._since_us = at_us if reason else None
        self._reason = reason or self._reason

    def observe(self, limits: Limits, at_us: int) -> Observation | None:
        """What is to say where too much of the last minute went by without monitoring."""
        if self._since_us is None and not self._stretches:
            return None
        horizon_us = at_us - round(limits.no_monitoring_of_s * 1e6)
        while self._stretches and self._stretches[0][1] <= horizon_us:
            self._stretches.popleft()
        stretches = [*self._stretches]
        if self._since_us is not None:
            stretches.append((self._since_us, at_us))
        lost_us = sum(end - max(start, horizon_us) for start, end in stretches)
        if lost_us <= limits.no_monitoring_s * 1e6:
            return None
        text = (
            f"no monitoring for {limits.no_monitoring_s:g} of {limits.no_monitoring_of_s:g} s: "
            f"{self._reason}"
        )
        return Observation("no-monitoring", True, max(stretches[0][0], horizon_us), text)


class PoorSignal:
    """Seconds of positive evidence of artefact; absence of beats or flatness is none."""

    def __init__(self) -> None:
        """Begin with a clean past."""
        self.present = False
        self._seconds: deque[tuple[bool, int]] = deque()

    @property
    def undecidable(self) -> bool:
        """Whether even an arrest or fibrillation cannot be told at present."""
        latest = list(self._seconds)[-UNDECIDABLE_S:]
        return self.present and any(artefact for artefact, _ in latest)

    def second(self, artefact: bool, start_us: int, limits: Limits) -> Observation:
        """Take the verdict on the next second of signal, which began at `start_us`."""
        needed = round(limits.poor_signal_s)
        self._seconds.append((artefact, start_us))
        while len(self._seconds) > needed + POOR_SIGNAL_SLACK_S:
            self._seconds.popleft()
        bad = [start for artefact, start in self._seconds if artefact]
        if not self.present:
            self.present = len(bad) >= needed
        elif len(self._seconds) >= needed:
            self.present = len(bad) > CLEAN_SHARE * needed
        onset_us = bad[0] if bad else start_us
        return Observation("poor-signal", self.present, onset_us, "poor signal")

    def clear(self) -> None:
        """The signal is not judged any more; what comes next is judged anew."""
        self.present = False
        self._seconds.clear()

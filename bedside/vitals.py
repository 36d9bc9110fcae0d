"""The numerals of one bed: what they show, told when it changes."""

from __future__ import annotations

from bedside.ecg.quality import QualitySecond
from bedside.events import Vitals

ECTOPIC_WINDOW_S = 60.0

_Shown = tuple[float | None, float | None, float | None, str, str]
"""Of `Vitals`, all but the moment."""


class VitalSigns:
    """Heart rate, ventricular beats of the last minute and signal quality."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._ectopics_us: list[int] = []
        self._shown: _Shown = (None, None, None, "", "")

    def ventricular(self, time_us: int) -> None:
        """A ventricular beat had its R peak at `time_us`."""
        self._ectopics_us.append(time_us)

    def forget(self) -> None:
        """The beats so far say nothing of what comes now."""
        self._ectopics_us = []

    def changed(
        self,
        at_us: int,
        rate_bpm: float | None,
        quality: QualitySecond | None,
        suspended: str,
    ) -> list[Vitals]:
        """The numerals now, if they are others than before.

        Without a rate there is no count of ectopics either; while alarms are suspended there is
        no quality.
        """
        horizon_us = at_us - round(ECTOPIC_WINDOW_S * 1e6)
        self._ectopics_us = [time_us for time_us in self._ectopics_us if time_us > horizon_us]
        shown = (
            None if rate_bpm is None else float(round(rate_bpm)),
            None if rate_bpm is None else float(len(self._ectopics_us)),
            None if quality is None or suspended else quality.index,
            "" if quality is None or suspended else quality.reason,
            suspended,
        )
        if shown == self._shown:
            return []
        self._shown = shown
        return [Vitals(at_us, *shown)]

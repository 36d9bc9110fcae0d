"""What can be said of a patient before, or without, an accepted calibration."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bedside.anomaly.normal import Normal, learn_alike
from bedside.events import BeatClass, BeatWindow

REMEMBERED_BEATS = 100
FEWEST_BEATS = 20
EVERY_BEATS = 20


@dataclass(eq=False)
class Provisional:
    """A template of the last hundred normal beats, so that a beat is compared with its own patient.

    It has no threshold and arms nothing: scores against it are measured by the population's. It
    follows the patient, and so would in time follow a change for the worse; that is why it is no
    substitute for a calibration.
    """

    normal: Normal | None = field(default=None, init=False)
    _windows: deque[BeatWindow] = field(
        default_factory=lambda: deque(maxlen=REMEMBERED_BEATS), init=False
    )
    _new: int = field(default=0, init=False)

    def add(self, window: BeatWindow) -> None:
        """One more beat; every twentieth normal one renews `normal`."""
        if not window.usable or window.beat_class is not BeatClass.NORMAL:
            return
        self._windows.append(window)
        self._new += 1
        if len(self._windows) >= FEWEST_BEATS and self._new >= EVERY_BEATS:
            self._new = 0
            self.normal = learn_alike(self._windows, FEWEST_BEATS) or self.normal

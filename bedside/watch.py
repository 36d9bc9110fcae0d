"""The watchdog: a thread outside the analysis that raises the station's own alarms.

It looks whether the analysis and the scoring move, whether the clock is set, and hears how links
and parts fare. While the analysis lives it feeds systemd's watchdog; when it does not, the alarm
is raised from here, and systemd starts the service anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bedside import systemd, wall_clock
from bedside.events import Health
from bedside.station_alarms import StationAlarms
from bedside.worker import Worker

TICK_S = 0.5

STUCK_S = 2.0
"""A thread that has been at one thing for so long is reported; its alarm comes with the limit."""

TROUBLE_SHOWN_S = 10.0
"""An exception in the analysis, or a batch that it could not take, is shown for so long."""

STEP_SHOWN_S = 60.0
"""A clock that was moved is shown for so long."""


class Watch:
    """Takes health from any thread and looks after the two threads that think."""

    def __init__(
        self,
        alarms: StationAlarms,
        analysis: Worker[Any],
        scoring: Worker[Any],
        *,
        at_us: Callable[[float], int],
        speed: float,
        behind_s: Callable[[], float],
        scores_behind_s: Callable[[], float],
    ) -> None:
        """`at_us` turns a monotonic time in s into the station's; `behind_s` says by how much the
        analysis lags, `scores_behind_s` by how much the scores do."""
        self._alarms = alarms
        self._analysis = analysis
        self._scoring = scoring
        self._at_us = at_us
        self._behind_s = behind_s
        self._scores_behind_s = scores_behind_s
        self._troubles = 0
        self._trouble_until_s = 0.0
        self._slow_model = False
        self._clock = wall_clock.Steps()
        self._speed = max(1.0, speed)
        self._step_until_s = 0.0
        self._worker = Worker[Health](
            "watch",
            alarms.health,
            capacity=20_000,
            every_s=TICK_S / max(1.0, speed),
            idle=self.look,
        )

    def start(self) -> None:
        """Begin to watch."""
        self._worker.start()

    def stop(self) -> bool:
        """Hear what is queued, then end."""
        return self._worker.stop()

    def put(self, health: Health) -> bool:
        """Hear how something fares; on any thread, at once."""
        return self._worker.put(health)

    @property
    def failures(self) -> int:
        """Faults and overflows of this thread."""
        return self._worker.failures + self._worker.overflows

    def look(self) -> None:
        """Look once at everything."""
        now_s = time.monotonic()
        analysis = self._health_of_analysis(now_s)
        self._alarms.health(analysis)
        # A model may be stuck at one beat, or take so long for each that they pile up.
        stuck_s = max(self._scoring.still_s, self._scores_behind_s())
        if stuck_s > STUCK_S or self._slow_model:
            self._slow_model = stuck_s > STUCK_S
            slow = Health(self._at_us(now_s), "model", not self._slow_model, "it is too slow")
            self._alarms.health(replace(slow, since_us=max(0, self._at_us(now_s - stuck_s))))
        self._look_at_the_clock(now_s)
        clock_set = wall_clock.is_set()
        self._alarms.health(Health(self._at_us(now_s), "clock", clock_set))
        self._alarms.tick(self._at_us(now_s))
        if self._analysis.still_s <= STUCK_S:
            systemd.notify("WATCHDOG=1")

    def _look_at_the_clock(self, now_s: float) -> None:
        """Times that were logged before a step cannot be compared with those after it."""
        step_s = self._clock.step_s()
        if step_s:
            self._step_until_s = now_s + STEP_SHOWN_S / self._speed
            detail = f"by {step_s:+.0f} s"
            self._alarms.health(Health(self._at_us(now_s), "clock-step", False, detail))
        elif self._step_until_s and now_s >= self._step_until_s:
            self._step_until_s = 0.0
            self._alarms.health(Health(self._at_us(now_s), "clock-step", True))

    def _health_of_analysis(self, now_s: float) -> Health:
        at_us = self._at_us(now_s)
        stuck_s = max(self._analysis.still_s, self._behind_s())
        if stuck_s > STUCK_S:
            since_us = max(0, self._at_us(now_s - stuck_s))
            return Health(at_us, "analysis", False, "nothing comes out of it", since_us)
        troubles = self._analysis.failures + self._analysis.overflows
        if troubles != self._troubles:
            self._troubles = troubles
            self._trouble_until_s = now_s + TROUBLE_SHOWN_S
        if now_s < self._trouble_until_s:
            return Health(at_us, "analysis", False, f"{troubles} faults")
        return Health(at_us, "analysis", True)

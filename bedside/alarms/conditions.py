"""The alarm conditions: code, priority, words, and how long a cause lasts before it alarms.

The table follows ALARMS in the README; it is informed by IEC 60601-1-8 and IEC 60601-2-27 and
claims no conformity. Conditions of the waveform carry no delay here: their rules count samples and
report a finding only once the definition is met.
"""

from __future__ import annotations

from dataclasses import dataclass

from bedside.events import Priority
from bedside.limits import Limits

CLOCK_UNSET_S = 8.0
"""A node asks for the time when it starts; so long it may take before that is worth an alarm."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the table.

    `delay` names the limit that counts from the onset to active, or is a number of seconds.
    `waveform`: decided on the signal itself, so that a poor one alone does not suspend it.
    """

    code: str
    priority: Priority
    title: str
    technical: bool = False
    delay: str | float = 0.0
    waveform: bool = False

    def delay_s(self, limits: Limits) -> float:
        """Seconds of the input's time for which a cause lasts before it alarms."""
        delay = self.delay
        return delay if isinstance(delay, float) else float(getattr(limits, delay))

    @property
    def lethal(self) -> bool:
        """Whether the heart may be about to stop: disabling it needs a confirmation."""
        return self.priority is Priority.HIGH and not self.technical


_TABLE = (
    Condition("asystole", Priority.HIGH, "asystole", waveform=True),
    Condition("vf", Priority.HIGH, "ventricular fibrillation", waveform=True),
    Condition("vt", Priority.HIGH, "ventricular tachycardia"),
    Condition("extreme-tachy", Priority.HIGH, "extreme tachycardia"),
    Condition("extreme-brady", Priority.HIGH, "extreme bradycardia"),
    Condition("tachy", Priority.MEDIUM, "tachycardia"),
    Condition("brady", Priority.MEDIUM, "bradycardia"),
    Condition("pause", Priority.MEDIUM, "pause"),
    Condition("abnormal-beats", Priority.MEDIUM, "abnormal beats"),
    Condition("pvc-run", Priority.MEDIUM, "run of ventricular beats"),
    Condition("bigeminy", Priority.MEDIUM, "bigeminy"),
    Condition("irregular", Priority.MEDIUM, "irregular rhythm"),
    Condition("lead-off", Priority.MEDIUM, "electrode off", technical=True),
    Condition("no-monitoring", Priority.MEDIUM, "no monitoring", technical=True),
    Condition("node-silent", Priority.MEDIUM, "node silent", technical=True, delay="node_silent_s"),
    Condition("broker-away", Priority.MEDIUM, "broker away", technical=True, delay="broker_away_s"),
    Condition(
        "analysis-stalled",
        Priority.HIGH,
        "analysis stalled",
        technical=True,
        delay="analysis_stalled_s",
    ),
    Condition("two-stations", Priority.MEDIUM, "beds served elsewhere", technical=True),
    Condition("poor-signal", Priority.LOW, "poor signal", technical=True),
    Condition(
        "delivery-failing",
        Priority.LOW,
        "alerts not delivered",
        technical=True,
        delay="delivery_failing_s",
    ),
    Condition("storage-failing", Priority.LOW, "recording failing", technical=True),
    Condition("sound-failing", Priority.LOW, "no alarm sound", technical=True),
    Condition("clock-unsynced", Priority.LOW, "clock not set", technical=True, delay=CLOCK_UNSET_S),
)

CONDITIONS: dict[str, Condition] = {condition.code: condition for condition in _TABLE}
"""Every condition by its code."""


def named(code: str, text: str) -> str:
    """An alarm in words: its condition's title, and what was seen where that says more."""
    title = CONDITIONS[code].title if code in CONDITIONS else code
    if not text or text.lower() == title.lower():
        return title
    return text if title.lower() in text.lower() else f"{title}: {text}"

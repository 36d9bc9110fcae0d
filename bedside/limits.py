"""The limits of every alarm condition, with the defaults of an adult."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Limits:
    """What each condition needs before it is one; every field can be set per bed.

    Rates are per minute, durations in seconds. The defaults follow common bedside practice for
    adults; a definition in beats (17 and 5) is that of the PhysioNet/CinC 2015 challenge.
    """

    asystole_s: float = 4.0
    """No QRS for this long."""
    vf_s: float = 4.0
    """Ventricular fibrillation or flutter for this long."""
    vt_beats: int = 5
    """Ventricular beats in a row that make a tachycardia of a run."""
    vt_rate_bpm: float = 100.0
    """The rate from which on such a run is a tachycardia."""
    extreme_tachy_bpm: float = 140.0
    extreme_tachy_beats: int = 17
    extreme_brady_bpm: float = 40.0
    extreme_brady_beats: int = 5
    tachy_bpm: float = 120.0
    brady_bpm: float = 50.0
    pause_s: float = 2.5
    """No QRS for this long."""
    pvc_run_beats: int = 3
    """Ventricular beats in a row that make a run."""
    bigeminy_beats: int = 8
    """Beats of which every second one is ventricular."""
    irregular_s: float = 60.0
    """Irregularly irregular RR intervals for this long."""
    abnormal_beats: int = 3
    """Beats above this patient's threshold …"""
    abnormal_of_beats: int = 10
    """… among this many scored last."""
    no_monitoring_s: float = 30.0
    """Physiological alarms suspended for more than this …"""
    no_monitoring_of_s: float = 60.0
    """… of any stretch this long."""
    node_silent_s: float = 3.0
    broker_away_s: float = 3.0
    analysis_stalled_s: float = 3.0
    poor_signal_s: float = 10.0
    delivery_failing_s: float = 30.0

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that could never be met, or that crosses another."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < 1e6:
                raise ValueError(f"{field.name} = {value} must be above 0 and finite")
        rates = ("extreme_brady_bpm", "brady_bpm", "tachy_bpm", "extreme_tachy_bpm")
        for lower, higher in pairwise(rates):
            if getattr(self, lower) >= getattr(self, higher):
                raise ValueError(f"{lower} must be below {higher}")
        if self.abnormal_beats > self.abnormal_of_beats:
            raise ValueError("abnormal_beats must not be above abnormal_of_beats")

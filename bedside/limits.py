"""The limits of every alarm condition, the populations' presets, and how far a limit may be set.

The presets follow common bedside practice for each population; a definition in beats (17 and 5) is
that of the PhysioNet/CinC 2015 challenge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from itertools import pairwise


class Population(StrEnum):
    """Whom a preset is for: `child` is 1 to 12 years, `neonate` up to 28 days."""

    ADULT = "adult"
    CHILD = "child"
    NEONATE = "neonate"
    ATHLETE = "athlete"


@dataclass(frozen=True, slots=True)
class Limits:
    """What each condition needs before it is one; the defaults are an adult's.

    Rates are per minute, durations in seconds. `BOUNDS` says how far each may be set.
    """

    asystole_s: float = 4.0
    """No QRS for this long."""
    vf_s: float = 4.0
    """Ventricular fibrillation or flutter for this long."""
    vt_beats: int = 5
    """Ventricular beats that make a tachycardia of a run (`ecg/ventricular_run.py`)."""
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
        """Raise ValueError for a limit out of its bounds, or one that crosses another."""
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), BOUNDS[field.name]
            if not low <= value <= high:
                raise ValueError(f"{field.name} = {value:g} must lie from {low:g} to {high:g}")
        for lower, higher in pairwise(_RATES):
            if getattr(self, lower) >= getattr(self, higher):
                raise ValueError(f"{lower} must be below {higher}")
        for lower, higher in _ORDERED:
            if getattr(self, lower) > getattr(self, higher):
                raise ValueError(f"{lower} must not be above {higher}")

    def changed(self, values: Mapping[str, object]) -> Limits:
        """These limits with some of them set anew.

        Raises ValueError for a name that is none, a value that is no number, out of its bounds or
        across another limit, and for one of `STATION_WIDE`.
        """
        new: dict[str, float] = {}
        for name, value in values.items():
            if name not in BOUNDS:
                raise ValueError(f"there is no limit {name}")
            if name in STATION_WIDE:
                raise ValueError(f"{name} belongs to the station: set it in its configuration")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} = {value!r} is no number")
            if name in COUNTS and value != int(value):
                raise ValueError(f"{name} = {value:g} must be a whole number")
            new[name] = int(value) if name in COUNTS else float(value)
        return replace(self, **new)  # type: ignore[arg-type]


_RATES = ("extreme_brady_bpm", "brady_bpm", "tachy_bpm", "extreme_tachy_bpm")
_ORDERED = (
    ("abnormal_beats", "abnormal_of_beats"),
    ("pause_s", "asystole_s"),
    ("pvc_run_beats", "vt_beats"),
    ("no_monitoring_s", "no_monitoring_of_s"),
)

BOUNDS: dict[str, tuple[float, float]] = {
    "asystole_s": (3.0, 10.0),
    "vf_s": (3.0, 10.0),
    "vt_beats": (3, 15),
    "vt_rate_bpm": (60.0, 200.0),
    "extreme_tachy_bpm": (100.0, 300.0),
    "extreme_tachy_beats": (5, 40),
    "extreme_brady_bpm": (15.0, 120.0),
    "extreme_brady_beats": (3, 12),
    "tachy_bpm": (50.0, 280.0),
    "brady_bpm": (20.0, 180.0),
    "pause_s": (1.5, 6.0),
    "pvc_run_beats": (2, 15),
    "bigeminy_beats": (4, 40),
    "irregular_s": (20.0, 120.0),
    "abnormal_beats": (1, 100),
    "abnormal_of_beats": (1, 100),
    "no_monitoring_s": (5.0, 120.0),
    "no_monitoring_of_s": (10.0, 300.0),
    "node_silent_s": (1.0, 30.0),
    "broker_away_s": (1.0, 30.0),
    "analysis_stalled_s": (1.0, 30.0),
    "poor_signal_s": (3.0, 60.0),
    "delivery_failing_s": (5.0, 600.0),
}
"""How far each limit may be set, both ends included; nothing confirmed goes beyond."""

COUNTS = frozenset(name for name in BOUNDS if name.endswith("_beats"))
"""The limits that count beats; all others are rates or seconds."""

STATION_WIDE = frozenset({"broker_away_s", "analysis_stalled_s", "delivery_failing_s"})
"""The limits that no bed has of its own."""

PRESETS: dict[Population, Limits] = {
    Population.ADULT: Limits(),
    Population.CHILD: Limits(
        vt_rate_bpm=120.0,
        extreme_tachy_bpm=180.0,
        extreme_brady_bpm=55.0,
        tachy_bpm=160.0,
        brady_bpm=75.0,
    ),
    Population.NEONATE: Limits(
        asystole_s=3.0,
        pause_s=2.0,
        vt_rate_bpm=150.0,
        extreme_tachy_bpm=220.0,
        extreme_brady_bpm=80.0,
        tachy_bpm=200.0,
        brady_bpm=100.0,
    ),
    Population.ATHLETE: Limits(extreme_brady_bpm=30.0, brady_bpm=40.0),
}

_LETHAL: tuple[tuple[str, str, bool, str], ...] = (
    ("asystole_s", "asystole", True, "after {:g} s"),
    ("vf_s", "ventricular fibrillation", True, "after {:g} s"),
    ("vt_beats", "ventricular tachycardia", True, "from {:g} beats"),
    ("vt_rate_bpm", "ventricular tachycardia", True, "from {:g}/min"),
    ("extreme_tachy_bpm", "extreme tachycardia", True, "above {:g}/min"),
    ("extreme_tachy_beats", "extreme tachycardia", True, "over {:g} beats"),
    ("extreme_brady_bpm", "extreme bradycardia", False, "below {:g}/min"),
    ("extreme_brady_beats", "extreme bradycardia", True, "over {:g} beats"),
)
"""Limit, condition, whether more is laxer, and how the limit is said."""


def relaxed(limits: Limits, population: Population) -> tuple[str, ...]:
    """Which lethal conditions alarm later than their population's preset says, in words.

    Each of them would be silent where the preset alarms; whoever sets it so must confirm it.
    """
    usual = PRESETS[population]
    words = []
    for name, condition, more_is_laxer, said in _LETHAL:
        value, preset = getattr(limits, name), getattr(usual, name)
        if value > preset if more_is_laxer else value < preset:
            words.append(f"{condition} only {said.format(value)} ({population.value}: {preset:g})")
    return tuple(words)

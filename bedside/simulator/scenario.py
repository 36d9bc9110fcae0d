"""A scenario file: rhythms and faults one after the other, in TOML.

    seed = 1
    amplitude_mv = 1.0
    noise_mv = 0.01
    clock_ppm = 80          # the node's clock runs too fast

    [network]               # chances that a batch is lost, comes twice, is overtaken, or is late
    drop = 0.01
    repeat = 0.01
    hold = 0.01
    late = 0.01
    late_s = 5              # by so many seconds

    [[episode]]
    rhythm = "sinus:75"     # any that `bedside simulate` knows, lead-off too
    seconds = 60

    [[episode]]
    rhythm = "vt:180"
    seconds = 12
    amplitude = 0.5         # of the patient's
    noise_mv = 0.05
    fault = "motion"        # or muscle, mains, saturation

The last episode may leave its seconds out: it never ends.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedside.errors import SettingsError
from bedside.simulator.disturbance import SignalFault
from bedside.simulator.faults import Faults
from bedside.simulator.patient import Rhythm, SyntheticPatient
from bedside.simulator.source import Episode, PatientSource


@dataclass(frozen=True, slots=True)
class Scenario:
    """A patient, what happens to them, and to their batches."""

    episodes: Sequence[Episode]
    seed: int = 0
    amplitude_mv: float = 1.0
    noise_mv: float = 0.01
    clock_ppm: float = 0.0
    network: Faults | None = None

    def source(self, rate_hz: float = 250.0) -> PatientSource:
        """What a node samples."""
        patient = SyntheticPatient(
            rate_hz, seed=self.seed, amplitude_mv=self.amplitude_mv, noise_mv=self.noise_mv
        )
        return PatientSource(patient, self.episodes, clock_ppm=self.clock_ppm)


def read_scenario(path: Path) -> Scenario:
    """The scenario of a file. Raises SettingsError with one sentence."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"the scenario {path} cannot be read ({error.strerror}): name another."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
    try:
        return _scenario(content)
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"the scenario {path} makes no sense: {error}.") from error


def _scenario(content: Mapping[str, Any]) -> Scenario:
    known = {"seed", "amplitude_mv", "noise_mv", "clock_ppm", "network", "episode"}
    _only(content, known)
    episodes = [_episode(each) for each in content["episode"]]
    if not episodes or any(each.seconds is None for each in episodes[:-1]):
        raise ValueError("give every episode but the last its seconds")
    network = None
    if "network" in content:
        network = _network(content["network"])
    return Scenario(
        tuple(episodes),
        int(content.get("seed", 0)),
        _within("amplitude_mv", content.get("amplitude_mv", 1.0), 0.05, 10),
        _within("noise_mv", content.get("noise_mv", 0.01), 0, 2),
        _within("clock_ppm", content.get("clock_ppm", 0), -5000, 5000),
        network,
    )


def _network(content: Mapping[str, Any]) -> Faults:
    _only(content, {"drop", "repeat", "hold", "late", "late_s", "seed"})

    def chance(name: str) -> float:
        return _within(name, content.get(name, 0), 0, 1)

    return Faults(
        chance("drop"),
        chance("repeat"),
        chance("hold"),
        chance("late"),
        _within("late_s", content.get("late_s", Faults().late_s), 0.2, 600),
        int(content.get("seed", 0)),
    )


def _episode(content: Mapping[str, Any]) -> Episode:
    _only(content, {"rhythm", "seconds", "amplitude", "noise_mv", "fault"})
    seconds = content.get("seconds")
    noise_mv = content.get("noise_mv")
    return Episode(
        Rhythm.parse(str(content["rhythm"])),
        None if seconds is None else _within("seconds", seconds, 0.1, 1e7),
        _within("amplitude", content.get("amplitude", 1.0), 0.01, 10),
        None if noise_mv is None else _within("noise_mv", noise_mv, 0, 2),
        SignalFault(content.get("fault", "none")),
    )


def _only(content: Mapping[str, Any], known: set[str]) -> None:
    for key in content:
        if key not in known:
            raise ValueError(f"{key} is none of {', '.join(sorted(known))}")


def _within(name: str, value: Any, low: float, high: float) -> float:
    if not low <= float(value) <= high:
        raise ValueError(f"{name} = {value} must lie from {low:g} to {high:g}")
    return float(value)

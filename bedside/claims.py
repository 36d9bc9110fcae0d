"""Which station serves which bed: several on one broker hear the same nodes, and no bed has two.

Every station says once a second, in its retained state, under which `run` (drawn at its start) it
holds which beds. One that starts serves at once, so that no patient waits, and settles a little
later; until then it gives way to a station that has settled. Of two that are alike, as after a
broker between them was away, the one whose bed has a patient keeps it, then the one with the lower
run: both see the same facts and come to the same end, whatever their clocks say. Who gave way
stays away until the other has let go of the bed: a station whose last will is heard, or that is
silent, holds nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SETTLES_S = 2.5
"""A station that hears of no other for so long after it found its broker has settled; where the
broker kept word of one, once that one is known to be silent."""

SILENT_S = 10.0
"""A station that said nothing for so long has gone, whether or not its last will was heard."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a station says that it holds."""

    station: str
    run: str
    up: bool = True
    settled: bool = False
    beds: frozenset[str] = frozenset()
    with_patient: frozenset[str] = frozenset()

    def json(self) -> dict[str, Any]:
        """As a station's state carries it."""
        return {
            "station": self.station,
            "run": self.run,
            "up": self.up,
            "settled": self.settled,
            "beds": sorted(self.beds),
            "with_patient": sorted(self.with_patient),
        }

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Holding:
        """The holding in a state. Raises KeyError or TypeError where there is none."""
        return cls(
            str(content["station"]),
            str(content["run"]),
            bool(content["up"]),
            bool(content["settled"]),
            frozenset(map(str, content["beds"])),
            frozenset(map(str, content["with_patient"])),
        )


class Claims:
    """One station's view of who holds what; times are of one steady clock, in s."""

    def __init__(self, station: str) -> None:
        """Nothing was heard yet."""
        self.run = secrets.token_hex(8)
        self._station = station
        self._connected_s: float | None = None
        self._others: dict[str, tuple[Holding, float]] = {}
        self._may_live_s: dict[str, float] = {}

    def connected(self, now_s: float) -> None:
        """The broker was found; only the first time counts."""
        if self._connected_s is None:
            self._connected_s = now_s

    def holding(self, beds: Mapping[str, bool], now_s: float) -> Holding:
        """What this station holds: beds, and whether a patient lies in each."""
        with_patient = frozenset(bed for bed, patient in beds.items() if patient)
        return Holding(
            self._station, self.run, True, self._settled(now_s), frozenset(beds), with_patient
        )

    def gone(self) -> Holding:
        """What is true once this station has ended, by its own word or by its last will."""
        return Holding(self._station, self.run, up=False)

    def heard(self, other: Holding, now_s: float) -> None:
        """A station, perhaps this one itself, said what it holds."""
        if other.run == self.run:
            return
        self._may_live_s.pop(other.run, None)
        if other.up:
            self._others[other.run] = other, now_s
        else:
            self._others.pop(other.run, None)

    def kept(self, other: Holding, now_s: float) -> None:
        """The broker kept what a station once said: it may live, or have died with the broker."""
        if other.up and other.run not in (self.run, *self._others):
            self._may_live_s[other.run] = now_s

    def tick(self, now_s: float) -> None:
        """Time goes on: who is silent holds nothing."""
        for run in [run for run, at_s in self._may_live_s.items() if now_s - at_s > SILENT_S]:
            del self._may_live_s[run]
        silent = [run for run, (_, at_s) in self._others.items() if now_s - at_s > SILENT_S]
        for run in silent:
            del self._others[run]

    def served_by(self, bed: str, mine: bool, patient: bool, now_s: float) -> str:
        """The station to which this one leaves a bed, held by itself or not; empty for none."""
        strength = self._settled(now_s), patient
        for other, _ in self._others.values():
            theirs = other.settled, bed in other.with_patient
            if other.station == self._station or bed not in other.beds:
                continue
            if not mine or self._gives_way(strength, theirs, other.run):
                return other.station
        return ""

    def has_namesake(self, mine: bool, patients: bool, now_s: float) -> bool:
        """Whether this station leaves its name, borne by itself now or not, to another one."""
        strength = self._settled(now_s), patients
        return any(
            not mine
            or self._gives_way(strength, (other.settled, bool(other.with_patient)), other.run)
            for other, _ in self._others.values()
            if other.station == self._station
        )

    def connected_for(self, seconds: float, now_s: float) -> bool:
        """Whether the broker was found so long ago."""
        return self._connected_s is not None and now_s - self._connected_s >= seconds

    def _settled(self, now_s: float) -> bool:
        return self.connected_for(SETTLES_S, now_s) and not self._may_live_s

    def _gives_way(self, mine: tuple[bool, bool], theirs: tuple[bool, bool], run: str) -> bool:
        return theirs > mine or (theirs == mine and run < self.run)

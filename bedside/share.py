"""Which of a broker's nodes this station serves: those that fit its patterns and no other holds."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from bedside.claims import Claims

UNMATCHED_S = 15.0
"""So long after it found the broker a station says which of its patterns fit no node."""


class Share:
    """One station's share; times are of one steady clock, in s.

    `elsewhere` are the beds that fit and that another station holds, each with its name; `muted`
    says that another station bears this one's name, which then serves nothing.
    """

    def __init__(self, station: str, patterns: Sequence[str]) -> None:
        """Everything that fits, as long as nothing was heard of others."""
        self.claims = Claims(station)
        self.elsewhere: dict[str, str] = {}
        self.muted = False
        self._station = station
        self._patterns = patterns
        self._unmatched_said = False

    def fits(self, name: str) -> bool:
        """Whether a node's name fits one of the patterns."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._patterns)

    def may_serve(self, name: str, now_s: float) -> bool:
        """Whether no other station has a bed that this one does not hold."""
        other = self.claims.served_by(name, mine=False, patient=False, now_s=now_s)
        if other:
            self.elsewhere[name] = other
        return not (other or self.muted)

    def left_to(self, mine: Mapping[str, bool], now_s: float) -> dict[str, str]:
        """Of the beds held, each with whether a patient lies in it: those to leave, and to whom.

        What another station has let go of is no longer `elsewhere`.
        """
        self.muted = self.claims.has_namesake(not self.muted, any(mine.values()), now_s)
        leave = {}
        for name, patient in mine.items():
            other = self.claims.served_by(name, mine=True, patient=patient, now_s=now_s)
            if other:
                self.elsewhere[name] = other
            if other or self.muted:
                leave[name] = other or self._station
        for name in list(self.elsewhere):
            if not self.claims.served_by(name, mine=False, patient=False, now_s=now_s):
                del self.elsewhere[name]
        return leave

    def unmatched(self, known: Iterable[str], now_s: float) -> list[str]:
        """Once, some time after the start: the patterns that no node's name fits."""
        if self._unmatched_said or not self.claims.connected_for(UNMATCHED_S, now_s):
            return []
        self._unmatched_said = True
        names = [*known, *self.elsewhere]
        return [pattern for pattern in self._patterns if not fnmatch.filter(names, pattern)]

    @property
    def lacks(self) -> str:
        """What this station does not serve although it fits, in words; empty for nothing."""
        if self.muted:
            return f"another station is called {self._station}: set station.name"
        if not self.elsewhere:
            return ""
        first, *more = sorted(self.elsewhere)
        words = f"bed {first} is served by station {self.elsewhere[first]}"
        return f"{words}, and {len(more)} more" if more else words

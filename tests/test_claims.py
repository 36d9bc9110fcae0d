"""However two stations start, stop and hear each other, in the end one of them has the bed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.claims import SETTLES_S, SILENT_S, Claims, Holding

BED = "icu-1"


class Station:
    """A station reduced to its claim of one bed, on the time of a simulation."""

    def __init__(self, name: str, run: str, starts_s: float, patient: bool) -> None:
        self.claims = Claims(name)
        self.claims.run = run
        self.starts_s, self.patient = starts_s, patient
        self.holds = True

    def look(self, now_s: float) -> None:
        self.claims.tick(now_s)
        other = self.claims.served_by(BED, self.holds, self.patient and self.holds, now_s)
        self.holds = not other

    def says(self, now_s: float) -> Holding:
        return self.claims.holding({BED: self.patient} if self.holds else {}, now_s)


def run(one: Station, two: Station, delays_s: list[float], until_s: float) -> None:
    """Both say once a second what they hold; each message takes a delay to arrive."""
    under_way: list[tuple[float, Station, Holding]] = []
    step_s, now_s, sent = 0.1, 0.0, 0
    while now_s < until_s:
        for station, other in ((one, two), (two, one)):
            if now_s < station.starts_s:
                continue
            station.claims.connected(now_s)
            if round((now_s - station.starts_s) / step_s) % 10 == 0:
                delay_s = delays_s[sent % len(delays_s)]
                under_way.append((now_s + delay_s, other, station.says(now_s)))
                sent += 1
        for arrives_s, station, holding in under_way:
            if arrives_s <= now_s and now_s >= station.starts_s:
                station.claims.heard(holding, now_s)
        under_way = [each for each in under_way if each[0] > now_s]
        for station in (one, two):
            if now_s >= station.starts_s:
                station.look(now_s)
        now_s = round(now_s + step_s, 3)


@settings(max_examples=50, deadline=None)
@given(
    starts_s=st.tuples(st.floats(0, 8), st.floats(0, 8)),
    patients=st.tuples(st.booleans(), st.booleans()),
    runs=st.permutations(["a", "b"]),
    delays_s=st.lists(st.floats(0, 0.9), min_size=1, max_size=8),
)
def test_two_stations_agree_who_has_a_bed(
    starts_s: tuple[float, float],
    patients: tuple[bool, bool],
    runs: list[str],
    delays_s: list[float],
) -> None:
    one = Station("one", runs[0], round(starts_s[0], 1), patients[0])
    two = Station("two", runs[1], round(starts_s[1], 1), patients[1])
    run(one, two, delays_s, 20.0)
    assert one.holds != two.holds
    first, second = sorted((one, two), key=lambda station: station.starts_s)
    if second.starts_s - first.starts_s > SETTLES_S + 1:
        assert first.holds, "who was there first, and settled, keeps it"
    elif patients[0] != patients[1] and abs(starts_s[0] - starts_s[1]) < 0.05:
        assert (one if patients[0] else two).holds, "of two alike, the one with a patient"


def test_a_bed_of_a_silent_station_may_be_taken_over_and_of_one_that_has_left_at_once() -> None:
    mine = Claims("mine")
    other = Holding("other", "run", True, True, frozenset({BED}))
    mine.heard(other, 0.0)
    mine.tick(SILENT_S - 0.1)
    assert mine.served_by(BED, False, False, SILENT_S - 0.1) == "other"
    mine.tick(SILENT_S + 0.1)
    assert mine.served_by(BED, False, False, SILENT_S + 0.1) == ""
    mine.heard(other, 20.0)
    mine.heard(Holding("other", "run", up=False), 21.0)
    assert mine.served_by(BED, False, False, 21.0) == ""


def test_a_station_does_not_settle_while_one_that_the_broker_remembers_may_live() -> None:
    mine = Claims("mine")
    mine.connected(0.0)
    mine.kept(Holding("other", "run", True, True, frozenset({BED})), 0.1)
    mine.tick(5.0)
    assert mine.served_by(BED, True, False, 5.0) == "", "it serves, for the other may be dead"
    assert not mine.holding({BED: False}, 5.0).settled
    mine.tick(SILENT_S + 0.2)
    assert mine.holding({BED: False}, SILENT_S + 0.2).settled


def test_a_last_will_of_an_earlier_run_takes_nothing_from_the_present_one() -> None:
    mine = Claims("mine")
    mine.heard(Holding("other", "second", True, True, frozenset({BED})), 0.0)
    mine.heard(Holding("other", "first", up=False), 0.1)
    assert mine.served_by(BED, False, False, 0.2) == "other"


def test_what_a_station_says_comes_back_as_it_was() -> None:
    said = Holding("one", "run", True, True, frozenset({"icu-1", "icu-2"}), frozenset({"icu-2"}))
    assert Holding.read(said.json()) == said

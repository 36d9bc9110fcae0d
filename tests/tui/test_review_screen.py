"""Looking back at a real recording: course, events, strip, cursors, export."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from bedside.alarms.log import AFTER_THE_LAST
from bedside.delivery.log_transport import LogTransport
from bedside.events import AlarmChanged, AlarmState, BeatScored, Event, Priority
from bedside.review import Review
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from bedside.tui.app import BedsideApp
from bedside.tui.screens.jump import moment_us
from bedside.tui.screens.monitor import MonitorScreen
from bedside.tui.screens.review import ReviewScreen
from tests.mosquitto import Mosquitto
from tests.tui.painted_bed import PaintedBed
from tests.tui.past import write_past
from tests.tui.seen import rows, text

BED = "bed-1"
SPEED = 20.0


@dataclass
class Recorded:
    """What a station recorded, and what it said of the beats while it did."""

    folder: Path
    scored: list[BeatScored]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A station that has recorded some minutes with an asystole in them, calibrated at first."""
    folder = tmp_path_factory.mktemp("recorded")
    said = Recorded(folder / "data", [])
    broker = Mosquitto(folder)
    broker.start()
    alarms: list[str] = []

    def heard(bed: str, event: Event, wall_us: int) -> None:
        if isinstance(event, AlarmChanged) and event.instance.state is AlarmState.ENDED:
            alarms.append(event.instance.code)
        elif isinstance(event, BeatScored):
            said.scored.append(event)

    station = Station(
        Settings(
            broker=BrokerSettings(port=broker.port),
            station=StationSettings(data_dir=folder / "data"),
            recording=RecordingSettings(sync_every_s=0.2),
        ),
        LogTransport(),
        speed=SPEED,
        on_event=heard,
    )
    station.admit(BED)
    station.start()
    station.feed().act(BED, "calibrate", {"seconds": 20, "retry": True})
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/110,asystole/10,sinus/40"))
    with VirtualNode(source, BED, "127.0.0.1", broker.port, speed=SPEED) as node:
        assert node.wait_until_sent(120)
        give_up_s = time.monotonic() + 60
        while "asystole" not in alarms:
            assert time.monotonic() < give_up_s, alarms
            time.sleep(0.05)
    station.stop()
    broker.kill()
    return said


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds some minutes with an asystole in them."""
    folder = tmp_path_factory.mktemp("recorded")
    write_past(folder, BED)
    return folder


@asynccontextmanager
async def reviewing(folder: Path, size: tuple[int, int]) -> AsyncIterator[Pilot[None]]:
    bed = PaintedBed(BED, folder=folder)
    bed.play(10)
    app = BedsideApp(bed.feed, export_folder=folder / "exports")
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("r")
        await until(pilot, lambda: " event" in rows(pilot)[0])
        yield pilot


async def until(pilot: Pilot[None], seen: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < give_up_s, text(pilot)
        await pilot.pause(0.02)


async def to_asystole(pilot: Pilot[None]) -> None:
    """Choose the arrest among the events and wait for its strip."""
    screen = pilot.app.screen
    assert isinstance(screen, ReviewScreen)
    while not (screen.chosen and screen.chosen.code == "asystole"):
        await pilot.press("down")
    await until(pilot, lambda: "SYNTHETIC" in text(pilot))


async def test_an_event_is_shown_with_its_strip_and_the_beat_before_it_with_its_reconstruction(
    recorded: Path,
) -> None:
    async with reviewing(recorded, (160, 40)) as pilot:
        await to_asystole(pilot)
        await until(pilot, lambda: "rebuilt" in text(pilot))
        await until(
            pilot, lambda: any("A" in row and "B" in row and "▾" in row for row in rows(pilot))
        )
        shown = text(pilot)
        assert "***" in shown
        assert "heart rate /min" in shown


async def test_two_cursors_measure_what_lies_between_them_by_tap_and_by_key(recorded: Path) -> None:
    async with reviewing(recorded, (100, 30)) as pilot:
        await to_asystole(pilot)
        strip = pilot.app.screen.query_one("#strip")
        for share in (0.25, 0.5):
            await pilot.click("#strip", offset=(2 + int(share * strip.size.width), 5))
        await until(pilot, lambda: "A to B: 2.0" in text(pilot))
        await pilot.press("x")
        for _ in range(5):
            await pilot.press("full_stop")
        await until(pilot, lambda: "A to B: 2.2" in text(pilot))
        await pilot.press("x", "comma")
        await until(pilot, lambda: "cursor A" in text(pilot))


async def test_the_strip_moves_jumps_and_says_where_nothing_is_recorded(recorded: Path) -> None:
    async with reviewing(recorded, (80, 24)) as pilot:
        await to_asystole(pilot)
        before = rows(pilot)[9]
        await pilot.press("left")
        await until(pilot, lambda: rows(pilot)[9] != before)
        await pilot.click("#do-jump")
        await pilot.press(*"3h", "enter")
        await until(pilot, lambda: "nothing is recorded here" in text(pilot))
        await pilot.press("j")
        await pilot.press(*"soon", "enter")
        await until(pilot, lambda: "'soon' is no time" in text(pilot))


async def test_a_tap_on_the_course_goes_to_that_time(recorded: Path) -> None:
    async with reviewing(recorded, (100, 30)) as pilot:
        await to_asystole(pilot)
        await pilot.click("#course", offset=(30, 4))
        await until(pilot, lambda: "nothing is recorded here" in text(pilot))


async def test_a_strip_is_exported_as_a_page_at_true_scale(recorded: Path) -> None:
    async with reviewing(recorded, (100, 30)) as pilot:
        await to_asystole(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "written:" in text(pilot))
        [page] = (recorded / "exports").glob("*.svg")
        assert "25 mm/s" in page.read_text()


async def test_a_live_alarm_stays_in_sight_and_escape_leads_back(recorded: Path) -> None:
    bed = PaintedBed(BED, folder=recorded)
    bed.play(5)
    bed.raise_alarm("vf", Priority.HIGH, "ventricular fibrillation")
    app = BedsideApp(bed.feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        await until(pilot, lambda: "*** VENTRICULAR FIBRILLATION" in text(pilot))
        await pilot.click("#do-leave")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))


async def test_an_empty_store_is_said_to_be_empty(tmp_path: Path) -> None:
    async with reviewing(tmp_path, (80, 24)) as pilot:
        await until(pilot, lambda: "no alarm in the log" in text(pilot))
        await until(pilot, lambda: "nothing is recorded yet" in text(pilot))
        await pilot.press("e")
        await until(pilot, lambda: "nothing was written" in text(pilot))


async def test_of_many_events_the_last_are_shown_and_older_ones_come_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_past(tmp_path, BED, alarms=7)
    monkeypatch.setattr("bedside.tui.screens.review.MOST_EVENTS", 3)
    monkeypatch.setattr("bedside.review.MOST_EVENTS", 3)
    async with reviewing(tmp_path, (80, 24)) as pilot:
        assert "3 events of more" in rows(pilot)[0]
        screen = pilot.app.screen
        assert isinstance(screen, ReviewScreen)
        seen = [screen.chosen]
        for _ in range(6):
            await pilot.press("down")
            await pilot.app.workers.wait_for_complete()
            seen.append(screen.chosen)
        moments = [one.active_wall_us for one in seen if one]
        assert len(set(moments)) == 7
        assert moments == sorted(moments, reverse=True)
        await pilot.press("down")
        await pilot.app.workers.wait_for_complete()
        assert screen.chosen == seen[-1]


async def test_a_log_that_another_program_holds_is_said_in_words_and_the_course_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_past(tmp_path, BED)
    monkeypatch.setattr("bedside.alarms.log.BUSY_S", 0.05)
    holder = sqlite3.connect(tmp_path / "alarms.sqlite", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    async with reviewing(tmp_path, (100, 30)) as pilot:
        await until(pilot, lambda: "SYNTHETIC" in text(pilot) or "A to B" in text(pilot))

        def said() -> str:
            return " ".join(row[:36].strip() for row in rows(pilot))

        await until(pilot, lambda: "locked" in said())
        assert "stop the other program" in said()
        await until(pilot, lambda: "heart rate /min" in text(pilot))
    holder.close()


async def test_a_damaged_log_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "alarms.sqlite").write_bytes(b"no database" * 1000)
    bed = PaintedBed(BED, folder=tmp_path)
    bed.play(5)
    app = BedsideApp(bed.feed)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("r")
        await until(
            pilot, lambda: isinstance(app.screen, ReviewScreen) and "alarm log" in text(pilot)
        )


def test_the_nearest_beat_is_explained_with_a_reconstruction(recorded: Path) -> None:
    review = Review(recorded)
    [arrest] = [event for event in review.events(BED, AFTER_THE_LAST) if event.code == "asystole"]
    beat = review.explain(BED, review.moment_us(arrest) - 2_000_000)
    assert beat is not None
    assert beat.window_mv.shape == beat.reconstruction_mv.shape == (192,)
    assert not beat.abnormal
    assert abs(beat.wall_us - review.moment_us(arrest)) < 4_000_000


def test_a_beat_is_explained_as_it_was_scored_live(live: Recorded) -> None:
    """Its error to the precision that is recorded, its reconstruction from the same baseline."""
    review = Review(live.folder)
    [arrest] = [event for event in review.events(BED, AFTER_THE_LAST) if event.code == "asystole"]
    told = [review.explain(BED, review.moment_us(arrest) - ago_s * 1_000_000) for ago_s in (2, 20)]
    for beat in told:
        assert beat is not None
        [score] = [s for s in live.scored if np.allclose(s.window_mv, beat.window_mv, atol=1e-4)]
        assert score.threshold is not None
        assert score.threshold == beat.threshold
        assert beat.error == pytest.approx(score.error, rel=2e-3)
        assert beat.abnormal == score.abnormal
        assert beat.reconstruction_mv == pytest.approx(score.reconstruction_mv, abs=1e-3)


def test_the_view_around_an_arrest_has_beats_before_it_and_none_in_it(recorded: Path) -> None:
    review = Review(recorded)
    [arrest] = [event for event in review.events(BED, AFTER_THE_LAST) if event.code == "asystole"]
    view = review.view(BED, review.moment_us(arrest) - 4_000_000, 8.0)
    assert len(view.samples_mv) == 2000
    assert np.isfinite(view.samples_mv[:-10]).all()
    assert [mark for mark in view.marks if mark < 1000]
    assert not [mark for mark in view.marks if 1100 < mark < 2000]
    assert view.synthetic


NOW_US = 1_764_072_000_000_000


@pytest.mark.parametrize(
    ("typed", "ago_s"),
    [("now", 0), ("2h ago", 7200), ("10 min", 600), ("90s", 90), ("-10m", 900), ("+10m", -300)],
)
def test_a_moment_is_read_as_it_is_typed(typed: str, ago_s: int) -> None:
    shown_us = NOW_US - 300_000_000
    assert moment_us(typed, shown_us, NOW_US) == NOW_US - ago_s * 1_000_000


@pytest.mark.parametrize("typed", ["", "soon", "25:00", "12:60", "h", "--2h"])
def test_what_is_no_moment_is_none(typed: str) -> None:
    assert moment_us(typed, NOW_US, NOW_US) is None


def test_a_time_of_day_is_the_last_one_of_that_name() -> None:
    at_us = moment_us("12:40:57", NOW_US, NOW_US)
    assert at_us is not None
    assert 0 <= NOW_US - at_us < 86_400_000_000
    assert time.strftime("%H:%M:%S", time.localtime(at_us / 1e6)) == "12:40:57"

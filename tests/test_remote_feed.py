"""A screen elsewhere sees and does what one beside the station does, over a real broker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from bedside.alarms.log import AFTER_THE_LAST
from bedside.broker_address import Address
from bedside.delivery.log_transport import LogTransport
from bedside.errors import LinkError
from bedside.events import ActionDone, AlarmState
from bedside.feed import BedSnapshot
from bedside.node.link import Link
from bedside.recording.archived_event import ArchivedEvent
from bedside.remote_feed import RemoteFeed
from bedside.roles import Role
from bedside.settings import (
    AlertSettings,
    BrokerSettings,
    RecordingSettings,
    Settings,
    StationSettings,
)
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.mosquitto import Mosquitto

BED = "bed-1"
SPEED = 4.0


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    give_up_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_s, "it never came true"
        time.sleep(0.01)


def settings(broker: Mosquitto, folder: Path, **station: object) -> Settings:
    return Settings(
        broker=BrokerSettings(port=broker.port),
        station=StationSettings.model_validate({"data_dir": folder / "data", **station}),
        recording=RecordingSettings(sync_every_s=0.5),
        alerts=AlertSettings.model_validate({"contacts": [{"name": "nurse"}]}),
    )


@pytest.fixture
def station(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Station]:
    """A running station whose one patient's heart stops after 15 s, and starts again."""
    running = Station(settings(mosquitto, tmp_path), LogTransport(), speed=SPEED)
    running.admit(BED)
    running.start()
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/15,asystole/12,sinus/400"))
    with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED):
        yield running
    running.stop()


def live(feed: RemoteFeed) -> BedSnapshot | None:
    """The bed's picture once the station has confirmed it."""
    if BED not in feed.beds():
        return None
    snapshot = feed.snapshot(BED)
    return None if snapshot.fault else snapshot


def answer(feed: RemoteFeed, action_id: str) -> ActionDone:
    heard: list[ActionDone] = []

    def found() -> bool:
        heard.extend(feed.results())
        return any(one.action_id == action_id for one in heard)

    wait_for(found)
    return next(one for one in heard if one.action_id == action_id)


def test_numbers_trace_alarm_and_log_are_those_of_the_station(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    local = station.feed("beside")
    with RemoteFeed(settings(mosquitto, tmp_path), "afar") as feed:
        wait_for(lambda: live(feed) and len(feed.wave(BED, 0).samples_mv) > 1000)
        # What has come from afar is known here: the station is asked last.
        there = feed.wave(BED, 0)
        here = local.wave(BED, 0)
        first, stop = max(here.position, there.position) + 100, min(here.newest, there.newest)
        assert stop - first > 250
        ours = here.samples_mv[first - here.position : stop - here.position]
        theirs = there.samples_mv[first - there.position : stop - there.position]
        assert np.nanmax(np.abs(ours - theirs)[first % 2 :: 2]) < 0.002
        assert np.nanmax(np.abs(ours - theirs)) < 0.15
        assert set(there.marks) <= set(here.marks)
        assert there.marks

        def alarmed() -> bool:
            picture = live(feed)
            return picture is not None and "asystole" in {i.code for i in picture.instances}

        wait_for(alarmed)
        wait_for(lambda: len(feed.snapshot(BED).errors) > 5)
        picture = feed.snapshot(BED)
        arrest = next(i for i in picture.instances if i.code == "asystole")
        action = feed.act(BED, "acknowledge", {"instance": arrest.instance_id})
        assert answer(feed, action).done
        wait_for(
            lambda: any(line.state == AlarmState.ACKNOWLEDGED for line in feed.snapshot(BED).log)
        )
        assert picture.last_beat is not None
        log = feed.snapshot(BED).log
        again = local.snapshot(BED)
        assert {line.text for line in log} <= {line.text for line in again.log}
        assert picture.limits == again.limits
        assert [link.name for link in picture.links] == [link.name for link in again.links]
        by = [i.acknowledged_by for i in again.instances if i.code == "asystole"]
        assert by in (["afar"], [])


def test_the_trace_is_sent_only_while_a_screen_asks_for_it(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    pieces, listening = threading.Semaphore(0), threading.Event()
    spy = Link(
        Address("127.0.0.1", mosquitto.port),
        client_id="spy",
        subscriptions=(f"bedside/v1/station/bedside/bed/{BED}/wave",),
        on_message=lambda topic, payload: pieces.release(),
        on_state=lambda up, _: up and listening.set(),
    )
    spy.start()
    assert listening.wait(60)
    with RemoteFeed(settings(mosquitto, tmp_path), "afar") as feed:
        wait_for(lambda: live(feed))
        assert not pieces.acquire(timeout=0.5)
        feed.wave(BED, 0)
        assert pieces.acquire(timeout=60)
    spy.stop()


def test_a_screen_that_comes_late_sees_the_log_and_the_strip_of_before(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    local = station.feed()
    wait_for(lambda: BED in local.beds() and len(local.snapshot(BED).errors) > 8)
    with RemoteFeed(settings(mosquitto, tmp_path), "afar") as feed:
        wait_for(lambda: live(feed) and feed.snapshot(BED).log)
        assert len(feed.snapshot(BED).errors) > 8
        assert any("admitted" in line.text for line in feed.snapshot(BED).log)
        assert feed.contacts() == ("nurse",)


def test_coming_and_going_a_hundred_times_is_not_noticed(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    threads = threading.active_count()
    batches = station.ward.counts.batches
    for _ in range(100):
        with RemoteFeed(settings(mosquitto, tmp_path), "afar") as feed:
            wait_for(feed.beds)
            feed.wave(BED, 0)
    assert threading.active_count() <= threads + 1
    assert sum(station.summary()["failures"].values()) == 0
    wait_for(lambda: station.ward.counts.batches > batches)


def test_several_screens_see_the_same_and_the_station_analyses_once(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        feeds = [
            stack.enter_context(RemoteFeed(settings(mosquitto, tmp_path), f"user-{each}"))
            for each in range(5)
        ]
        for feed in feeds:
            wait_for(lambda feed=feed: live(feed) and feed.wave(BED, 0).newest > 500)
        wait_for(
            lambda: (
                len({feed.snapshot(BED).errors[-1:] for feed in feeds}) == 1
                and feeds[0].snapshot(BED).errors
            )
        )
        assert station.ward.counts.duplicates == 0


def test_a_station_that_stops_is_said_to_have_stopped(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.remote_feed.ANSWER_S", 1.0)
    running = Station(settings(mosquitto, tmp_path), LogTransport())
    running.admit(BED)
    running.start()
    with RemoteFeed(settings(mosquitto, tmp_path), "afar") as feed:
        wait_for(lambda: live(feed))
        running.stop()
        wait_for(lambda: "HAS STOPPED" in feed.snapshot(BED).fault)
        with pytest.raises(LinkError, match="not running"):
            RemoteFeed(settings(mosquitto, tmp_path), "late").__enter__()


def test_a_broker_that_freezes_makes_an_old_picture_say_so_and_one_that_comes_back_mends_it(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    running = Station(settings(mosquitto, tmp_path), LogTransport())
    running.admit(BED)
    running.start()
    with RemoteFeed(settings(mosquitto, tmp_path), "afar") as feed:
        wait_for(lambda: live(feed))
        mosquitto.freeze()
        began_s = time.monotonic()
        wait_for(lambda: "this picture is old" in feed.snapshot(BED).fault)
        assert 2.0 < time.monotonic() - began_s < 4.5
        mosquitto.thaw()
        wait_for(lambda: live(feed))
        mosquitto.kill()
        wait_for(lambda: feed.snapshot(BED).fault)
        with pytest.raises(LinkError, match="nothing was done"):
            feed.act(BED, "admit", {})
        mosquitto.start()
        wait_for(lambda: live(feed))
    running.stop()


def test_a_station_of_another_version_is_refused_in_words(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    connected = threading.Event()
    newer = Link(
        Address("127.0.0.1", mosquitto.port),
        client_id="newer",
        on_state=lambda up, _: up and connected.set(),
    )
    newer.start()
    assert connected.wait(60)
    state = {"version": 2, "up": True, "station": "bedside", "beds": []}
    newer.publish("bedside/v1/station/bedside/state", json.dumps(state).encode(), 1, True)
    with pytest.raises(LinkError, match="speaks version 2, this program 1"):
        RemoteFeed(settings(mosquitto, tmp_path), "afar").__enter__()
    newer.stop()


def test_a_look_back_from_elsewhere_sees_what_one_beside_the_station_sees(
    station: Station, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with RemoteFeed(settings(mosquitto, tmp_path), "afar") as feed:
        here, there = station.feed().recording(), feed.recording()

        def over() -> list[ArchivedEvent]:
            """Nothing of an arrest that is over changes between two looks at it."""
            events = here.events(BED, AFTER_THE_LAST)
            return [one for one in events if one.code == "asystole" and one.ended_wall_us]

        wait_for(over)
        [arrest] = over()
        assert arrest in there.events(BED, AFTER_THE_LAST)
        # Before the disk has its samples, its moment is the station's word alone.
        wait_for(lambda: here.moment_us(arrest) != arrest.onset_wall_us)
        wait_for(lambda: here.explain(BED, here.moment_us(arrest)) is not None)
        at_us = there.moment_us(arrest)
        assert at_us == here.moment_us(arrest)
        mine, theirs = here.view(BED, at_us - 4_000_000, 4), there.view(BED, at_us - 4_000_000, 4)
        assert np.allclose(theirs.samples_mv, mine.samples_mv, atol=0.001, equal_nan=True)
        assert theirs.marks == mine.marks
        beat, told = here.explain(BED, at_us), there.explain(BED, at_us)
        assert beat is not None
        assert told is not None
        assert np.allclose(told.reconstruction_mv, beat.reconstruction_mv, atol=0.001)
        course, heard = here.course(BED, at_us), there.course(BED, at_us)
        assert (heard.wall_us == course.wall_us).all()
        assert np.allclose(heard.heart_rate_bpm, course.heart_rate_bpm, atol=0.06, equal_nan=True)
        pages = there.pages(BED, at_us - 4_000_000, at_us)
        assert pages == here.pages(BED, at_us - 4_000_000, at_us)
        assert "25 mm/s" in pages[0]
        with pytest.raises(LinkError, match="at most 60 s"):
            there.view(BED, at_us, 3600)
        with pytest.raises(LinkError, match="install the same version"):
            feed.ask(BED, {"what": "the future"})
    assert station.summary()["failures"]["look back"] == 0


def test_a_user_who_may_only_look_is_told_so(mosquitto: Mosquitto, tmp_path: Path) -> None:
    roles = {"roles": {"visitor": Role.VIEW.word}}
    running = Station(settings(mosquitto, tmp_path, **roles), LogTransport())
    running.admit(BED)
    running.start()
    with RemoteFeed(settings(mosquitto, tmp_path), "visitor") as feed:
        wait_for(lambda: live(feed))
        refused = answer(feed, feed.act(BED, "discharge", {}))
        assert not refused.done
        assert "visitor may view" in refused.reason
        assert feed.recording().events(BED, AFTER_THE_LAST) == []
    running.stop()


def test_a_bed_that_is_not_there_is_refused_with_those_that_are(
    station: Station, mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.remote_feed.ANSWER_S", 1.0)
    with RemoteFeed(settings(mosquitto, tmp_path), "afar") as feed:
        wait_for(feed.beds)
        with pytest.raises(LinkError, match="choose one of bed-1"):
            feed.wait_for("bed-9")

"""What happens to the alarms when a part of the station stalls, fails or is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bedside.alarms.log import AlarmLog
from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.normal import Normal
from bedside.delivery.log_transport import LogTransport
from bedside.errors import ModelError
from bedside.events import AlarmChanged, AlarmState, Beat, BeatScored, BeatWindow, Event, Score
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, RecordSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.conftest import PROJECT
from tests.e2e.test_station import BED, SPEED, Listener, operator, settings, wait_for
from tests.mosquitto import Mosquitto
from tests.records import BUNDLED


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def wait_for_word(service: socket.socket, word: bytes) -> None:
    """Until systemd is told this; the watchdog may speak before it."""
    while service.recv(64) != word:
        pass


def forget(service: socket.socket) -> None:
    """Read what systemd was told so far."""
    service.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            service.recv(64)


class Stalling(Listener):
    """Holds the analysis thread fast from its first beat on, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.stalled_s = 0.0

    def __call__(self, bed: str, event: Event, wall_us: int) -> None:
        super().__call__(bed, event, wall_us)
        if isinstance(event, Beat) and not self.let_go.is_set():
            self.stalled_s = time.monotonic()
            self.let_go.wait(600)


def test_an_analysis_that_stalls_alarms_from_outside_and_starves_systemd(
    mosquitto: Mosquitto, tmp_path: Path, service: socket.socket
) -> None:
    heard = Stalling()
    station = Station(settings(mosquitto, tmp_path), LogTransport(), on_event=heard)
    station.admit(BED)
    station.start()
    wait_for_word(service, b"READY=1")
    with (
        VirtualNode(RecordSource(BUNDLED), BED, "127.0.0.1", mosquitto.port),
        operator(settings(mosquitto, tmp_path)) as client,
    ):
        raised = heard.alarm("analysis-stalled", AlarmState.ACTIVE)
        assert raised.instance.priority.value == "high"
        assert time.monotonic() - heard.stalled_s < 5.0
        codes = lambda: [alarm["code"] for alarm in client.beds()[BED]["alarms"]]  # noqa: E731
        wait_for(lambda: "analysis-stalled" in codes())
        forget(service)
        service.settimeout(1.5)
        with pytest.raises(TimeoutError):
            service.recv(64)
        heard.let_go.set()
        heard.alarm("analysis-stalled", AlarmState.ENDED)
        service.settimeout(30)
        wait_for_word(service, b"WATCHDOG=1")
    station.stop()
    # The node spoke all the while: that its batches waited is not its silence.
    codes_raised = {e.instance.code for _, e in heard.events if isinstance(e, AlarmChanged)}
    assert "node-silent" not in codes_raised


class Broken(Autoencoder):
    """A model that raises with every beat."""

    def __init__(self) -> None:
        self.version, self.population_threshold = "broken", 1.0

    def score_all(self, asked: object) -> list[list[Score]]:
        raise ModelError("it is broken")


@pytest.mark.parametrize("fault", ["missing", "raising"])
def test_the_rhythm_alarms_without_a_model_and_its_absence_is_an_alarm(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def no_model(path: Path | None = None) -> Autoencoder:
        raise ModelError("there is no model")

    if fault == "missing":
        monkeypatch.setattr(Autoencoder, "load", no_model)
    heard = Listener()
    station = Station(
        settings(mosquitto, tmp_path),
        LogTransport(),
        autoencoder=Broken() if fault == "raising" else None,
        speed=SPEED,
        on_event=heard,
    )
    station.admit(BED)
    station.start()
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/20,asystole"))
    with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED):
        asystole = heard.alarm("asystole", AlarmState.ACTIVE)
        stalled = heard.alarm("analysis-stalled", AlarmState.ACTIVE)
    station.stop()
    assert asystole.instance.priority.value == "high"
    assert stalled.instance.priority.value == "medium"


class Slow(Autoencoder):
    """A model that takes `takes_s` for each request until it is let go; None: it never answers."""

    def __init__(self, takes_s: float | None) -> None:
        self.version, self.population_threshold = "slow", 1.0
        self.takes_s = takes_s
        self.let_go = threading.Event()

    def score_all(
        self, asked: Sequence[tuple[Sequence[BeatWindow], Normal | None]]
    ) -> list[list[Score]]:
        for _ in asked:
            self.let_go.wait(self.takes_s)
        return [[Score(beat.sample, 0.1, beat.window_mv) for beat in beats] for beats, _ in asked]


@pytest.mark.parametrize("takes_s", [None, 0.4], ids=["never", "late"])
def test_scores_that_come_late_or_never_are_an_alarm_and_delay_no_alarm_of_the_rhythm(
    mosquitto: Mosquitto, tmp_path: Path, takes_s: float | None
) -> None:
    """Ten times real time: twelve beats a second ask for scores."""
    heard, model = Listener(), Slow(takes_s)
    station = Station(
        settings(mosquitto, tmp_path),
        LogTransport(),
        autoencoder=model,
        speed=SPEED,
        on_event=heard,
    )
    station.admit(BED)
    station.start()
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/50,asystole/20,sinus"))
    with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED):
        slow = heard.alarm("analysis-stalled", AlarmState.ACTIVE).instance
        asystole = heard.alarm("asystole", AlarmState.ACTIVE).instance
        assert takes_s or not any(isinstance(event, BeatScored) for _, event in heard.events)
        model.let_go.set()
        heard.alarm("analysis-stalled", AlarmState.ENDED)
    latencies_s = station.measures().counts.latencies_s
    station.stop()
    assert slow.priority.value == "medium"
    assert "too slow" in slow.text
    assert asystole.active_us is not None
    assert (asystole.active_us - asystole.onset_us) / 1e6 <= 5.0 + SPEED * 0.1
    # A batch that had to wait for an answer of the model would have waited for 0.4 s.
    assert (latencies_s.percentile(50) or 0.0) < 0.4


_STATION = """
import sys
from pathlib import Path
from bedside.delivery.log_transport import LogTransport
from bedside.events import AlarmChanged
from bedside.settings import BrokerSettings, Settings, StationSettings
from bedside.station import Station
import json, threading
def said(bed, event, wall_us):
    if isinstance(event, AlarmChanged):
        i = event.instance
        print(json.dumps([bed, i.instance_id, i.code, i.state.value]), flush=True)
station = Station(
    Settings(
        broker=BrokerSettings(port=int(sys.argv[1])),
        station=StationSettings(data_dir=Path(sys.argv[2])),
    ),
    LogTransport(), speed=10.0, on_event=said,
)
if sys.argv[3] == "admit":
    station.admit("bed-1")
station.start()
threading.Event().wait()
"""


def run_station(mosquitto: Mosquitto, folder: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _STATION, str(mosquitto.port), str(folder), how],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )


def test_kill_9_loses_no_alarm_that_was_raised_and_no_action_that_was_done(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Killed the moment an alarm is shown, and the moment an acknowledgement is answered."""
    folder = tmp_path / "data"
    episodes = ",".join(["sinus/9,asystole/8"] * 20)
    source = PatientSource(SyntheticPatient(), parse_episodes(episodes))
    shown: list[str] = []
    done: list[str] = []
    waiting: set[str] = set()
    with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED):
        for kill in range(2):
            with run_station(mosquitto, folder, "go on" if kill else "admit") as station:
                assert station.stdout is not None
                for line in station.stdout:
                    _, instance_id, code, state = json.loads(line)
                    if (code, state) == ("asystole", "active"):
                        shown.append(instance_id)
                        waiting.add(instance_id)
                        break
                if kill % 2:
                    with operator(settings(mosquitto, tmp_path)) as client:
                        assert client.act(BED, "acknowledge", {"instance": shown[-1]})[0]
                    done.append(shown[-1])
                    waiting.discard(shown[-1])
                station.send_signal(signal.SIGKILL)
            with closing(AlarmLog(folder / "alarms.sqlite")) as log:
                assert log.verify().intact
                rows = [row.payload for row in log.rows(limit=10**6) if row.kind == "alarm"]
            assert set(shown) <= {row["id"] for row in rows if row["active_s"] is not None}
            assert set(done) <= {row["id"] for row in rows if row["acknowledged_by"] == "nurse"}
    again = Station(
        settings(mosquitto, tmp_path), LogTransport(), speed=SPEED, on_event=lambda *_: None
    )
    left = {i.instance_id for i in again.feed().snapshot(BED).instances if i.code == "asystole"}
    again.stop()
    assert left == waiting


def test_a_disk_that_takes_no_row_hides_no_alarm(mosquitto: Mosquitto, tmp_path: Path) -> None:
    heard = Listener()
    station = Station(settings(mosquitto, tmp_path), LogTransport(), speed=SPEED, on_event=heard)
    station.admit(BED)
    station.start()
    path = tmp_path / "data" / "alarms.sqlite"
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/9,asystole"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED):
            raised = heard.alarm("asystole", AlarmState.ACTIVE)
            heard.alarm("storage-failing", AlarmState.ACTIVE)
        other.execute("ROLLBACK")
    station.stop()
    with closing(AlarmLog(path)) as log:
        assert raised.instance.instance_id in [
            row.payload.get("id") for row in log.rows(limit=10**6)
        ]
        assert log.verify().intact

"""`bedside screen` on a station's broker as `bedside broker setup` makes it: TLS and passwords."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bedside.delivery.log_transport import LogTransport
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, Piece, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.broker.site import free_port
from tests.mosquitto import Mosquitto
from tests.tmux import Tmux

BED = "icu-1"
STATION = "ward-3"


class Heart:
    """Beats until a test has it stop, for good."""

    def __init__(self) -> None:
        self._beating = PatientSource(SyntheticPatient(), parse_episodes("sinus/1"))
        self.rate_mhz, self.nv_per_lsb = self._beating.rate_mhz, self._beating.nv_per_lsb
        self.stops = threading.Event()

    def pieces(self) -> Iterator[Piece]:
        while not self.stops.is_set():
            yield from self._beating.pieces()
        yield from PatientSource(self._beating.patient, parse_episodes("asystole")).pieces()


class Ward:
    """A broker set up by the commands, with a station, a node and a nurse's screen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        included = folder / "conf.d" / "bedside.conf"
        config = folder / "bedside.toml"
        config.write_text(f'[station]\nname = "{STATION}"\n')
        where = ("--folder", str(folder / "broker"))
        ports = ("--port", str(self.port), "--plain-port", str(free_port()))
        self._bedside(
            *("broker", "setup", *where, "--included", str(included), *ports),
            *("--config", str(config)),
        )
        self._bedside("broker", "add-screen", "nurse", *where)
        self._bedside("broker", "add-node", BED, *where)
        self.broker = Mosquitto(folder, f"include_dir {included.parent}\nuser {folder.owner()}\n")
        self.broker.start()

    @staticmethod
    def _bedside(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "bedside", *arguments], check=True)

    def password_file(self, user: str) -> Path:
        return next((self.folder / "broker").rglob(f"{user}.password"))

    @property
    def ca_file(self) -> Path:
        return next((self.folder / "broker").rglob("ca.pem"))

    def station(self) -> Station:
        settings = Settings(
            broker=BrokerSettings(
                host="localhost",
                port=self.port,
                username=STATION,
                password_file=self.password_file(STATION),
                ca_file=self.ca_file,
            ),
            station=StationSettings(
                name=STATION, data_dir=self.folder / "data", roles={"nurse": "operate"}
            ),
            recording=RecordingSettings(sync_every_s=0.5),
        )
        return Station(settings, LogTransport())

    def screen(self, password_file: Path) -> list[str]:
        return [
            *(sys.executable, "-m", "bedside", "screen", "--station", "localhost"),
            *("--port", str(self.port), "--name", STATION, "--username", "nurse"),
            *("--password-file", str(password_file), "--ca-file", str(self.ca_file)),
        ]


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    made = Ward(tmp_path_factory.mktemp("ward"))
    yield made
    made.broker.kill()


def test_a_nurse_elsewhere_acknowledges_an_arrest_and_looks_back_at_it_over_tls(ward: Ward) -> None:
    station = ward.station()
    station.admit(BED)
    station.start()
    heart = Heart()
    node = VirtualNode(
        heart,
        BED,
        "localhost",
        ward.port,
        username=BED,
        password=ward.password_file(BED).read_text().strip(),
        ca_file=ward.ca_file,
    )
    with Tmux(ward.screen(ward.password_file("nurse")), 140, 38) as terminal, ExitStack() as bed:
        terminal.wait_for(f"BED {BED.upper()}")
        bed.enter_context(node)  # nobody sees a trace from before they looked
        terminal.wait_for(lambda screen: screen.count("▾") >= 5)
        heart.stops.set()
        terminal.wait_for(
            lambda screen: all(
                words in screen for words in ("*** ASYSTOLE", f"BED {BED.upper()}", "▾")
            )
        )
        terminal.keys("a")
        terminal.wait_for("acknowledged: asystole")
        [arrest] = [one for one in station.feed().snapshot(BED).instances if one.code == "asystole"]
        assert arrest.acknowledged_by == "nurse"
        terminal.keys("r")
        terminal.wait_for("REVIEW BED")
        terminal.wait_for(lambda screen: "asystole: no QRS" in screen and "SYNTHETIC" in screen)
        terminal.wait_for(lambda screen: "rebuilt" in screen)
        terminal.keys("Escape")
        terminal.wait_for("Acknowledge")
        # What a nurse may not do is refused in words.
        terminal.keys("b")
        terminal.wait_for("Discharge ends the session")
        terminal.keys("d")
        terminal.wait_for("nurse may operate, this needs the role configure")
    station.stop()


def test_a_wrong_password_is_said_in_one_sentence(ward: Ward, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.password"
    wrong.write_text("guess\n")
    wrong.chmod(0o600)
    refused = subprocess.run(ward.screen(wrong), check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "check user name and password" in refused.stderr
    assert "Traceback" not in refused.stderr

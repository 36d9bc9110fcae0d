"""The screen in a real terminal, from an empty station to an alarm that is acknowledged."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from tests.mosquitto import Mosquitto
from tests.tmux import Tmux


def test_a_nurse_admits_a_patient_sees_the_arrest_and_acknowledges_it_by_touch(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    configuration = tmp_path / "bedside.toml"
    configuration.write_text(
        f'[broker]\nport = {mosquitto.port}\n[station]\ndata_dir = "{tmp_path / "data"}"\n'
    )
    command = [sys.executable, "-m", "bedside", "run", "--config", str(configuration)]
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/18,asystole/60"))
    with Tmux(command, 100, 30) as terminal:
        terminal.wait_for("No node has spoken yet")
        with VirtualNode(source, "icu-1", "127.0.0.1", mosquitto.port):
            terminal.wait_for("no patient in this bed: alarms are off")
            terminal.keys("b")
            terminal.wait_for("Admit arms the alarms")
            terminal.keys("a")
            terminal.wait_for("whose limits?")
            terminal.keys("a")
            terminal.wait_for("admitted: alarms are armed")
            shown = terminal.wait_for(
                lambda screen: (
                    "*** ASYSTOLE" in screen.splitlines()[1]
                    and "not acknowledged" in screen.splitlines()[1]
                    and "SYNTHETIC" in screen
                    and "Acknowledge" in screen
                )
            )
            lines = shown.splitlines()
            row = max(at for at, line in enumerate(lines) if "Acknowledge" in line)
            terminal.click(lines[row].index("Acknowledge") + 2, row)
            terminal.wait_for(
                lambda screen: (
                    "*** ASYSTOLE" in screen.splitlines()[1]
                    and "not acknowledged" not in screen.splitlines()[1]
                )
            )
        terminal.keys("q")
        terminal.wait_for("This screen closes")
        terminal.keys("q")
        terminal.wait_until_ended()
    log = sqlite3.connect(tmp_path / "data" / "alarms.sqlite")
    assert any("acknowledged" in str(row) for row in log.execute("select * from rows"))
    log.close()

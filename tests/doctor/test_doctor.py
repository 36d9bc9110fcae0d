"""`bedside doctor`: what is well, what is not, and what to do about it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from bedside.doctor import links, machine, program, way_out
from bedside.settings import AlertSettings, BrokerSettings, Settings
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from tests.broker.site import free_port
from tests.e2e.test_demo import bedside
from tests.mosquitto import Mosquitto


def words(findings: list[machine.Finding]) -> str:
    return " ".join(finding.sentence for finding in findings)


def test_this_machine_is_one_of_ours() -> None:
    assert machine.architecture().ok
    assert machine.python().ok


def test_another_processor_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    assert not machine.architecture().ok


def test_a_console_without_braille_is_told_to_use_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert "ascii" in machine.terminal("braille").sentence


def test_a_folder_that_takes_a_write_is_well(tmp_path: Path) -> None:
    assert all(finding.ok for finding in machine.disk(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_nearly_full_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 499_000_000}))
    assert "free some" in words([f for f in machine.disk(tmp_path) if f.ok is False])


@pytest.mark.parametrize(
    ("player", "cards", "ok", "said"),
    [
        (
            "aplay",
            " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n   at 0x1 irq 2",
            True,
            "HDA Intel",
        ),
        ("aplay", "--- no soundcards ---\n", None, "a sound card is not"),
        ("aplay", None, None, "a sound card is not"),
        ("", "", False, "install pw-play or paplay or aplay"),
    ],
)
def test_sound_needs_a_player_and_a_card(
    player: str, cards: str | None, ok: bool | None, said: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if cards is not None:
        (tmp_path / "cards").write_text(cards)
    monkeypatch.setattr(machine, "CARDS", tmp_path / "cards")
    monkeypatch.setattr(machine.shutil, "which", lambda name: name if name == player else None)
    found = machine.sound()
    assert found.ok is ok
    assert said in found.sentence


def test_a_baseline_that_cannot_be_read_is_named_by_its_bed(tmp_path: Path) -> None:
    (tmp_path / "beds").mkdir()
    (tmp_path / "beds" / "icu-1.json").write_text("{")
    found = program.model_and_baselines(tmp_path)
    assert [finding.ok for finding in found] == [True, False]
    assert "icu-1" in found[1].sentence


def test_a_broker_that_is_away_is_said_to_be() -> None:
    (finding,) = links.broker(BrokerSettings(port=free_port()))
    assert finding.ok is False


def test_plain_text_to_another_machine_is_a_fault(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.node.link.check", lambda *_, **__: None)
    found = links.broker(BrokerSettings(host="broker.example"))
    assert "ca_file" in words([each for each in found if each.ok is False])


@pytest.mark.parametrize(
    ("rhythm", "well", "said"),
    [("sinus", True, "250.00 Hz"), ("lead-off", False, "electrode"), ("asystole", False, "flat")],
)
def test_a_node_is_known_by_what_it_sends(
    mosquitto: Mosquitto, rhythm: str, well: bool, said: str
) -> None:
    source = PatientSource(SyntheticPatient(seed=1), parse_episodes(rhythm))
    with VirtualNode(source, "icu-1", "127.0.0.1", mosquitto.port):
        (finding,) = links.nodes(BrokerSettings(port=mosquitto.port))
    assert finding.ok is well
    assert said in finding.sentence


def test_without_a_node_it_asks_for_one(mosquitto: Mosquitto) -> None:
    (finding,) = links.nodes(BrokerSettings(port=mosquitto.port), listened_s=0.3)
    assert finding.ok is None


def test_alerts_that_go_nowhere_are_not_called_well() -> None:
    (only_log,) = way_out.configured(Settings())
    assert only_log.ok is None
    webhook = Settings(alerts=AlertSettings(transports=("webhook",)))
    assert "alerts.contacts" in words([f for f in way_out.configured(webhook) if f.ok is False])


def test_the_command_lists_everything_and_fails_for_a_fault(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    config = tmp_path / "bedside.toml"
    config.write_text(f"[broker]\nport = {mosquitto.port}\n[station]\ndata_dir = '{tmp_path}'\n")
    done = bedside("doctor", "--json", "--config", str(config))
    rows = json.loads(done.stdout)
    assert {row["what"] for row in rows} >= {
        "disk",
        "clock",
        "model",
        "broker",
        "nodes",
        "python",
        "sound",
    }
    assert done.returncode == (2 if any(row["ok"] is False for row in rows) else 0)

"""`bedside simulate --native`: the firmware's core in the place of the Python node."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bedside.broker_address import Address
from bedside.errors import BedsideError
from bedside.events import Flags
from bedside.node import wire
from bedside.node.link import Link
from bedside.simulator import native_node
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, RecordSource
from tests.mosquitto import Mosquitto
from tests.records import BUNDLED


class Broker:
    """What a node says on a broker, as it comes."""

    def __init__(self, port: int) -> None:
        self.batches: list[wire.Batch] = []
        self.told: dict[str, dict[str, Any]] = {}
        self._news = threading.Condition()
        self._link = Link(
            Address("127.0.0.1", port),
            client_id="listener",
            subscriptions=("bedside/v1/bed-1/#",),
            on_message=self._heard,
        )

    def __enter__(self) -> Broker:
        self._link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.stop()

    def wait_for_batches(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.batches) >= count, 90)

    def wait_for_state(self, state: str) -> None:
        def reached() -> bool:
            return self.told.get("status", {}).get("state") == state

        with self._news:
            assert self._news.wait_for(reached, 90), self.told

    def _heard(self, topic: str, payload: bytes) -> None:
        with self._news:
            if topic.endswith("/ecg"):
                self.batches.append(wire.decode_batch(payload, "bed-1", 0))
            else:
                self.told[topic.rpartition("/")[2]] = json.loads(payload)
            self._news.notify_all()


@contextmanager
def simulating(
    folder: Path, mosquitto: Mosquitto, *options: str
) -> Iterator[subprocess.Popen[str]]:
    config = folder / "bedside.toml"
    config.write_text(f"[broker]\nport = {mosquitto.port}\n")
    command = ("simulate", "bed-1", "--native", "--config", str(config), *options)
    with subprocess.Popen(
        [sys.executable, "-m", "bedside", *command], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_a_record_is_played_by_the_core_itself(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    options = ("--record", str(BUNDLED), "--speed", "10")
    with Broker(mosquitto.port) as broker, simulating(tmp_path, mosquitto, *options):
        broker.wait_for_batches(50)
        broker.wait_for_state("online")
        assert broker.told["meta"]["device"] == "virtual node, native"
        heard = {batch.sequence: batch.samples for batch in broker.batches}
        samples = np.concatenate([heard[number] for number in range(50)])
    played = np.concatenate([piece.samples for piece in RecordSource(BUNDLED, seconds=20).pieces()])
    assert np.array_equal(samples, played[: len(samples)])


def test_a_synthetic_patient_ends_after_its_seconds(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    options = ("--rhythm", "lead-off/4,sinus", "--speed", "10", "--seconds", "20")
    with (
        Broker(mosquitto.port) as broker,
        simulating(tmp_path, mosquitto, *options) as process,
    ):
        assert process.wait(90) == 0
        broker.wait_for_state("offline")
    assert all(batch.flags & Flags.SYNTHETIC for batch in broker.batches)
    assert broker.batches[0].flags & Flags.LEAD_OFF_PLUS
    assert not broker.batches[-1].flags & Flags.LEAD_OFF_PLUS


def test_ending_the_command_ends_the_node(
    native_node: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with Broker(mosquitto.port) as broker, simulating(tmp_path, mosquitto) as process:
        broker.wait_for_batches(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 128 + signal.SIGTERM
        broker.wait_for_state("offline")


def test_a_node_that_is_not_built_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(native_node, "BUILD_FOLDER", tmp_path)
    with pytest.raises(BedsideError, match="cmake") as refusal:
        native_node.find_program()
    assert "\n" not in str(refusal.value)


def test_the_program_on_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / native_node.PROGRAM
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert native_node.find_program() == program


def test_a_program_that_fails_is_not_taken_for_one_that_has_sent_everything(
    tmp_path: Path,
) -> None:
    program = tmp_path / native_node.PROGRAM
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    source = PatientSource(SyntheticPatient())
    with (
        native_node.NativeNode(program, source, "bed-1", "127.0.0.1", 1) as node,
        pytest.raises(BedsideError, match="status 3"),
    ):
        node.wait_until_sent(10)

"""From a patient's asystole to a phone far away, and back, over real brokers with certificates."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bedside.alert_transport import alert_transport
from bedside.delivery import acknowledgement, iot_topics
from bedside.delivery.delivery import DeliveryState
from bedside.delivery.log_transport import LogTransport
from bedside.delivery.outbox import Outbox
from bedside.events import AlarmState
from bedside.settings import (
    AlertSettings,
    BrokerSettings,
    ContactSettings,
    IotCoreSettings,
    RecordingSettings,
    Settings,
    StationSettings,
)
from bedside.simulator.patient import SyntheticPatient
from bedside.simulator.source import PatientSource, parse_episodes
from bedside.simulator.virtual_node import VirtualNode
from bedside.station import Station
from tests.conftest import PROJECT
from tests.delivery.cloud import ACK_KEY, PATIENCE_S, THING, Cloud, Phone
from tests.e2e.test_station import BED, SPEED, Listener, operator, wait_for
from tests.mosquitto import Mosquitto


@pytest.fixture
def settings(mosquitto: Mosquitto, cloud: Cloud, tmp_path: Path) -> Settings:
    endpoint = cloud.endpoint()
    key = tmp_path / "acknowledge.key"
    key.touch(mode=0o600)
    key.write_bytes(ACK_KEY)
    return Settings(
        broker=BrokerSettings(port=mosquitto.port),
        station=StationSettings(data_dir=tmp_path / "data"),
        recording=RecordingSettings(sync_every_s=1.0),
        alerts=AlertSettings(
            transports=("iot-core",),
            contacts=(ContactSettings(name="nurse"), ContactSettings(name="doctor")),
            iot_core=IotCoreSettings(
                endpoint=endpoint.host,
                port=endpoint.port,
                thing=endpoint.thing,
                certificate_file=endpoint.certificate_file,
                key_file=endpoint.key_file,
                ca_file=endpoint.ca_file,
                acknowledge_key_file=key,
            ),
        ),
    )


@pytest.fixture
def config(settings: Settings, tmp_path: Path) -> Path:
    """The same settings as a file, for the command line."""
    iot = settings.alerts.iot_core
    path = tmp_path / "bedside.toml"
    path.write_text(
        f"[broker]\nport = {settings.broker.port}\n"
        f"[station]\ndata_dir = '{settings.station.data_dir}'\n"
        "[alerts]\ntransports = ['iot-core']\n"
        "contacts = [{name = 'nurse'}, {name = 'doctor'}]\n"
        f"[alerts.iot_core]\nendpoint = '{iot.endpoint}'\nport = {iot.port}\n"
        f"thing = '{iot.thing}'\ncertificate_file = '{iot.certificate_file}'\n"
        f"key_file = '{iot.key_file}'\nca_file = '{iot.ca_file}'\n"
        f"acknowledge_key_file = '{iot.acknowledge_key_file}'\n"
    )
    return path


@contextlib.contextmanager
def running(settings: Settings, heard: Listener) -> Iterator[Station]:
    transport = alert_transport(settings.alerts)
    station = Station(settings, transport, speed=SPEED, on_event=heard)
    station.admit(BED)
    station.start()
    try:
        with operator(settings):  # it hears the heart from its first beat on
            pass
        yield station
    finally:
        station.stop()


def test_alert_command(config: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bedside", "test-alert", "--config", str(config), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env=os.environ | {"COLUMNS": "200"},
    )


test_alert_command.__test__ = False  # type: ignore[attr-defined]


def told_of(phone: Phone, code: str) -> dict[str, Any]:
    """The alert about a condition; others may come before it."""
    while True:
        alert = phone.next("alert")
        if alert["code"] == code:
            return alert


def told_until(command: subprocess.Popen[str], hop: str) -> str:
    """What a command has printed up to a hop."""
    assert command.stdout is not None
    said = ""
    for line in command.stdout:
        said += line
        if line.endswith(f"  {hop}\n"):
            break
    return said


def hops(output: str) -> list[str]:
    return re.findall(r"^ *\d+ ms  (.*)$", output, re.MULTILINE)


def test_an_asystole_reaches_the_phone_and_is_acknowledged_from_there(
    settings: Settings, mosquitto: Mosquitto, phone: Phone
) -> None:
    heard = Listener()
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/20,asystole"))
    with (
        running(settings, heard) as station,
        VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED),
    ):
        raised = heard.alarm("asystole", AlarmState.ACTIVE).instance
        alert = told_of(phone, "asystole")
        assert (alert["bed"], alert["priority"]) == (BED, "high")
        phone.say(
            iot_topics.acknowledgement_topic(THING),
            acknowledgement.signed(alert["id"], "dr-who", THING, ACK_KEY),
        )
        seen = heard.alarm("asystole", AlarmState.ACKNOWLEDGED).instance
        assert seen.instance_id == raised.instance_id
        assert seen.acknowledged_by == "dr-who from afar"

        def deliveries() -> set[str]:
            log = station.feed().snapshot(BED).log
            return {line.delivery for line in log if line.mark == "***"}

        # The phone may answer before the cloud has said that it took the alert.
        wait_for(lambda: "acknowledged" in deliveries())


def test_a_discharge_ends_the_escalation_of_what_nobody_acknowledged(
    settings: Settings, mosquitto: Mosquitto, phone: Phone
) -> None:
    heard = Listener()
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/20,asystole"))
    with (
        running(settings, heard) as station,
        VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED),
    ):
        alert = told_of(phone, "asystole")
        done = threading.Event()
        station.act(BED, "d1", "nurse", "discharge", {}, lambda _: done.set())
        assert done.wait(PATIENCE_S)
    path = settings.station.data_dir / "outbox.sqlite"
    with contextlib.closing(Outbox(path, LogTransport(), contacts=2)) as outbox:
        [row] = [row for row in outbox.rows() if row.alert.alert_id == alert["id"]]
    assert row.state is DeliveryState.ACKNOWLEDGED


def test_an_alarm_that_the_cloud_cannot_hear_leaves_when_it_is_back(
    settings: Settings, mosquitto: Mosquitto, cloud: Cloud, phone: Phone
) -> None:
    heard = Listener()
    cloud.broker.stop()  # as a cloud does, it keeps the phone's session: the alert may be first
    source = PatientSource(SyntheticPatient(), parse_episodes("sinus/20,asystole"))
    with (
        running(settings, heard),
        VirtualNode(source, BED, "127.0.0.1", mosquitto.port, speed=SPEED),
    ):
        heard.alarm("asystole", AlarmState.ACTIVE)
        failing = heard.alarm("delivery-failing", AlarmState.ACTIVE)
        assert "Nobody answers" in failing.instance.text
        cloud.broker.start()
        assert told_of(phone, "asystole")["priority"] == "high"
        heard.alarm("delivery-failing", AlarmState.ENDED)


def test_a_test_goes_through_the_running_station_hop_by_hop(
    settings: Settings, config: Path, phone: Phone
) -> None:
    with running(settings, Listener()):
        assert phone.next("state")["status"] == "up"
        with test_alert_command(config, "--contact", "doctor") as command:
            alert = phone.next("alert")
            while not alert["test"]:  # nobody has attached a node to the bed: that is told, too
                alert = phone.next("alert")
            assert alert["contact"] == 2
            assert alert["sms"].startswith("TEST, no alarm: ")
            # Who answers before the cloud has said that it took the alert is told of first.
            output = told_until(command, "accepted")
            phone.say(
                iot_topics.acknowledgement_topic(THING),
                acknowledgement.signed(alert["id"], "dr-who", THING, ACK_KEY),
            )
            rest, errors = command.communicate(timeout=120)
            output += rest
    assert command.returncode == 0, errors
    assert hops(output) == ["connected", "committed", "sending", "accepted", "acknowledged"]
    assert "through the running station" in output


def test_without_a_station_a_test_goes_through_its_outbox(config: Path, phone: Phone) -> None:
    with test_alert_command(config, "--wait", "10") as command:
        assert phone.next("alert")["contact"] == 1
        output, errors = command.communicate(timeout=120)
    assert command.returncode == 0, errors
    # The link comes up when it does, and before anything is accepted.
    found = hops(output)
    assert found.index("connected") < found.index("accepted")
    assert [hop for hop in found if hop != "connected"] == ["committed", "sending", "accepted"]
    assert "Nobody acknowledged it" in output


def test_a_test_that_is_not_accepted_fails_and_says_why(config: Path, cloud: Cloud) -> None:
    cloud.broker.kill()
    with test_alert_command(config, "--wait", "5") as command:
        output, errors = command.communicate(timeout=120)
    assert command.returncode == 2
    assert "not accepted within 5 s" in errors
    assert "Nobody answers" in errors
    assert "Traceback" not in errors
    assert "committed" in hops(output)


def test_a_contact_that_nobody_knows_is_refused_by_name(config: Path) -> None:
    with test_alert_command(config, "--contact", "porter") as command:
        _, errors = command.communicate(timeout=120)
    assert command.returncode == 2
    assert "known are nurse, doctor" in errors


def test_no_key_appears_in_the_log_or_a_traceback(
    settings: Settings, config: Path, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """Every fault that names a file or an address is caused, and the secrets are looked for."""
    iot = settings.alerts.iot_core
    private = [line for line in iot.key_file.read_text().splitlines() if "KEY" not in line]
    secrets = [*private, ACK_KEY.decode()]
    said = []
    for breakage in (
        lambda: cloud.broker.kill(),
        lambda: iot.certificate_file.write_bytes(cloud.authority.file.read_bytes()),
        lambda: iot.key_file.chmod(0o644),
        lambda: iot.key_file.unlink(),
    ):
        breakage()
        with test_alert_command(config, "--wait", "1") as command:
            said.append("".join(command.communicate(timeout=120)))
        assert command.returncode == 2
    said += [json.dumps(repr(settings)), caplog.text]
    assert not [secret for secret in secrets if any(secret in text for text in said)]


def test_neither_the_key_of_a_webhook_nor_its_address_is_printed(tmp_path: Path) -> None:
    key = tmp_path / "webhook.key"
    key.touch(mode=0o600)
    key.write_bytes(ACK_KEY)
    config = tmp_path / "bedside.toml"
    config.write_text(
        f"[station]\ndata_dir = '{tmp_path / 'data'}'\n[alerts]\ntransports = ['webhook']\n"
        f"[alerts.webhook]\nurl = 'https://127.0.0.1:9/hook?token=hushhush'\nkey_file = '{key}'\n"
    )
    said = []
    for breakage in (lambda: None, lambda: key.chmod(0o644), lambda: key.write_bytes(b"hushhush")):
        breakage()
        with test_alert_command(config, "--wait", "5") as command:
            said.append("".join(command.communicate(timeout=120)))
        assert command.returncode == 2
    assert "127.0.0.1 cannot be reached" in said[0]
    assert not [text for text in said if "hushhush" in text or ACK_KEY.decode() in text]

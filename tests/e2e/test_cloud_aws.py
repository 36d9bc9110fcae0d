"""The whole way over a stand-in for AWS: set up, alert, rule, topic, policy, last will, remove."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bedside.delivery.iot_core import IotCore
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.transport import RemoteAcknowledgement
from bedside.errors import DeliveryError
from bedside.events import Priority
from tests.conftest import PROJECT
from tests.delivery.cloud import PATIENCE_S, News
from tests.delivery.wire import an_alert
from tests.ministack import REGION, Ministack

boto3 = pytest.importorskip("boto3", reason="needs the extra cloud")

THING = "bedside-7"
PHONE = "+491511234567"


class Site:
    """One monitor's configuration, and the AWS account that it belongs to."""

    def __init__(self, folder: Path, aws: Ministack) -> None:
        self.aws = aws
        self.keys = folder / "keys"
        ca_file = folder / "ca.pem"
        with urllib.request.urlopen(f"{aws.url}/_ministack/iot/ca.pem") as answer:
            ca_file.write_bytes(answer.read())
        self.config = folder / "bedside.toml"
        self.config.write_text(
            f"[station]\ndata_dir = '{folder / 'data'}'\n"
            "[alerts]\ntransports = ['iot-core']\n"
            f"contacts = [{{name = 'nurse', phone = '{PHONE}'}}]\n"
            f"[alerts.iot_core]\nendpoint = 'localhost'\nport = {aws.mqtt_port}\n"
            f"thing = '{THING}'\ncertificate_file = '{self.keys / 'certificate.pem'}'\n"
            f"key_file = '{self.keys / 'private.key'}'\nca_file = '{ca_file}'\n"
            f"acknowledge_key_file = '{self.keys / 'acknowledge.key'}'\n"
        )
        self.endpoint = IotEndpoint(
            "localhost",
            aws.mqtt_port,
            THING,
            self.keys / "certificate.pem",
            self.keys / "private.key",
            ca_file,
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bedside", *command, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=PROJECT,
            env=os.environ | self.aws.credentials(),
        )

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.aws.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def listen_to(self, contact: int) -> str:
        """A queue that hears what the contact's SNS topic hears: there is no phone to look at."""
        topics = self.client("sns").list_topics()["Topics"]
        [topic] = [t["TopicArn"] for t in topics if t["TopicArn"].endswith(f"-{contact}")]
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=f"phone-{contact}")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"]
        )
        return str(url)

    def next_message(self, url: str) -> str:
        """The text of the next notification on a queue."""
        sqs = self.client("sqs")
        give_up_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_s:
            found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
            for message in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return str(json.loads(message["Body"])["Message"])
        raise AssertionError("no notification")


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    aws = Ministack(tmp_path_factory.mktemp("aws"))
    yield aws
    aws.stop()


@pytest.fixture(scope="module")
def site(aws: Ministack, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A monitor that `bedside cloud provision` has set up."""
    site = Site(tmp_path_factory.mktemp("site"), aws)
    done = site.run("cloud", "provision")
    assert done.returncode == 0, done.stderr
    return site


def test_provisioning_makes_private_files_and_says_what_to_configure(site: Site) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in site.keys.iterdir()}
    assert modes == {"certificate.pem": 0o600, "private.key": 0o600, "acknowledge.key": 0o600}
    again = site.run("cloud", "provision")
    assert again.returncode == 0, again.stderr
    for kept in ("private.key", "acknowledge.key", "certificate", "stack"):
        assert any(
            line.startswith("kept") and kept in line for line in again.stdout.splitlines()
        ), again.stdout
    assert 'transports = ["iot-core"]' in again.stdout


def test_a_dry_run_prints_and_does_nothing(site: Site, tmp_path: Path) -> None:
    elsewhere = Site(tmp_path, site.aws)
    elsewhere.config.write_text(elsewhere.config.read_text().replace(THING, "bedside-dry"))
    done = elsewhere.run("cloud", "provision", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "bedside-bedside-dry" in done.stdout
    assert not elsewhere.keys.exists()
    stacks = site.client("cloudformation").describe_stacks()["Stacks"]
    assert [stack["StackName"] for stack in stacks] == ["bedside-bedside-7"]


def test_an_alert_makes_its_contacts_rule_fire_into_sns(site: Site) -> None:
    phones = [site.listen_to(contact) for contact in (1, 2)]
    alert = an_alert("ab12cd34", Priority.HIGH, "vt")
    core, news = IotCore(site.endpoint), News()
    core.start(news)
    news.wait_for(True)
    core.send(alert)
    assert alert.message() in site.next_message(phones[0])
    core.send(an_alert("ab12cd35", Priority.HIGH, "vt").__class__(**_second(alert)))
    assert "Id ab12cd34" in site.next_message(phones[1])
    core.close()


def _second(alert: Any) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in alert.__slots__} | {"contact": 2}

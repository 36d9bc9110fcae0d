"""The whole way over a stand-in for AWS: set up, alert, rule, topic, policy, last will, remove."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bedside.cli.main import app
from bedside.delivery.iot_core import IotCore
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.secret_file import read_secret
from bedside.delivery.transport import RemoteAcknowledgement
from bedside.errors import DeliveryError
from bedside.events import Priority
from tests.conftest import PROJECT
from tests.delivery.cloud import MONITOR, PATIENCE_S, News
from tests.delivery.server import Server
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
            timeout=300,
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
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        queue = found["Attributes"]["QueueArn"]
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
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


def test_a_key_that_was_lost_gets_a_new_certificate_and_the_old_one_is_deleted(site: Site) -> None:
    iot = site.client("iot")
    [before] = iot.list_certificates()["certificates"]
    (site.keys / "private.key").unlink()
    done = site.run("cloud", "provision")
    assert done.returncode == 0, done.stderr
    assert "deleted an earlier certificate" in done.stdout
    [after] = iot.list_certificates()["certificates"]
    assert after["certificateId"] != before["certificateId"]
    news = News()
    with link(site.endpoint, news) as core:
        news.wait_for(True)
        core.send(an_alert("ab12cd33"))


def test_the_stacks_outputs_are_what_the_configuration_and_the_check_need(site: Site) -> None:
    [stack] = site.client("cloudformation").describe_stacks()["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert outputs["ThingName"] == THING
    assert outputs["PolicyName"] == f"bedside-{THING}"
    assert outputs["ErrorQueueUrl"].endswith(f"bedside-{THING}-errors")
    topics = {f"{step}TopicArn": number for number, step in enumerate(("First", "Second"), 1)}
    assert all(outputs[name].endswith(f"bedside-{THING}-{n}") for name, n in topics.items())


def test_a_dry_run_prints_and_does_nothing(site: Site, tmp_path: Path) -> None:
    elsewhere = Site(tmp_path, site.aws)
    elsewhere.config.write_text(elsewhere.config.read_text().replace(THING, "bedside-dry"))
    done = elsewhere.run("cloud", "provision", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "bedside-bedside-dry" in done.stdout
    assert not elsewhere.keys.exists()
    stacks = site.client("cloudformation").describe_stacks()["Stacks"]
    assert [stack["StackName"] for stack in stacks] == ["bedside-bedside-7"]


@contextlib.contextmanager
def link(endpoint: IotEndpoint, news: News, key: bytes | None = None) -> Iterator[IotCore]:
    core = IotCore(endpoint, key, ack_timeout_s=60)  # the stand-in is slow on a busy machine
    core.start(news)
    try:
        yield core
    finally:
        core.close()


def test_an_alert_makes_its_contacts_rule_fire_into_sns(site: Site) -> None:
    nurse, doctor = site.listen_to(1), site.listen_to(2)
    alert, news = an_alert("ab12cd34", Priority.HIGH, "vt"), News()
    with link(site.endpoint, news) as core:
        news.wait_for(True)
        core.send(alert)
        assert alert.message() in site.next_message(nurse)
        core.send(replace(alert, alert_id="ab12cd35", contact=2))
        assert "Id ab12cd35" in site.next_message(doctor)


def test_the_rule_texts_the_contacts_number_as_far_as_the_stand_in_goes(site: Site) -> None:
    news = News()
    with link(site.endpoint, news) as core:
        news.wait_for(True)
        core.send(an_alert("ab12cd36", Priority.HIGH, "vt"))
    site.aws.wait_for_log(f"SMS {PHONE}")


def test_another_things_topic_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    news = News()
    with link(site.endpoint, news) as core:
        news.wait_for(True)
        monkeypatch.setattr(
            "bedside.delivery.iot_topics.alert_topic",
            lambda thing: "bedside/v1/thing/bedside-8/alert",
        )
        with pytest.raises(DeliveryError, match="policy does not allow"):
            core.send(an_alert("ab12cd37"))


def test_another_things_name_is_refused(site: Site) -> None:
    news = News()
    with link(replace(site.endpoint, thing="bedside-8"), news):
        news.wait_for("bedside cloud check")


def test_a_killed_monitor_texts_its_first_contact(site: Site) -> None:
    nurse = site.listen_to(1)
    endpoint = site.endpoint
    files = [endpoint.certificate_file, endpoint.key_file, endpoint.ca_file]
    arguments = [endpoint.host, str(endpoint.port), endpoint.thing, *map(str, files)]
    with subprocess.Popen(
        [sys.executable, "-c", MONITOR, *arguments], stdout=subprocess.PIPE, cwd=PROJECT
    ) as monitor:
        assert monitor.stdout is not None
        assert monitor.stdout.readline() == b"up\n"
        monitor.kill()
    texts = [site.next_message(nurse), site.next_message(nurse)]
    assert any("went silent" in text for text in texts), "the last will"
    assert any("lost its link" in text for text in texts), "the presence event"


def test_an_operator_acknowledges_with_the_command(site: Site) -> None:
    news = News()
    key = read_secret(site.keys / "acknowledge.key")
    with link(site.endpoint, news, key):
        news.wait_for(True)
        done = site.run("cloud", "ack", "ab12cd34")
        assert done.returncode == 0, done.stderr
        heard = news.wait_for(RemoteAcknowledgement)
    assert isinstance(heard, RemoteAcknowledgement)
    assert heard.alert_id == "ab12cd34"


def test_the_check_finds_the_link_well_and_says_what_it_could_not_ask(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An operator hears something within 2.3 s; a stand-in on a busy machine may take longer.
    monkeypatch.setattr("bedside.cli.cloud.SHORTEST_CHECK_S", 120.0)
    asked = ["cloud", "check", "--config", str(site.config)]
    done = CliRunner().invoke(app, asked, env=site.aws.credentials())
    assert done.exit_code == 0, done.output
    assert "Key and certificate fit and are valid." in done.output
    assert "its policy lets this monitor send alerts" in done.output
    # The stand-in knows neither the sandbox nor the spend limit.
    assert re.search(r"^\?      (The account could not|AWS did not)", done.output, re.MULTILINE)


def test_no_credential_of_the_operator_is_ever_printed(site: Site) -> None:
    """Where AWS refuses what was signed with them."""
    secret = "s3cr3t" * 7
    private = (site.keys / "private.key").read_text().splitlines()[1]
    with contextlib.closing(Server()) as refusing:
        refusing.status = 403
        told = {"AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": refusing.url.split("/al")[0]}
        for command in (["provision"], ["check"], ["ack", "ab12cd34"]):
            done = subprocess.run(
                [sys.executable, "-m", "bedside", "cloud", *command, "--config", str(site.config)],
                capture_output=True,
                text=True,
                cwd=PROJECT,
                env=os.environ | site.aws.credentials() | told,
            )
            said = done.stdout + done.stderr
            assert "AWS" in said
            assert not [each for each in ("Traceback", secret, private) if each in said]


def test_removing_takes_away_certificate_stack_and_keys(site: Site) -> None:
    iot = site.client("iot")
    apart = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=f"bedside-{THING}", target=apart)
    done = site.run("cloud", "remove", "--yes")
    assert done.returncode == 0, done.stderr
    assert list(site.keys.iterdir()) == []
    assert site.client("iot").list_certificates()["certificates"] == []
    assert site.client("cloudformation").describe_stacks()["Stacks"] == []
    again = site.run("cloud", "remove", "--yes")
    assert again.returncode == 0, again.stderr

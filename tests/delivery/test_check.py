"""Each reason why no alert arrives is told apart, in one sentence and in time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from bedside.delivery import (
    account_check,
    acknowledgement,
    aws,
    check,
    iot_topics,
    link_check,
)
from bedside.delivery.check import Finding, Question
from bedside.delivery.iot_core import IotCore
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.transport import RemoteAcknowledgement
from tests.certificates import Authority
from tests.delivery.cloud import ACK_KEY, PATIENCE_S, THING, Cloud, News, Phone

DAY = timedelta(days=1)
LINK_S = 1.0
"""How long a link is looked at that never answers."""


def the_fault(findings: list[Finding]) -> str:
    [fault] = [finding.sentence for finding in findings if finding.ok is False]
    assert "\n" not in fault
    return fault


def link_fault(endpoint: IotEndpoint, within_s: float = PATIENCE_S) -> str:
    began_s = time.monotonic()
    fault = the_fault(link_check.link(endpoint, within_s, speak=True))
    assert time.monotonic() - began_s < within_s + PATIENCE_S / 4
    return fault


# ── files ─────────────────────────────────────────────────────────────────────────────────────


def test_files_that_fit_are_said_to_fit(cloud: Cloud) -> None:
    [finding] = check.files(cloud.endpoint(ends=100 * DAY))
    assert finding == Finding(True, "Key and certificate fit and are valid.")


def test_a_certificate_that_ends_soon_is_told(cloud: Cloud) -> None:
    endpoint = cloud.endpoint(ends=5 * DAY)
    certificate = x509.load_pem_x509_certificate(endpoint.certificate_file.read_bytes())
    [finding] = check.files(endpoint)
    assert finding.ok
    assert f"expires {certificate.not_valid_after_utc:%Y-%m-%d}" in finding.sentence


def test_a_missing_key(cloud: Cloud) -> None:
    endpoint = cloud.endpoint()
    endpoint.key_file.unlink()
    assert "cannot be read" in the_fault(check.files(endpoint))


def test_a_missing_certificate(cloud: Cloud) -> None:
    endpoint = cloud.endpoint()
    endpoint.certificate_file.unlink()
    assert "cannot be read" in the_fault(check.files(endpoint))


def test_a_key_that_others_can_read(cloud: Cloud) -> None:
    endpoint = cloud.endpoint()
    endpoint.key_file.chmod(0o640)
    assert f"chmod 600 {endpoint.key_file}" in the_fault(check.files(endpoint))


def test_a_key_inside_a_source_repository(cloud: Cloud, tmp_path: Path) -> None:
    endpoint = cloud.endpoint()
    (tmp_path / ".git").mkdir()
    assert "inside a source repository" in the_fault(check.files(endpoint))


def test_a_mismatched_key(cloud: Cloud) -> None:
    _, other = cloud.authority.issue("other")
    assert "does not fit" in the_fault(check.files(replace(cloud.endpoint(), key_file=other)))


def test_files_that_are_neither_key_nor_certificate(cloud: Cloud) -> None:
    endpoint = cloud.endpoint()
    endpoint.key_file.write_text("x")
    assert "not a private key" in the_fault(check.files(endpoint))
    endpoint.certificate_file.write_text("x")
    assert "not a certificate" in the_fault(check.files(endpoint))


def test_an_expired_certificate(cloud: Cloud) -> None:
    assert "expired on" in the_fault(check.files(cloud.endpoint(begins=-2 * DAY, ends=-DAY)))


def test_a_certificate_that_is_not_yet_valid_points_to_the_clock(cloud: Cloud) -> None:
    fault = the_fault(check.files(cloud.endpoint(begins=DAY, ends=2 * DAY)))
    assert "valid only from" in fault
    assert "set the clock" in fault


# ── the way ───────────────────────────────────────────────────────────────────────────────────


def test_a_link_that_is_well(cloud: Cloud) -> None:
    [finding] = link_check.link(cloud.endpoint(), PATIENCE_S, speak=True)
    assert finding.ok
    assert "policy lets this monitor send alerts" in finding.sentence


def test_an_acknowledgement_that_waits_for_the_station_is_left_to_it(
    cloud: Cloud, phone: Phone
) -> None:
    def station(news: News) -> contextlib.closing[IotCore]:
        core = IotCore(cloud.endpoint(), ACK_KEY)
        core.start(news)
        return contextlib.closing(core)

    with station(News()):
        phone.next("state")
    phone.say(
        iot_topics.acknowledgement_topic(THING),
        acknowledgement.signed("ab12cd34", "dr-who", THING, ACK_KEY),
    )
    assert link_check.link(cloud.endpoint(), PATIENCE_S, speak=True)[0].ok
    news = News()
    with station(news):
        news.wait_for(RemoteAcknowledgement)


def test_a_running_station_is_not_thrown_out(cloud: Cloud) -> None:
    trusted, policy = link_check.link(cloud.endpoint(), PATIENCE_S, speak=False)
    assert trusted.ok
    assert policy.ok is None


def test_a_server_of_a_foreign_authority(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    foreign = Authority(tmp_path / "foreign", "other")
    assert "trusted authority" in link_fault(replace(cloud.endpoint(), ca_file=foreign.file))


def test_a_server_of_another_name(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, server_host="another.example")
    cloud.broker.start()
    assert "not for localhost" in link_fault(cloud.endpoint())
    cloud.broker.kill()


def test_a_server_whose_certificate_is_not_yet_valid_points_to_the_clock(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.authority.issue("server", host="localhost", begins=DAY, ends=2 * DAY)
    cloud.broker.start()
    assert "set this machine's clock" in link_fault(cloud.endpoint())
    cloud.broker.kill()


def test_a_certificate_that_the_server_does_not_take(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    certificate, key = Authority(tmp_path / "foreign", "other").issue(THING)
    endpoint = replace(cloud.endpoint(), certificate_file=certificate, key_file=key)
    assert "refused this certificate" in link_fault(endpoint)


def test_a_policy_that_refuses(cloud: Cloud) -> None:
    assert "policy does not let bedside-8" in link_fault(cloud.endpoint("bedside-8"))


def test_a_host_that_does_not_exist(cloud: Cloud) -> None:
    assert "no host" in link_fault(replace(cloud.endpoint(), host="nowhere.invalid"))


def test_a_port_where_nobody_listens(cloud: Cloud) -> None:
    cloud.broker.kill()
    assert "Nobody listens" in link_fault(cloud.endpoint())


def test_a_frozen_server(cloud: Cloud) -> None:
    cloud.broker.freeze()
    assert "answers nothing" in link_fault(cloud.endpoint(), LINK_S)


def test_a_port_that_swallows_everything(cloud: Cloud) -> None:
    """A full backlog drops connections without a word, as a firewall does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = int(full.getsockname()[1])
        waiting = []
        try:
            while True:
                caller = socket.socket()
                waiting.append(caller)
                caller.settimeout(0.5)
                caller.connect(("127.0.0.1", port))
        except TimeoutError:
            fault = link_fault(replace(cloud.endpoint(), host="127.0.0.1", port=port), LINK_S)
        finally:
            for caller in waiting:
                caller.close()
    assert "firewall may block the port" in fault


def test_a_question_that_hangs_is_left_alone_and_the_others_are_heard() -> None:
    """As a name server that is away: nothing bounds how long it keeps a connection waiting."""
    never = threading.Event()
    silent = Finding(False, "silent")
    began_s = time.monotonic()
    findings = check.answers(
        [
            Question(lambda: [Finding(never.wait(PATIENCE_S), "late")], silent),
            Question(lambda: [Finding(True, "a"), Finding(True, "b")], silent),
        ],
        within_s=1.0,
    )
    assert time.monotonic() - began_s < PATIENCE_S / 2
    never.set()
    assert [finding.sentence for finding in findings] == ["silent", "a", "b"]


# ── the account: real clients, with the answers that AWS documents ────────────────────────────


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lets a test say what AWS answers; nothing leaves this machine."""
    boto3 = pytest.importorskip("boto3", reason="needs the extra cloud")
    stub = pytest.importorskip("botocore.stub")
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-central-1"}

    def answers(
        *,
        sandbox: bool = False,
        limit: str = "10",
        spent: float = 1.0,
        failed: int = 0,
        clock: datetime | None = None,
    ) -> list[Finding]:
        clients = {name: boto3.client(name, **keys) for name in ("sns", "cloudwatch", "sqs")}
        stubs = {name: stub.Stubber(each) for name, each in clients.items()}
        when = clock or datetime.now(UTC)
        stubs["sns"].add_response(
            "get_sms_attributes",
            {
                "attributes": {"MonthlySpendLimit": limit},
                "ResponseMetadata": {"HTTPHeaders": {"date": f"{when:%a, %d %b %Y %H:%M:%S} GMT"}},
            },
        )
        stubs["sns"].add_response("get_sms_sandbox_account_status", {"IsInSandbox": sandbox})
        stubs["cloudwatch"].add_response(
            "get_metric_statistics", {"Datapoints": [{"Maximum": spent}]}
        )
        stubs["sqs"].add_response("get_queue_url", {"QueueUrl": "https://sqs.example/errors"})
        stubs["sqs"].add_response(
            "get_queue_attributes", {"Attributes": {"ApproximateNumberOfMessages": str(failed)}}
        )
        for each in stubs.values():
            each.activate()
        monkeypatch.setattr(aws, "client", lambda name, patient=True: clients[name])
        return [*account_check.texting(), *account_check.handed_on(THING)]

    return answers


def test_an_account_that_is_well(account: Any) -> None:
    assert [finding.ok for finding in account()] == [True] * 4


def test_the_sms_sandbox(account: Any) -> None:
    assert "SMS sandbox" in the_fault(account(sandbox=True))


def test_the_spend_limit(account: Any) -> None:
    assert "0.90 of 1.00 USD" in the_fault(account(limit="1", spent=0.9))


def test_alerts_that_a_rule_could_not_hand_on(account: Any) -> None:
    assert "3 alerts reached AWS and could not" in the_fault(account(failed=3))


@pytest.mark.parametrize("off", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_wrong_clock(account: Any, off: timedelta) -> None:
    fault = the_fault(account(clock=datetime.now(UTC) - off))
    assert f"{off.total_seconds() / 60:+.0f} min off" in fault


def test_without_credentials_the_account_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3", reason="needs the extra cloud")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    [finding] = account_check.texting()
    assert finding.ok is None
    assert "There are no AWS credentials" in finding.sentence

"""The CloudFormation template: valid, and about the same topics as the program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bedside.delivery import iot_topics, provision
from tests.conftest import PROJECT

THING = "${ThingName}"


def test_cfn_lint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("cfn-lint")
    if not program.exists():
        pytest.skip("needs cfn-lint: pip install 'bedside[dev]'")
    done = subprocess.run(
        [program, PROJECT / "bedside" / "delivery" / "template.yaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_rules_listen_where_the_monitor_speaks() -> None:
    listened = set(re.findall(r"FROM '([^']+)'", provision.template()))
    assert listened == {
        iot_topics.alert_topic(THING),
        iot_topics.state_topic(THING),
        f"$aws/events/presence/disconnected/{THING}",
    }


def test_the_policy_allows_the_monitors_topics_and_no_wildcard() -> None:
    thing = "${!iot:Connection.Thing.ThingName}"
    allowed = set(re.findall(r":(topic(?:filter)?/[^\"]+|client/[^\"]+)\"", provision.template()))
    assert allowed == {
        f"client/{thing}",
        f"topic/{iot_topics.alert_topic(thing)}",
        f"topic/{iot_topics.state_topic(thing)}",
        f"topicfilter/{iot_topics.acknowledgement_topic(thing)}",
        f"topic/{iot_topics.acknowledgement_topic(thing)}",
    }

"""The CloudFormation template: valid, and about the same topics as the program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """The stack's resources of a kind, by their names."""
    decode = pytest.importorskip("cfnlint.decode.cfn_yaml", reason="needs the extra dev")
    parsed = decode.loads(provision.template())
    return {
        name: each.get("Properties", {})
        for name, each in parsed["Resources"].items()
        if each["Type"] == kind
    }


def test_a_certificate_connects_only_for_the_thing_it_is_attached_to() -> None:
    [policy] = resources("AWS::IoT::Policy").values()
    connect, *others = policy["PolicyDocument"]["Statement"]
    assert connect["Action"] == "iot:Connect"
    assert connect["Condition"]["Bool"] == {"iot:Connection.Thing.IsAttached": "true"}
    assert {each["Action"] for each in others} == {"iot:Publish", "iot:Subscribe", "iot:Receive"}


def test_every_rule_hands_on_the_words_for_a_phone_and_what_it_cannot_hand_on_is_kept() -> None:
    rules = resources("AWS::IoT::TopicRule")
    assert len(rules) == 5
    for rule in rules.values():
        content = rule["TopicRulePayload"]
        [action] = content["Actions"]
        assert action["Sns"]["MessageFormat"] == "JSON"
        assert content["ErrorAction"]["Sqs"]["QueueUrl"] == {"Ref": "ErrorQueue"}
        sql = content["Sql"]["Fn::Sub"]
        assert re.search(r"^SELECT (\S+|'.*') AS default,\s+\1 AS sms", sql), sql


def test_the_rules_may_publish_to_the_stacks_topics_through_their_key_and_nothing_else() -> None:
    [role] = resources("AWS::IAM::Role").values()
    [policy] = role["Policies"]
    allowed: dict[str, Any] = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            allowed[action] = statement["Resource"]
    key = {"Fn::GetAtt": ["Key", "Arn"]}
    assert allowed == {
        "sns:Publish": [{"Ref": f"{step}Topic"} for step in ("First", "Second", "Third")],
        "kms:GenerateDataKey": key,
        "kms:Decrypt": key,
        "sqs:SendMessage": {"Fn::GetAtt": ["ErrorQueue", "Arn"]},
    }
    topics = resources("AWS::SNS::Topic").values()
    assert [topic["KmsMasterKeyId"] for topic in topics] == [{"Ref": "Key"}] * 3


def test_only_the_rules_of_this_account_and_region_may_take_the_role() -> None:
    [role] = resources("AWS::IAM::Role").values()
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "iot.amazonaws.com"}
    assert set(trust["Condition"]) == {"StringEquals", "ArnLike"}

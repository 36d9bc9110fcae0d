"""Why AWS texts nobody: the clock, the SMS sandbox, the spend limit, undelivered alerts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from bedside.delivery import aws
from bedside.delivery.aws import AwsError
from bedside.delivery.check import Finding

_CLOCK_OFF = timedelta(minutes=5)


def texting() -> list[Finding]:
    """The clock, the sandbox and the spend limit."""

    def ask() -> list[Finding]:
        sns = aws.client("sns", patient=False)
        answer = sns.get_sms_attributes()
        limit_usd = float(answer.get("attributes", {}).get("MonthlySpendLimit", "nan"))
        return [*_clock(answer), *_asked(lambda: [_sandbox(sns), _spending(limit_usd)])]

    return _asked(ask)


def handed_on(thing: str) -> list[Finding]:
    """Whether a rule of the stack could not hand an alert on."""
    return _asked(lambda: [_undelivered(thing)])


def _asked(question: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        with aws.in_words():
            return question()
    except AwsError as error:
        return [Finding(None, f"The account could not be asked. {error}")]


def _clock(answer: dict[str, Any]) -> list[Finding]:
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if said is None:
        return []
    off = datetime.now(UTC) - parsedate_to_datetime(said)
    if abs(off) > _CLOCK_OFF:
        minutes = off.total_seconds() / 60
        return [Finding(False, f"This machine's clock is {minutes:+.0f} min off: set the clock.")]
    return [Finding(True, "The clock is right.")]


def _sandbox(sns: Any) -> Finding:
    if not sns.get_sms_sandbox_account_status()["IsInSandbox"]:
        return Finding(True, "The account may text any number.")
    return Finding(
        False,
        "The account is in the SMS sandbox and texts only verified numbers: verify the contacts'"
        " numbers in the SNS console, or ask AWS to move the account out of it.",
    )


def _spending(limit_usd: float) -> Finding:
    now = datetime.now(UTC)
    measured = aws.client("cloudwatch", patient=False).get_metric_statistics(
        Namespace="AWS/SNS",
        MetricName="SMSMonthToDateSpentUSD",
        StartTime=now.replace(day=1, hour=0, minute=0),
        EndTime=now,
        Period=86_400,
        Statistics=["Maximum"],
    )
    spent_usd = max((point["Maximum"] for point in measured["Datapoints"]), default=0.0)
    words = f"{spent_usd:.2f} of {limit_usd:.2f} USD for SMS are spent this month"
    if spent_usd >= 0.8 * limit_usd:
        return Finding(False, f"{words}: raise the limit in the SNS console, or no SMS will leave.")
    return Finding(True, f"{words}.")


def _undelivered(thing: str) -> Finding:
    sqs = aws.client("sqs", patient=False)
    url = sqs.get_queue_url(QueueName=f"bedside-{thing}-errors")["QueueUrl"]
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    failed = int(counted["Attributes"]["ApproximateNumberOfMessages"])
    if failed:
        sentence = f"{failed} alerts reached AWS and could not be handed on to SNS"
        return Finding(False, f"{sentence}: read the queue bedside-{thing}-errors.")
    return Finding(True, "AWS handed every alert on to SNS.")

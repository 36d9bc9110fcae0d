"""The way out of the building: AWS where the configuration names it, asked all at once."""

from __future__ import annotations

from functools import partial

from bedside.alert_transport import iot_endpoint
from bedside.delivery import account_check, check, link_check
from bedside.delivery.check import Finding, Question
from bedside.delivery.outbox_file import in_use
from bedside.settings import Settings

_HEADWAY_S = 0.2
"""So much earlier the link gives up, to say how far it came."""

WAIT_S = 2.0
"""How long answers are waited for, where nobody says otherwise."""


def cloud(settings: Settings, within_s: float = WAIT_S) -> list[Finding]:
    """What keeps an alert from arriving over AWS, each thing once. Raises SettingsError."""
    endpoint = iot_endpoint(settings.alerts.iot_core)
    speak = not in_use(settings.station.data_dir / "outbox.sqlite")
    silent = Finding(None, "AWS did not answer in time.")
    questions = [
        Question(account_check.texting, silent),
        Question(lambda: account_check.handed_on(endpoint.thing), silent),
    ]
    findings = check.files(endpoint)
    if all(finding.ok is not False for finding in findings):
        way = partial(link_check.link, endpoint, within_s - _HEADWAY_S, speak=speak)
        questions.insert(0, Question(way, link_check.silence(endpoint)))
    findings += check.answers(questions, within_s)
    # Both questions to the account may meet the same obstacle.
    return list(dict.fromkeys(findings))


def configured(settings: Settings) -> list[Finding]:
    """Where alerts go, and what keeps them from it."""
    named = settings.alerts.transports
    if set(named) == {"log"}:
        sentence = "Alerts only go into this machine's log: name a transport in the configuration."
        return [Finding(None, sentence)]
    findings = [Finding(True, f"Alerts leave by {', then '.join(named)}.")]
    if not settings.alerts.contacts:
        findings.append(Finding(False, "Nobody is told: name alerts.contacts."))
    return findings + (cloud(settings) if "iot-core" in named else [])

"""`bedside cloud …`: the way to AWS, set up, checked, used from afar, and taken away."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from bedside import settings as settings_file
from bedside.cli import options
from bedside.delivery.provision import Installation
from bedside.errors import DeliveryError, SettingsError
from bedside.settings import Settings

group = typer.Typer(no_args_is_help=True, help="The way to AWS: set it up, check it, remove it.")

CHECK_S = 2.3
"""How long after the start of the process `check` stops to wait for answers."""

SHORTEST_CHECK_S = 0.8
"""What it waits at least, where a busy machine took long to start it."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="cloud")


@group.command()
def template() -> None:
    """Print the CloudFormation template."""
    from bedside.delivery import provision

    typer.echo(provision.template())


@group.command()
def provision(dry_run: DryRun = False, config: options.Config = None) -> None:
    """Set up AWS for this monitor; running it again changes only what is missing."""
    from bedside.delivery import provision as setup

    what = _installation(settings_file.load(config))
    if dry_run:
        for step in setup.plan(what):
            typer.echo(f"would {step}")
        return
    endpoint = setup.provision(what, typer.echo)
    typer.echo(
        "\nThe configuration needs:\n\n"
        '[alerts]\ntransports = ["iot-core"]\n\n'
        f'[alerts.iot_core]\nendpoint = "{endpoint}"\nthing = "{what.thing}"\n'
        f'certificate_file = "{what.certificate_file}"\nkey_file = "{what.key_file}"\n'
        f'acknowledge_key_file = "{what.acknowledge_key_file}"'
    )


@group.command("check")
def check_way(config: options.Config = None) -> None:
    """Say what keeps an alert from arriving, within 3 s; exit code 2 when something does."""
    from bedside.doctor.way_out import cloud

    settings = settings_file.load(config)
    findings = cloud(settings, max(SHORTEST_CHECK_S, CHECK_S - _running_s()))
    for finding in findings:
        typer.echo(f"{options.MARKS[finding.ok]}  {finding.sentence}")
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(2)


@group.command()
def remove(
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: options.Config = None,
) -> None:
    """Delete the monitor's certificate, stack and keys: no alert leaves over AWS any more."""
    from bedside.delivery import provision as setup

    what = _installation(settings_file.load(config))
    words = f"the stack {what.stack}, the certificates of {what.thing} and its keys on this machine"
    if dry_run:
        typer.echo(f"would delete {words}")
        return
    if not yes:
        typer.confirm(f"Delete {words}?", abort=True)
    setup.remove(what, typer.echo)


@group.command()
def ack(
    alert_id: Annotated[str, typer.Argument(help="The id at the end of the message.")],
    config: options.Config = None,
) -> None:
    """Acknowledge an alert from afar, with AWS credentials and the acknowledgement key."""
    from bedside.delivery import acknowledgement, iot_topics
    from bedside.delivery import provision as setup
    from bedside.delivery.secret_file import read_secret

    iot = settings_file.load(config).alerts.iot_core
    if iot.acknowledge_key_file is None:
        raise SettingsError("Acknowledging needs a key: set alerts.iot_core.acknowledge_key_file.")
    key = read_secret(iot.acknowledge_key_file)
    message = acknowledgement.signed(alert_id, options.operator(), iot.thing, key)
    try:
        acknowledgement.verified(message, iot.thing, key)
    except ValueError as error:
        raise DeliveryError(f"{alert_id} cannot be acknowledged: {error}.") from error
    setup.acknowledge(message, iot_topics.acknowledgement_topic(iot.thing))
    typer.echo(f"Sent: {alert_id} is acknowledged once the monitor hears it.")


def _running_s() -> float:
    """Seconds since this process was started, its imports included."""
    after_the_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started_s = int(after_the_name[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started_s)


def _installation(settings: Settings) -> Installation:
    iot = settings.alerts.iot_core
    return Installation(
        thing=iot.thing,
        phones=tuple(contact.phone for contact in settings.alerts.contacts),
        certificate_file=iot.certificate_file,
        key_file=iot.key_file,
        acknowledge_key_file=(
            iot.acknowledge_key_file or iot.key_file.with_name("acknowledge.key")
        ),
    )

"""`bedside test-alert`: one marked test through the whole real path, hop by hop."""

from __future__ import annotations

import queue
import time
import uuid
from typing import Annotated, Any

import typer

from bedside import settings as settings_file
from bedside.cli import options
from bedside.delivery.alert import test_alert, test_id
from bedside.delivery.delivery import DeliveryState
from bedside.errors import BedsideError, DeliveryError
from bedside.settings import AlertSettings, Settings

_HOPS = {
    DeliveryState.QUEUED: "committed",
    DeliveryState.SENT: "sending",
    DeliveryState.ACCEPTED: "accepted",
    DeliveryState.ACKNOWLEDGED: "acknowledged",
    DeliveryState.EXPIRED: "left in a digest",
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("test-alert")(command)


def command(
    contact: Annotated[
        str | None, typer.Option(help="Whom to tell, by name; without it, the first contact.")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds to wait for an acknowledgement.")
    ] = 30.0,
    config: options.Config = None,
) -> None:
    """Send a test, marked as one, the way a real alert goes; exit code 0 when it was accepted.

    Goes through the running station, or, where none runs here, through its outbox, along with
    whatever waits there.
    """
    settings = settings_file.load(config)
    number = _number(settings.alerts, contact)
    hops = _Hops(wait)
    try:
        _through_the_outbox(settings, number, hops)
    except _StationRunsHereError:
        _through_the_station(settings, number, hops)
    if hops.accepted and not hops.acknowledged:
        typer.echo(f"Nobody acknowledged it within {wait:.0f} s.")
    if not hops.accepted:
        raise DeliveryError(
            f"The test was not accepted within {wait:.0f} s: {hops.reason or 'no answer'}"
        )


class _StationRunsHereError(Exception):
    """The outbox is in use: the station has it."""


class _Hops:
    """Prints each hop with the time since the start."""

    def __init__(self, wait_s: float) -> None:
        self.accepted = False
        self.acknowledged = False
        self.reason = ""
        self._said: set[str] = set()
        self._wait_s = wait_s
        self.begin()

    def begin(self) -> None:
        """The clock runs from now."""
        self._began_s = time.monotonic()

    @property
    def left_s(self) -> float:
        """Seconds left to wait."""
        return max(0.0, self._began_s + self._wait_s - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.acknowledged or self.left_s == 0.0

    def connected(self, at_s: float) -> None:
        """The transport's link is up."""
        self._say("connected", at_s)

    def step(self, state: DeliveryState, reason: str, saved: bool, at_s: float) -> None:
        """The test's delivery made a step, at a monotonic time."""
        self.accepted |= state in (DeliveryState.ACCEPTED, DeliveryState.ACKNOWLEDGED)
        self.acknowledged |= state is DeliveryState.ACKNOWLEDGED
        if state is DeliveryState.FAILED:
            self.reason = reason
            self._say(f"failed: {reason}", at_s)
        elif state is DeliveryState.QUEUED and not saved:
            self._say("only in memory: the disk refused it", at_s)
        else:
            self._say(_HOPS[state], at_s)

    def _say(self, hop: str, at_s: float) -> None:
        if hop not in self._said:
            self._said.add(hop)
            typer.echo(f"{(at_s - self._began_s) * 1000:8.0f} ms  {hop}")


def _number(alerts: AlertSettings, name: str | None) -> int:
    names = [contact.name for contact in alerts.contacts]
    if name is None:
        return 1
    if name not in names:
        known = f"known are {', '.join(names)}" if names else "add it under alerts.contacts"
        raise BedsideError(f"There is no contact {name}: {known}.")
    return names.index(name) + 1


def _through_the_outbox(settings: Settings, contact: int, hops: _Hops) -> None:
    """Without a station: the same outbox and transport, in this process."""
    from bedside.alert_transport import alert_transport
    from bedside.delivery.alert import Alert
    from bedside.delivery.delivery import DeliveryStep
    from bedside.delivery.outbox_file import OutboxInUseError
    from bedside.dispatch import Dispatch

    happened: queue.Queue[tuple[float, DeliveryStep | bool]] = queue.Queue()

    class Office:
        def stepped(self, step: DeliveryStep) -> None:
            happened.put((time.monotonic(), step))

        def health(self, subject: str, ok: bool, detail: str, since_s: float | None = None) -> None:
            if subject == "cloud" and ok:
                happened.put((time.monotonic(), True))

        def acknowledged(self, alert: Alert, by: str) -> None:
            """The outbox has told it as a step."""

    path = settings.station.data_dir / "outbox.sqlite"
    transport = alert_transport(settings.alerts)
    try:
        dispatch = Dispatch(path, transport, settings.alerts, Office())
    except OutboxInUseError as error:
        raise _StationRunsHereError from error
    alert_id = test_id(uuid.uuid4().hex)
    typer.echo(f"Test {alert_id}, through the outbox of this machine; no station runs here.")
    hops.begin()
    dispatch.start()
    try:
        wall_us = time.time_ns() // 1000
        dispatch.put(test_alert(alert_id, settings.station.name, wall_us, contact))
        while not hops.over:
            try:
                at_s, what = happened.get(timeout=hops.left_s)
            except queue.Empty:
                break
            if isinstance(what, bool):
                hops.connected(at_s)
            elif what.alert_id == alert_id:
                hops.step(what.state, what.reason, what.saved, at_s)
    finally:
        dispatch.stop()


def _through_the_station(settings: Settings, contact: int, hops: _Hops) -> None:
    """Through the station that runs here, over its broker."""
    from bedside.station_client import StationClient

    action_id = uuid.uuid4().hex
    alert_id = test_id(action_id)
    with StationClient(settings, options.operator()) as client:
        # The link may be there before its subscriptions are: the beds come with them.
        client.beds()
        typer.echo(f"Test {alert_id}, through the running station.")
        hops.begin()
        done, reason = client.act("station", "test-alert", {"contact": contact}, action_id)
        if not done:
            raise BedsideError(f"The station refused: {reason}.")
        while not hops.over:
            step: dict[str, Any] | None = client.delivery_step(hops.left_s)
            if step is None:
                break
            if step["alert"] != alert_id:
                continue
            at_s = time.monotonic()
            if step["connected"]:
                hops.connected(at_s)
            hops.step(DeliveryState(step["state"]), str(step["reason"]), bool(step["saved"]), at_s)

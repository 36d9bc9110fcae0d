"""A monitor's delivery as a process: commits what it is told to, says each step, and may be killed.

Reads one JSON object a line: `{"first": 0, "count": 50, "every_s": 0.01, "high_every": 4}` commits,
`{"clock_s": 3600}` shifts the program's wall clock. Writes one JSON object a line: `up`, and the
steps `queued`, `sent`, `accepted`, `failed` with the alert's id and the seconds since it was
handed in.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bedside.delivery.alert import Alert
from bedside.delivery.delivery import DeliveryState, DeliveryStep
from bedside.delivery.iot_core import IotCore
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.dispatch import Dispatch
from bedside.events import Priority
from bedside.settings import AlertSettings

_CLOCK = {name: getattr(time, name) for name in ("time", "time_ns")}


class Office:
    """Says what happens."""

    def __init__(self) -> None:
        self.handed_in_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def say(self, what: str, **more: Any) -> None:
        with self._lock:
            print(json.dumps({"what": what, **more}), flush=True)

    def stepped(self, step: DeliveryStep) -> None:
        began_s = self.handed_in_s.get(step.alert_id)
        took_s = None if began_s is None else time.monotonic() - began_s
        self.say(step.state.value, id=step.alert_id, took_s=took_s, saved=step.saved)
        if step.state is DeliveryState.QUEUED and not step.saved:
            self.say("unsaved", id=step.alert_id)

    def health(self, subject: str, ok: bool, detail: str, since_s: float | None = None) -> None:
        if subject == "cloud":
            self.say("up" if ok else "down", detail=detail)

    def acknowledged(self, alert: Alert, by: str) -> None:
        self.say("acknowledged", id=alert.alert_id)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("outbox", type=Path)
    parser.add_argument("endpoint", help="IotEndpoint as JSON")
    parser.add_argument("--most-per-minute", type=float)
    arguments = parser.parse_args()
    fields = json.loads(arguments.endpoint)
    for name in ("certificate_file", "key_file", "ca_file"):
        fields[name] = Path(fields[name])
    alerts = AlertSettings()
    if arguments.most_per_minute:
        # More than the configuration allows, so that the alerts leave one by one.
        alerts = AlertSettings.model_construct(
            **(dict(alerts) | {"most_per_minute": arguments.most_per_minute})
        )
    office = Office()
    dispatch = Dispatch(arguments.outbox, IotCore(IotEndpoint(**fields)), alerts, office)
    dispatch.start()
    for line in sys.stdin:
        told = json.loads(line)
        if "clock_s" in told:
            _shift_clock(told["clock_s"])
        else:
            _commit(dispatch, office, told)
    dispatch.stop()


def _shift_clock(shift_s: int) -> None:
    time.time = lambda: _CLOCK["time"]() + shift_s
    time.time_ns = lambda: _CLOCK["time_ns"]() + shift_s * 1_000_000_000


def _commit(dispatch: Dispatch, office: Office, told: dict[str, Any]) -> None:
    for number in range(told["first"], told["first"] + told["count"]):
        high = number % told["high_every"] == 0
        alert = Alert(
            alert_id=f"{number:08x}",
            priority=Priority.HIGH if high else Priority.MEDIUM,
            code="vt" if high else "tachy",
            text="chaos",
            bed="icu-3",
            wall_us=time.time_ns() // 1000,
            heart_rate_bpm=None,
            instance_id=f"i{number}",
        )
        office.handed_in_s[alert.alert_id] = time.monotonic()
        dispatch.put(alert)
        time.sleep(told["every_s"])


if __name__ == "__main__":
    main()

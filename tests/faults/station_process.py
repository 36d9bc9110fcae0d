"""A station as a process that may be killed, and that says what it raised: one JSON object a line.

`python -m tests.faults.station_process SPECIFICATION` reads `{"clock_s": 3600}` on its standard
input: the program's wall clock jumps, by what it has been told in all.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bedside.delivery.iot_core import IotCore
from bedside.delivery.iot_endpoint import IotEndpoint
from bedside.delivery.log_transport import LogTransport
from bedside.delivery.transport import Transport
from bedside.events import AlarmChanged, Event, FoundLate
from bedside.recording import staging
from bedside.settings import Settings
from bedside.station import Station
from bedside.ward import Ward
from tests.conftest import PROJECT

PATIENCE_S = 300.0
_CLOCK = {name: getattr(time, name) for name in ("time", "time_ns")}


@dataclass(frozen=True)
class Said:
    """An alarm that changed, or a finding in late samples, and when it was said.

    `sample` is the bed's newest then, of its boot `boot_id`; both are None for the station's own.
    """

    at_s: float
    bed: str
    what: str
    instance_id: str
    code: str
    state: str
    priority: str
    text: str
    boot_id: int | None
    sample: int | None
    found_wall_s: float


class StationProcess:
    """Starts it, hears what it says, and kills it."""

    def __init__(
        self,
        settings: Settings,
        *,
        speed: float = 1.0,
        admit: tuple[str, ...] = (),
        cloud: IotEndpoint | None = None,
        memory: Path | None = None,
        log: Path | None = None,
    ) -> None:
        specification = {
            "settings": settings.model_dump(mode="json"),
            "speed": speed,
            "admit": admit,
            "cloud": None if cloud is None else asdict(cloud),
            "memory": memory,
        }
        self._news = threading.Condition()
        self._up = threading.Event()
        self.said: list[Said] = []
        with (log or Path(os.devnull)).open("a") as errors:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "tests.faults.station_process",
                    json.dumps(specification, default=str),
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                cwd=PROJECT, env=os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_up(self) -> None:
        assert self._up.wait(PATIENCE_S), "the station did not start"
        assert self._process.poll() is None, "the station ended at once"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith("\n"):
                break
            content = json.loads(line)
            if content == "up":
                self._up.set()
                continue
            with self._news:
                self.said.append(Said(time.monotonic(), **content))
                self._news.notify_all()
        self._up.set()

    def wait_for(
        self, wanted: Callable[[Said], bool], since: int = 0, timeout_s: float = PATIENCE_S
    ) -> Said | None:
        """The first of what it said after the first `since` that is wanted."""

        def found() -> Said | None:
            return next((each for each in self.said[since:] if wanted(each)), None)

        with self._news:
            self._news.wait_for(found, timeout_s)
            return found()

    def tell(self, **what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def is_running(self) -> bool:
        return self._process.poll() is None

    def resident_mb(self) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1000
        raise AssertionError("the station has gone")

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        """As systemd does. Raises where it does not end, or not well."""
        self._process.send_signal(signal.SIGTERM)
        code = self._end()
        assert code == 0, f"the station ended with {code}"

    def _end(self) -> int:
        code = self._process.wait(PATIENCE_S)
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
        return code


def main() -> None:
    specification = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    if specification["memory"] is not None:
        staging.MEMORY = Path(specification["memory"])
    lock = threading.Lock()
    ward: list[Ward] = []

    def say(content: object) -> None:
        with lock:
            print(json.dumps(content), flush=True)

    def event(bed: str, happened: Event, wall_us: int) -> None:
        known = ward[0]._beds if ward else {}
        boot_id, sample = (known[bed].monitor.heard_to if bed in known else None) or (None, None)
        if isinstance(happened, AlarmChanged):
            instance = happened.instance
            content = {
                "what": "alarm", "instance_id": instance.instance_id, "code": instance.code,
                "state": instance.state.value, "priority": instance.priority.value,
                "text": instance.text, "found_wall_s": 0.0,
            }  # fmt: skip
        elif isinstance(happened, FoundLate):
            content = {
                "what": "found late", "instance_id": "", "code": happened.code, "state": "",
                "priority": "", "text": happened.text,
                "found_wall_s": happened.found_wall_us / 1e6,
            }  # fmt: skip
        else:
            return
        say(content | {"bed": bed, "boot_id": boot_id, "sample": sample})

    transport: Transport = LogTransport()
    if specification["cloud"] is not None:
        fields = dict(specification["cloud"])
        for name in ("certificate_file", "key_file", "ca_file"):
            fields[name] = Path(fields[name])
        transport = IotCore(IotEndpoint(**fields))
    station = Station(
        Settings.model_validate(specification["settings"]), transport,
        speed=specification["speed"], on_event=event,
    )  # fmt: skip
    ward.append(station.ward)
    for bed in specification["admit"]:
        station.admit(bed)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=_listen, daemon=True).start()
    station.start()
    say("up")
    ended.wait()
    station.stop()


def _listen() -> None:
    shift_s = 0
    for line in sys.stdin:
        shift_s += json.loads(line)["clock_s"]
        _shift_clock(shift_s)


def _shift_clock(shift_s: int) -> None:
    time.time = lambda: _CLOCK["time"]() + shift_s
    time.time_ns = lambda: _CLOCK["time_ns"]() + shift_s * 1_000_000_000


if __name__ == "__main__":
    main()

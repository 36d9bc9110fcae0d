"""Alerts under fire: `python -m tests.faults.alert_chaos` kills, freezes and fills, and counts.

A real Mosquitto with TLS and client certificates, a real outbox on a real disk, and a process that
is killed in the middle of its work. The table says what was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import PROJECT
from tests.delivery.cloud import Cloud, Phone

PATIENCE_S = 180.0
HIGH_EVERY = 4
UNSAVED = 20
REMARKS = """The broker is Mosquitto on loopback with TLS and client certificates, keep-alive 30 s.
What it has taken and not yet passed on is lost when it is killed: that is counted apart. The full
disk is a limit of the kernel on the size of the process's files; the clock that jumps is the one
that the program reads. A SIGKILL is not a power cut: what a disk makes of a sync was not tried.
"""


@dataclass
class Count:
    """What one run came to."""

    process_kills: int = 0
    broker_kills: int = 0
    disk_full: int = 0
    unsaved: int = 0
    clock_jumps: int = 0
    committed: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    received: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    changed: int = 0
    order_kept: bool = False

    @property
    def lost(self) -> set[str]:
        """Committed and neither received, singly or in a digest, nor taken by the broker."""
        return self.committed - self.received.keys() - self.accepted

    @property
    def lost_by_the_broker(self) -> set[str]:
        """Taken by the broker, which was killed before the phone had them."""
        return (self.committed & self.accepted) - self.received.keys()

    @property
    def duplicates(self) -> int:
        """Receptions beyond the first of an id."""
        return sum(self.received.values()) - len(self.received)


class Sender:
    """The process that sends; `said` is what it has said."""

    def __init__(self, outbox: Path, cloud: Cloud, count: Count, most_per_minute: float) -> None:
        endpoint = json.dumps(asdict(cloud.endpoint()), default=str)
        command = [sys.executable, "-m", "tests.faults.alert_sender", str(outbox), endpoint]
        if most_per_minute:
            command += ["--most-per-minute", str(most_per_minute)]
        self._count = count
        self._news = threading.Condition()
        self.said: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith("\n"):
                return
            with self._news:
                self.said.append(json.loads(line) | {"at_s": time.monotonic()})
                if self.said[-1]["what"] == "queued" and self.said[-1]["saved"]:
                    self._count.committed.add(self.said[-1]["id"])
                if self.said[-1]["what"] == "accepted":
                    self._count.accepted.add(self.said[-1]["id"])
                self._news.notify_all()

    def tell(self, **what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def wait(self, what: str, times: int = 1) -> None:
        """Until it has said something so often."""
        with self._news:
            done = self._news.wait_for(lambda: len(self.all(what)) >= times, PATIENCE_S)
        assert done, f"{what} was said {len(self.all(what))} times, not {times}"

    def all(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.said if each["what"] == what]

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._end()

    def _end(self) -> None:
        self._process.wait(PATIENCE_S)
        self._reader.join()
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()


class Chaos:
    """One run: faults in the order of a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.count = Count()
        self._random = random.Random(seed)
        self._outbox = folder / "outbox.sqlite"
        (folder / "cloud").mkdir()
        self._cloud = Cloud(folder / "cloud", "max_queued_messages 0\n")
        self._cloud.broker.start()
        self._phone = Phone(self._cloud, "bedside/v1/thing/+/alert")
        self._cloud.broker.save()
        self._senders: list[Sender] = []
        self._next = 0
        self._words: dict[str, str] = {}

    def close(self) -> None:
        for sender in self._senders:
            sender.kill()
        self._phone.close()
        self._cloud.broker.kill()

    def run(self, alerts: int, process_kills: int, broker_kills: int) -> None:
        """Commit alerts in as many portions as there are kills, each of which hits its portion."""
        portion = alerts // process_kills + 1
        broker_killed = set(self._random.sample(range(process_kills), broker_kills))
        full = self._random.choice(sorted(set(range(process_kills)) - broker_killed))
        for number in range(process_kills):
            sender = self._sender(1e9)
            if number % 3 == 1:
                sender.tell(clock_s=self._random.choice([3600, -3600]))
                self.count.clock_jumps += 1
            if number == full:
                self._fill_disk(sender)
            # Some never get as far as the link before they die.
            if self._random.random() < 0.8:
                sender.wait("up")
            already = len(sender.all("queued"))
            self._commit(sender, portion, every_s=0.005)
            if number in broker_killed:
                sender.wait("queued", already + portion // 4)
                self._cloud.broker.kill()
                sender.wait("queued", already + portion // 2)
                self._cloud.broker.start()
                self.count.broker_kills += 1
            sender.wait("queued", already + self._random.randrange(portion // 2, portion))
            sender.kill()
            self.count.process_kills += 1
        last = self._sender(1e9)
        last.wait("up")
        self._receive(self.count.committed)
        last.stop()

    def order(self, alerts: int) -> None:
        """What waited through an outage leaves in order: newest high first, then the oldest."""
        sender = self._sender(1e9)
        sender.wait("up")
        downs = len(sender.all("down"))
        self._cloud.broker.kill()
        self.count.broker_kills += 1
        sender.wait("down", downs + 1)
        first = self._next
        self._commit(sender, alerts, every_s=0.001)
        sender.wait("queued", alerts)
        self._cloud.broker.start()
        self._receive(self.count.committed)
        sender.stop()
        left = [int(each["id"], 16) for each in sender.all("accepted")]
        numbers = range(first, first + alerts)
        high = [number for number in numbers if number % HIGH_EVERY == 0]
        others = [number for number in numbers if number % HIGH_EVERY]
        self.count.order_kept = left == [*reversed(high), *others]

    def _sender(self, most_per_minute: float) -> Sender:
        sender = Sender(self._outbox, self._cloud, self.count, most_per_minute)
        self._senders.append(sender)
        return sender

    def _commit(self, sender: Sender, alerts: int, every_s: float) -> None:
        sender.tell(first=self._next, count=alerts, every_s=every_s, high_every=HIGH_EVERY)
        self._next += alerts

    def _fill_disk(self, sender: Sender) -> None:
        """The kernel refuses the process every further byte of a file, for a while."""
        sender.wait("up")
        soft, hard = resource.prlimit(sender.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(sender.pid, resource.RLIMIT_FSIZE, (1, hard))
        self._commit(sender, UNSAVED, every_s=0.001)
        sender.wait("unsaved", UNSAVED)
        resource.prlimit(sender.pid, resource.RLIMIT_FSIZE, (soft, hard))
        self.count.disk_full += 1
        self.count.unsaved += UNSAVED

    def _receive(self, wanted: set[str]) -> None:
        """Until the phone has heard of all these, singly or in a digest."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not wanted <= self.count.received.keys() and time.monotonic() < deadline_s:
            try:
                content = self._phone.next("alert", timeout_s=1.0)
            except queue.Empty:
                continue
            self.count.messages += 1
            self.count.received.update(content["stands_for"] or [content["id"]])
            what = json.dumps([content[name] for name in ("priority", "code", "bed", "wall_us")])
            self.count.changed += self._words.setdefault(content["id"], what) != what


def table(count: Count) -> str:
    """The run as a table in Markdown."""
    rows = [
        ("alerts committed", str(len(count.committed))),
        ("SIGKILLs of the process", str(count.process_kills)),
        ("SIGKILLs of the broker", str(count.broker_kills)),
        ("stretches of a full disk", f"{count.disk_full} ({count.unsaved} sent from memory)"),
        ("jumps of the program's clock by ±1 h", str(count.clock_jumps)),
        ("**committed alerts lost**", f"**{len(count.lost)}**"),
        ("taken by the broker and lost with it", str(len(count.lost_by_the_broker))),
        ("duplicates, with the same id", str(count.duplicates)),
        ("duplicates whose content differs", str(count.changed)),
        ("order after an outage as promised", "yes" if count.order_kept else "NO"),
    ]
    return "\n".join(["| what | result |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the table here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder), arguments.seed)
        try:
            chaos.run(arguments.alerts, process_kills=14, broker_kills=5)
            chaos.order(40)
        finally:
            chaos.close()
    print(table(chaos.count))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(
            "# Alerts under fire\n\nWritten by `python -m tests.faults.alert_chaos --alerts"
            f" {arguments.alerts} --seed {arguments.seed} --out {arguments.out}`.\n\n"
            f"{table(chaos.count)}\n\n{REMARKS}"
        )
    if chaos.count.lost or chaos.count.changed or not chaos.count.order_kept:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""The outbox on a real disk, with transports that are really away."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.delivery.alert import Alert
from bedside.delivery.delivery import DeliveryState, DeliveryStep
from bedside.delivery.log_transport import LogTransport
from bedside.delivery.outbox import LATE_S, LONGEST_WAIT_S, SUMMARY_AGE_S, Outbox
from bedside.errors import DeliveryError
from bedside.events import Priority
from tests.delivery.wire import Wire, an_alert, states, the_instance_of


def reopened(path: Path, wire: Wire, **options: float) -> contextlib.closing[Outbox]:
    return contextlib.closing(Outbox(path, wire, **options))


# ── leaving ───────────────────────────────────────────────────────────────────────────────────


def test_an_alert_leaves_once_and_is_then_sent(outbox: Outbox, wire: Wire) -> None:
    assert outbox.commit(an_alert("a"), 0.0)
    assert states(outbox) == {"a": "queued"}
    assert len(outbox.waiting(0.0)) == 1
    [result] = outbox.drain(0.0)
    assert (result.alert_id, result.instance_id) == ("a", "instance-a")
    assert (result.state, result.attempt) == (DeliveryState.ACCEPTED, 1)
    assert outbox.drain(100.0) == []
    assert wire.ids == ["a"]
    assert states(outbox) == {"a": "accepted"}
    assert len(outbox.waiting(0.0)) == 0


def test_an_alert_is_on_disk_before_it_is_tried(path: Path, tmp_path: Path) -> None:
    found: list[list[tuple[str, str]]] = []

    class Looking:
        def send(self, alert: Alert) -> None:
            for name in ("outbox.sqlite", "outbox.sqlite-wal"):
                (tmp_path / f"seen-{name}").write_bytes((tmp_path / name).read_bytes())
            copy = tmp_path / "seen-outbox.sqlite"
            with contextlib.closing(sqlite3.connect(copy)) as database:
                found.append(database.execute("SELECT alert_id, state FROM deliveries").fetchall())

    with contextlib.closing(Outbox(path, Looking())) as outbox:
        outbox.commit(an_alert("a"), 0.0)
        outbox.drain(0.0)
    assert found == [[("a", "queued")]]


def test_every_commit_is_synced_to_disk(outbox: Outbox) -> None:
    pragma = outbox._file._database.execute
    assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
    assert pragma("PRAGMA synchronous").fetchone() == (2,)


def test_the_same_alert_committed_again_changes_nothing(outbox: Outbox, wire: Wire) -> None:
    outbox.commit(an_alert("a"), 0.0)
    outbox.commit(an_alert("a"), 0.0)
    outbox.drain(0.0)
    outbox.commit(an_alert("a"), 1.0)
    outbox.drain(1.0)
    assert wire.ids == ["a"]


def test_the_newest_active_high_alert_goes_first_and_then_the_oldest(
    outbox: Outbox, wire: Wire
) -> None:
    alerts = {
        name: an_alert(name, priority)
        for name, priority in {
            "medium-1": Priority.MEDIUM,
            "high-1": Priority.HIGH,
            "high-ended": Priority.HIGH,
            "high-2": Priority.HIGH,
            "medium-2": Priority.MEDIUM,
        }.items()
    }
    for alert in alerts.values():
        outbox.commit(alert, 0.0)
    outbox.follow("icu-3", the_instance_of(alerts["high-ended"], ended=True))
    outbox.drain(0.0)
    assert wire.ids == ["high-2", "high-1", "medium-1", "high-ended", "medium-2"]


def test_another_beds_instance_of_the_same_id_is_not_followed(outbox: Outbox, wire: Wire) -> None:
    outbox.commit(an_alert("old"), 0.0)
    high = an_alert("high", Priority.HIGH)
    outbox.commit(high, 0.0)
    outbox.follow("icu-4", the_instance_of(high, ended=True))
    outbox.drain(0.0)
    assert wire.ids == ["high", "old"]


# ── trying again ──────────────────────────────────────────────────────────────────────────────


def test_a_failed_alert_says_why_and_waits_longer_each_time_up_to_a_cap(
    outbox: Outbox, wire: Wire
) -> None:
    wire.up = False
    outbox.commit(an_alert("a"), 0.0)
    tried_at = [tenth / 10 for tenth in range(600) if outbox.drain(tenth / 10)]
    assert states(outbox) == {"a": "failed"}
    assert outbox.rows()[0].reason == "the link is down"
    waits = [b - a for a, b in pairwise(tried_at)]
    assert waits[:4] == pytest.approx([1.0, 2.0, 4.0, 8.0], abs=0.11)
    assert max(waits) <= LONGEST_WAIT_S + 0.1
    assert set(wire.attempts) == {"a"}
    wire.up = True
    results = outbox.drain(70.0)
    assert [(r.state, r.attempt) for r in results] == [(DeliveryState.ACCEPTED, len(tried_at) + 1)]


def test_jitter_only_shortens_a_wait_and_at_most_halves_it(path: Path, wire: Wire) -> None:
    wire.up = False
    with contextlib.closing(Outbox(path, wire, jitter=lambda: 0.0)) as outbox:
        outbox.commit(an_alert("a"), 0.0)
        outbox.drain(0.0)
        assert outbox.drain(0.49) == []
        assert len(outbox.drain(0.5)) == 1


def test_a_dead_link_is_tried_twice_at_most_in_one_drain(outbox: Outbox, wire: Wire) -> None:
    wire.up = False
    for number in range(50):
        outbox.commit(an_alert(f"a{number}"), 0.0)
    assert len(outbox.drain(0.0)) == 2


def test_once_one_alert_gets_through_all_that_wait_are_due(outbox: Outbox, wire: Wire) -> None:
    wire.up = False
    for number in range(4):
        outbox.commit(an_alert(f"a{number}"), 0.0)
    for second in range(30):
        outbox.drain(float(second))
    wire.up = True
    outbox.commit(an_alert("new"), 29.0)
    outbox.drain(29.0)
    assert len(outbox.waiting(0.0)) == 0


def test_an_hour_of_outage_leaves_within_seconds_of_the_links_return(
    outbox: Outbox, wire: Wire
) -> None:
    wire.up = False
    for second in range(3600):
        if second % 18 == 0:
            alert = an_alert(f"a{second}")
            outbox.commit(alert, float(second))
            outbox.follow("icu-3", the_instance_of(alert, ended=second % 36 == 0))
        outbox.drain(float(second))
    assert len(outbox.waiting(0.0)) == 200
    wire.up = True
    now_s = 3600.0
    while outbox.waiting(0.0):
        outbox.drain(now_s)
        now_s += 0.5
    assert now_s <= 3610.0
    assert not any(row.waits for row in outbox.rows())


def test_an_alert_that_is_always_refused_holds_up_no_other(outbox: Outbox, wire: Wire) -> None:
    wire.refused = {"bad-1", "bad-2", "bad-3"}
    for name in ("bad-1", "bad-2", "bad-3"):
        outbox.commit(an_alert(name, Priority.HIGH), 0.0)
    for number in range(5):
        outbox.commit(an_alert(f"good-{number}"), 0.0)
    for tenth in range(100):
        outbox.drain(tenth / 10)
    assert wire.ids == [f"good-{number}" for number in range(5)]
    assert len(outbox.waiting(0.0)) == 3


def test_a_fault_in_a_transport_is_loud_and_holds_up_no_other(path: Path) -> None:
    taken: list[str] = []

    class Faulty:
        def send(self, alert: Alert) -> None:
            if alert.alert_id == "first":
                raise ZeroDivisionError
            taken.append(alert.alert_id)

    with contextlib.closing(Outbox(path, Faulty())) as outbox:
        outbox.commit(an_alert("first"), 0.0)
        outbox.commit(an_alert("second"), 0.0)
        with pytest.raises(ZeroDivisionError):
            outbox.drain(0.0)
        with contextlib.suppress(ZeroDivisionError):
            outbox.drain(0.1)
        assert taken == ["second"]
        assert len(outbox.waiting(0.0)) == 1


def test_committing_does_not_wait_for_an_attempt_that_hangs(path: Path) -> None:
    trying, go_on = threading.Event(), threading.Event()

    class Hanging:
        def send(self, alert: Alert) -> None:
            trying.set()
            assert go_on.wait(120)

    with contextlib.closing(Outbox(path, Hanging())) as outbox:
        outbox.commit(an_alert("a"), 0.0)
        draining = threading.Thread(target=outbox.drain, args=(0.0,))
        draining.start()
        assert trying.wait(120)
        assert outbox.commit(an_alert("b"), 0.0)
        assert len(outbox.waiting(0.0)) == 2
        assert not go_on.is_set()
        go_on.set()
        draining.join(120)
        assert states(outbox)["a"] == "accepted"


# ── late alerts ───────────────────────────────────────────────────────────────────────────────


def test_a_late_alert_says_still_active_only_while_its_instance_lasts(
    outbox: Outbox, wire: Wire
) -> None:
    lasting, ended = an_alert("lasting"), an_alert("ended")
    outbox.commit(lasting, 0.0)
    outbox.commit(ended, 0.0)
    outbox.follow("icu-3", the_instance_of(ended, ended=True))
    outbox.commit(an_alert("fresh"), LATE_S)
    outbox.drain(LATE_S)
    assert {alert.alert_id: alert.still_active for alert in wire.taken} == {
        "lasting": True,
        "ended": False,
        "fresh": False,
    }


def test_old_alerts_of_ended_instances_leave_as_one_summary(outbox: Outbox, wire: Wire) -> None:
    wire.up = False
    codes = ["vt", "tachy", "tachy", "lead-off"]
    for number, code in enumerate(codes):
        priority = Priority.HIGH if code == "vt" else Priority.MEDIUM
        alert = an_alert(f"a{number}", priority, code)
        outbox.commit(alert, 0.0)
        outbox.follow("icu-3", the_instance_of(alert, ended=True))
    outbox.drain(0.0)
    outbox.commit(an_alert("now", Priority.HIGH), SUMMARY_AGE_S)
    wire.up = True
    outbox.drain(SUMMARY_AGE_S)
    first, summary = wire.taken
    assert first.alert_id == "now"
    assert summary.code == "summary"
    assert summary.priority is Priority.HIGH
    assert summary.text.startswith("4 ended alerts")
    for count in ("tachy 2", "vt 1", "lead-off 1"):
        assert count in summary.text
    assert len(outbox.waiting(0.0)) == 0
    expired = [row for row in outbox.rows() if row.state is DeliveryState.EXPIRED]
    assert len(expired) == 4
    assert {row.reason for row in expired} == {f"in summary {summary.alert_id}"}


def test_ages_are_told_from_the_oldest_waiting_alert(outbox: Outbox, wire: Wire) -> None:
    assert outbox.waiting(0.0) == []
    wire.refused = {"b"}
    outbox.commit(an_alert("a"), 10.0)
    outbox.commit(an_alert("b"), 30.0)
    assert [row.age_s(50.0) for row in outbox.waiting(50.0)] == [40.0, 20.0]
    outbox.drain(50.0)
    assert [row.age_s(60.0) for row in outbox.waiting(60.0)] == [30.0]


# ── acknowledgement ───────────────────────────────────────────────────────────────────────────


def test_an_acknowledged_alert_shows_so_but_still_leaves(outbox: Outbox, wire: Wire) -> None:
    alert = an_alert("a", Priority.HIGH)
    outbox.commit(alert, 0.0)
    outbox.follow("icu-3", the_instance_of(alert, acknowledged=True))
    assert states(outbox) == {"a": "queued"}
    outbox.drain(0.0)
    assert wire.ids == ["a"]
    assert states(outbox) == {"a": "acknowledged"}


def test_an_acknowledgement_after_delivery_is_remembered(
    outbox: Outbox, wire: Wire, path: Path
) -> None:
    alert = an_alert("a", Priority.HIGH)
    outbox.commit(alert, 0.0)
    outbox.drain(0.0)
    outbox.follow("icu-3", the_instance_of(alert, acknowledged=True))
    outbox.close()
    with reopened(path, wire) as again:
        assert states(again) == {"a": "acknowledged"}
        assert again.drain(0.0) == []


# ── restarts and a disk that refuses ──────────────────────────────────────────────────────────


def test_what_waits_survives_a_restart_and_what_left_does_not_leave_again(
    path: Path, wire: Wire
) -> None:
    with reopened(path, wire) as outbox:
        outbox.commit(an_alert("gone"), 0.0)
        outbox.drain(0.0)
        outbox.commit(an_alert("waiting"), 5.0)
    with reopened(path, wire) as again:
        assert [row.age_s(25.0) for row in again.waiting(25.0)] == [20.0]
        assert again.rows()[0].alert == an_alert("waiting")
        again.drain(25.0)
    assert wire.ids == ["gone", "waiting"]


def test_an_alert_of_an_earlier_run_claims_nothing_about_its_instance(
    path: Path, wire: Wire
) -> None:
    with reopened(path, wire) as outbox:
        outbox.commit(an_alert("unknown"), 0.0)
        outbox.commit(an_alert("shown-again"), 0.0)
    with reopened(path, wire) as again:
        again.follow("icu-3", the_instance_of(an_alert("shown-again")))
        again.drain(LATE_S)
    assert [alert.still_active for alert in wire.taken] == [False, True]


def test_after_a_reboot_ages_count_from_the_start(path: Path, wire: Wire) -> None:
    with reopened(path, wire) as outbox:
        outbox.commit(an_alert("a"), 50_000.0)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE deliveries SET machine_boot = 'an earlier one'")
    with reopened(path, wire) as again:
        assert [row.age_s(10.0) for row in again.waiting(10.0)] == [0.0]
        assert [row.age_s(15.0) for row in again.waiting(15.0)] == [5.0]


_SENDER = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from bedside.delivery.alert import Alert
from bedside.delivery.outbox import Outbox
from bedside.events import Priority

class Slow:
    def send(self, alert):
        print(json.dumps(["sent", alert.alert_id]), flush=True)

outbox = Outbox(Path(sys.argv[1]), Slow(), most_per_minute=1e9)
prefix = sys.argv[3]
for n in range(1_000_000):
    alert = Alert(f"{prefix}-{n}", Priority.MEDIUM, "tachy", "", "b", 0, None, f"i{n}")
    assert outbox.commit(alert, time.monotonic())
    print(json.dumps(["committed", alert.alert_id]), flush=True)
    if n % 3 == 0:
        outbox.drain(time.monotonic())
"""


def test_every_committed_alert_leaves_although_the_process_is_killed_again_and_again(
    path: Path, wire: Wire
) -> None:
    said: list[tuple[str, str]] = []
    root = str(Path(__file__).parents[2])
    for run in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", _SENDER, str(path), root, str(run)],
            stdout=subprocess.PIPE,
            text=True,
        ) as sender:
            assert sender.stdout is not None
            for count, line in enumerate(sender.stdout):
                if count == 40 + 7 * run:
                    sender.send_signal(signal.SIGKILL)
                if line.endswith("\n"):
                    said.append(tuple(json.loads(line)))
        assert sender.returncode == -signal.SIGKILL
    committed = {name for what, name in said if what == "committed"}
    sent = [name for what, name in said if what == "sent"]
    with reopened(path, wire, most_per_minute=1e9) as again:
        now_s = 0.0
        while again.waiting(0.0):
            again.drain(now_s)
            now_s += 10.0
    assert committed <= {*sent, *wire.ids}
    repeated = [name for name in {*sent, *wire.ids} if (sent + wire.ids).count(name) > 1]
    assert len(repeated) <= 3, "one in flight: a kill repeats one alert at most, with its id"


@contextlib.contextmanager
def files_cannot_grow() -> Iterator[None]:
    """The kernel itself refuses every write beyond a file's first byte, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_alert_that_the_disk_refuses_leaves_from_memory_and_is_marked(
    outbox: Outbox, wire: Wire, path: Path, steps: list[DeliveryStep]
) -> None:
    with files_cannot_grow():
        assert outbox.commit(an_alert("a"), 0.0) is False
        outbox.drain(0.0)
        assert wire.ids == ["a"]
        assert outbox.fault().startswith("1 only in memory (")
        assert {step.saved for step in steps} == {False}
    outbox.commit(an_alert("b"), 1.0)
    outbox.drain(1.0)
    assert outbox.fault() == ""
    assert [row.saved for row in outbox.rows()] == [True, True]
    outbox.close()
    with reopened(path, wire) as again:
        assert states(again) == {"a": "accepted", "b": "accepted"}


def test_an_alert_from_memory_is_saved_as_soon_as_the_disk_is_back_whatever_waits_before_it(
    path: Path,
) -> None:
    saved: list[bool] = []

    class Looking:
        def send(self, alert: Alert) -> None:
            saved.append(all(row.saved for row in outbox.rows()))
            if len(saved) == 1:
                with files_cannot_grow():
                    outbox.commit(an_alert("late"), 0.0)

    with contextlib.closing(Outbox(path, Looking())) as outbox:
        for name in ("a", "b", "c"):
            outbox.commit(an_alert(name), 0.0)
        outbox.drain(0.0)
    assert saved == [True] * 4


def test_two_stations_cannot_share_an_outbox(outbox: Outbox, path: Path, wire: Wire) -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from bedside.delivery.log_transport import LogTransport\n"
        "from bedside.delivery.outbox import Outbox\n"
        "try:\n    Outbox(Path(sys.argv[1]), LogTransport())\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    second = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert second.stdout.startswith("OutboxInUseError The outbox")
    assert "in use by another station" in second.stdout


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\x00" * 4096])
def test_what_is_no_outbox_is_set_aside_and_alerts_go_on(
    path: Path, wire: Wire, content: bytes
) -> None:
    path.write_bytes(content)
    with reopened(path, wire) as outbox:
        outbox.commit(an_alert("a"), 0.0)
        outbox.drain(0.0)
        assert "look into outbox.sqlite.damaged-1 and move it away" in outbox.fault()
    assert wire.ids == ["a"]
    aside = path.with_name("outbox.sqlite.damaged-1")
    assert aside.read_bytes() == content
    with reopened(path, wire) as again:
        assert "damaged-1" in again.fault()
        aside.unlink()
        assert again.fault() == ""


def test_alerts_on_the_sound_pages_of_a_damaged_outbox_still_leave(path: Path, wire: Wire) -> None:
    names = [f"a{number}" for number in range(60)]
    with reopened(path, wire) as outbox:
        for name in names:
            outbox.commit(an_alert(name), 0.0)
    content = bytearray(path.read_bytes())
    [page] = {at // 4096 for name in ("a30",) if (at := content.find(b'"alert_id": "a30"'))}
    content[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with reopened(path, wire, most_per_minute=1e9) as again:
        assert "damaged-1" in again.fault()
        again.drain(0.0)
    assert {"a0", "a59"} <= set(wire.ids) < set(names)
    assert len(wire.ids) > 40


def test_an_alert_that_cannot_be_read_costs_no_other(path: Path, wire: Wire) -> None:
    with reopened(path, wire) as outbox:
        for name in ("a", "b", "c"):
            outbox.commit(an_alert(name), 0.0)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE deliveries SET alert = '{' WHERE alert_id = 'b'")
    with reopened(path, wire) as again:
        assert "damaged" in again.fault()
        again.drain(0.0)
    assert wire.ids == ["a", "c"]


def test_an_outbox_of_another_version_is_refused_in_one_sentence(path: Path, wire: Wire) -> None:
    with reopened(path, wire) as outbox:
        outbox.commit(an_alert("a"), 0.0)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    content = path.read_bytes()
    with pytest.raises(DeliveryError, match="another version of bedside") as raised:
        Outbox(path, wire)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == content


def test_a_full_disk_at_the_start_still_lets_alerts_out(path: Path, wire: Wire) -> None:
    with reopened(path, wire) as outbox:
        outbox.commit(an_alert("earlier"), 0.0)
    with files_cannot_grow(), reopened(path, wire) as again:
        again.commit(an_alert("now"), 0.0)
        again.drain(0.0)
    assert wire.ids == ["earlier", "now"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, wire: Wire) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeliveryError, match=r"choose a station\.data_dir") as raised:
        Outbox(tmp_path / "file" / "outbox.sqlite", wire)
    assert "\n" not in str(raised.value)


def test_an_outbox_is_readable_by_its_owner_only(outbox: Outbox, path: Path) -> None:
    outbox.commit(an_alert("a"), 0.0)
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}


# ── laws ──────────────────────────────────────────────────────────────────────────────────────

_STEP = st.one_of(
    st.tuples(st.just("commit"), st.sampled_from(Priority)),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([0.3, 5.0, 400.0])),
    st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(st.just("restart"), st.none()),
)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(_STEP, max_size=40))
def test_whatever_happens_every_alert_leaves_singly_or_in_a_summary(
    steps: list[tuple[str, object]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, wire = Path(folder) / "outbox.sqlite", Wire()
        outbox = Outbox(path, wire)
        committed: list[Alert] = []
        now_s = 0.0
        for what, value in steps:
            if what == "commit":
                alert = an_alert(f"a{len(committed)}", value)
                committed.append(alert)
                outbox.commit(alert, now_s)
            elif what == "link":
                wire.up = bool(value)
            elif what == "wait":
                now_s += value
                outbox.drain(now_s)
            elif what == "end" and value < len(committed):
                outbox.follow("icu-3", the_instance_of(committed[value], ended=True))
            elif what == "restart":
                outbox.close()
                outbox = Outbox(path, wire)
        wire.up = True
        outbox.drain(now_s + LONGEST_WAIT_S)
        rows = {row.alert.alert_id: row for row in outbox.rows()}
        outbox.close()
    sent = set(wire.ids)
    for alert in committed:
        row = rows[alert.alert_id]
        summary = row.reason.removeprefix("in summary ")
        assert alert.alert_id in sent or (row.state is DeliveryState.EXPIRED and summary in sent)
    assert len(wire.ids) == len(sent), "nothing that was taken is sent again"


# ── the transport `log` ───────────────────────────────────────────────────────────────────────


def test_the_log_transport_writes_one_line(caplog: pytest.LogCaptureFixture) -> None:
    alert = replace(an_alert("abc123"), text="two\nlines")
    with caplog.at_level(logging.INFO, logger="bedside.alert"):
        LogTransport().send(alert)
    [record] = caplog.records
    assert record.name == "bedside.alert"
    assert record.getMessage() == alert.message()
    assert "\n" not in record.getMessage()

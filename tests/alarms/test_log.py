"""The alarm log on a real disk: what it keeps, and what it notices."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.alarms.log import AlarmLog, Verdict, opened
from bedside.errors import BedsideError
from bedside.set_aside import set_aside_before


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alarms.sqlite"


@pytest.fixture
def log(path: Path) -> Iterator[AlarmLog]:
    with reopened(path) as log:
        yield log


def reopened(path: Path) -> contextlib.closing[AlarmLog]:
    return contextlib.closing(AlarmLog(path))


def tamper(path: Path, *statements: str) -> None:
    """Change the file as somebody with an SQLite shell would."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TRIGGER rows_stay")
        database.execute("DROP TRIGGER rows_keep")
        for statement in statements:
            database.execute(statement)


def filled(path: Path, rows: int = 5) -> None:
    with reopened(path) as log:
        for number in range(rows):
            log.append("note", {"n": number}, wall_us=number, at_us=number)


# ── what it keeps ─────────────────────────────────────────────────────────────────────────────


def test_rows_come_back_in_order_after_a_restart(path: Path) -> None:
    filled(path)
    with reopened(path) as log:
        assert [row.payload for row in log.rows()] == [{"n": n} for n in range(5)]
        assert [row.number for row in log.rows(since=2, limit=2)] == [3, 4]
        assert [row.number for row in log.latest(2)] == [5, 4]
        row = log.append("note", {"n": 5}, wall_us=17, at_us=18)
        assert (row.number, row.wall_us, row.at_us) == (6, 17, 18)
        assert log.rows(since=5) == [row]
        assert log.verify() == Verdict(6)


def test_every_append_is_synced_to_disk(log: AlarmLog) -> None:
    assert log._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert log._database.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize("statement", ["DELETE FROM rows", "UPDATE rows SET at_us = 0"])
def test_rows_cannot_be_changed_by_accident(path: Path, log: AlarmLog, statement: str) -> None:
    log.append("note", {}, 0, 1)
    with (
        contextlib.closing(sqlite3.connect(path)) as database,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        database.execute(statement)


def test_a_payload_that_is_no_json_is_refused_and_leaves_no_row(log: AlarmLog) -> None:
    with pytest.raises(ValueError, match="JSON"):
        log.append("note", {"heart_rate_bpm": float("nan")}, 0, 0)
    assert log.rows() == []


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(payloads=st.lists(st.dictionaries(st.text(max_size=6), _JSON, max_size=4), max_size=6))
def test_any_json_payload_comes_back_and_verifies(payloads: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alarms.sqlite"
        for at_us, payload in enumerate(payloads):
            with reopened(path) as log:
                log.append("note", payload, 0, at_us)
        with reopened(path) as log:
            assert [row.payload for row in log.rows()] == payloads
            assert log.verify().intact


_WRITER = """
import sys
from pathlib import Path
from bedside.alarms.log import AlarmLog
log = AlarmLog(Path(sys.argv[1]))
for n in range(1_000_000):
    print(log.append("note", {"n": n}, 0, n).number, flush=True)
"""


def test_an_appended_row_survives_kill_9(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        said = 0
        for line in writer.stdout:
            if line.endswith("\n"):
                said = int(line)
            if said == 50:
                writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    with reopened(path) as log:
        assert len(log.rows(limit=10**6)) >= said >= 50
        assert log.verify().intact
        log.append("note", {}, 0, 0)
        assert log.verify().intact


def test_two_writers_at_once_keep_one_chain(path: Path) -> None:
    def write(log: AlarmLog) -> None:
        for number in range(50):
            log.append("note", {"n": number}, 0, number)

    with reopened(path) as one, reopened(path) as other, ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(write, log) for log in (one, other)]:
            done.result()
        assert one.verify() == Verdict(100)
        assert one.head() == other.head()


# ── what it notices ───────────────────────────────────────────────────────────────────────────

_SWAP = (
    "UPDATE rows SET number = -2 WHERE number = 2",
    "UPDATE rows SET number = 2 WHERE number = 3",
    "UPDATE rows SET number = 3 WHERE number = -2",
)
_MOVE_DOWN = "UPDATE rows SET number = number - 1 WHERE number > {}"


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        (["UPDATE rows SET payload = '{}' WHERE number = 3"], Verdict(2, "changed", 3)),
        (["UPDATE rows SET wall_us = 99 WHERE number = 1"], Verdict(0, "changed", 1)),
        (["UPDATE rows SET at_us = 99 WHERE number = 5"], Verdict(4, "changed", 5)),
        (["UPDATE rows SET kind = 'x' WHERE number = 2"], Verdict(1, "changed", 2)),
        (["UPDATE rows SET hash = previous WHERE number = 2"], Verdict(1, "changed", 2)),
        (["DELETE FROM rows WHERE number = 3"], Verdict(2, "missing", 3)),
        (["DELETE FROM rows WHERE number = 1"], Verdict(0, "missing", 1)),
        (["DELETE FROM rows WHERE number = 5"], Verdict(4, "missing", 5)),
        (["DELETE FROM rows"], Verdict(0, "missing", 1)),
        (["DELETE FROM rows WHERE number = 2", _MOVE_DOWN.format(2)], Verdict(1, "missing", 2)),
        (["DELETE FROM rows WHERE number = 1", _MOVE_DOWN.format(1)], Verdict(0, "missing", 1)),
        (list(_SWAP), Verdict(1, "reordered", 2)),
    ],
)
def test_the_first_changed_missing_or_moved_row_is_named(
    path: Path, statements: list[str], verdict: Verdict
) -> None:
    filled(path)
    tamper(path, *statements)
    with reopened(path) as log:
        assert log.verify() == verdict


def test_a_verdict_reads_as_a_sentence(path: Path) -> None:
    filled(path)
    with reopened(path) as log:
        assert str(log.verify()) == "The alarm log is intact: 5 rows."
    tamper(path, "DELETE FROM rows WHERE number = 3")
    with reopened(path) as log:
        assert str(log.verify()) == "Row 3 of the alarm log was removed."


@settings(max_examples=40, deadline=None)
@given(
    row=st.integers(1, 6),
    column=st.sampled_from(["kind", "payload", "previous", "hash"]),
    position=st.integers(0, 200),
)
def test_any_changed_letter_is_noticed(row: int, column: str, position: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alarms.sqlite"
        filled(path, 6)
        with contextlib.closing(sqlite3.connect(path)) as database:
            [text] = database.execute(f"SELECT {column} FROM rows WHERE number = {row}").fetchone()
        at = position % len(text)
        if column == "payload":
            assert json.loads(text) == {"n": row - 1}
            at = text.index(str(row - 1))
        other = "7" if text[at] != "7" else "8"
        tamper(
            path,
            f"UPDATE rows SET {column} = '{text[:at] + other + text[at + 1 :]}'"
            f" WHERE number = {row}",
        )
        with reopened(path) as log:
            verdict = log.verify()
        assert verdict.fault
        assert verdict.number == row


# ── what a restart begins from ────────────────────────────────────────────────────────────────


def note(bed: str, n: int) -> tuple[str, dict[str, Any], int, int]:
    return "note", {"bed": bed, "n": n}, 0, n


def test_the_rows_since_the_last_start_come_by_bed(path: Path) -> None:
    with reopened(path) as log:
        assert log.of_last_run() == {}
        log.append_all([note("bed-1", 1), ("start", {"bed": ""}, 0, 0), note("bed-1", 2)])
        log.append_all([note("bed-2", 3), note("bed-1", 4), note("", 5)])
    with reopened(path) as log:
        beds = {bed: [row.payload["n"] for row in rows] for bed, rows in log.of_last_run().items()}
        assert beds == {"bed-1": [2, 4], "bed-2": [3], "": [5]}


def test_rows_that_are_added_together_are_all_there_or_none_is(log: AlarmLog) -> None:
    with pytest.raises(ValueError, match="JSON"):
        log.append_all([note("bed-1", 1), ("note", {"n": float("inf")}, 0, 0)])
    assert log.rows() == []
    added = log.append_all([note("bed-1", 1), note("bed-1", 2)])
    assert log.rows() == added
    assert log.verify() == Verdict(2)


# ── a file that cannot be used ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\x00" * 4096])
def test_a_damaged_file_is_one_sentence(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(BedsideError, match="is damaged") as raised:
        AlarmLog(path)
    assert "\n" not in str(raised.value)


def test_a_file_damaged_in_the_middle_is_one_sentence(path: Path) -> None:
    filled(path, 400)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 8192)
    with pytest.raises(BedsideError, match="is damaged"), reopened(path) as log:
        log.verify()


def test_the_station_sets_a_damaged_log_aside_and_goes_on_with_what_it_can_read(
    path: Path,
) -> None:
    filled(path, 400)
    with reopened(path) as log:
        log.append("start", {"bed": ""}, 0, 0)
        log.append("alarm", {"bed": "icu-1", "id": "a-1"}, 7, 8)
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 8192)
    damaged = path.read_bytes()
    for _ in range(2):
        with contextlib.closing(opened(path, wall_us=9)) as log:
            assert [(row.kind, row.wall_us) for row in log.rows()] == [
                ("damaged", 9),
                ("start", 0),
                ("alarm", 7),
            ]
            assert log.rows()[0].payload["file"] == "alarms.sqlite.damaged-1"
            assert [row.payload["id"] for row in log.of_last_run()["icu-1"]] == ["a-1"]
            assert log.verify().intact
    assert len(damaged) == len(content)
    assert path.with_name("alarms.sqlite.damaged-1").read_bytes() == damaged


def test_what_is_no_log_is_set_aside_and_a_sound_one_is_not(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)
    with contextlib.closing(opened(path, wall_us=9)) as log:
        assert [row.kind for row in log.rows()] == ["damaged"]
    with contextlib.closing(opened(path, wall_us=10)) as log:
        assert [row.wall_us for row in log.rows()] == [9]
    assert len(set_aside_before(path)) == 1


def test_a_locked_file_is_one_sentence(path: Path, log: AlarmLog) -> None:
    log._database.execute("PRAGMA busy_timeout = 1")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BedsideError, match="stop the other program"):
            log.append("note", {}, 0, 0)
        other.execute("ROLLBACK")
    assert log.append("note", {}, 0, 0).number == 1


def test_a_full_disk_is_one_sentence_and_the_log_goes_on_afterwards(log: AlarmLog) -> None:
    log.append("note", {"n": 0}, 0, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        with pytest.raises(BedsideError, match="free space"):
            log.append("note", {"n": 1}, 0, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.append("note", {"n": 2}, 0, 0).number == 2
    assert log.verify() == Verdict(2)


def test_a_folder_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BedsideError, match="alarm log"):
        AlarmLog(tmp_path)


def test_the_log_is_readable_by_its_owner_only(log: AlarmLog, path: Path) -> None:
    log.append("note", {}, 0, 0)
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}

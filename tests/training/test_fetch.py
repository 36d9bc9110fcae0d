"""The databases are fetched over HTTP from a server that is laid out like PhysioNet."""
# ruff: noqa: E402

from __future__ import annotations

import functools
import hashlib
import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
wfdb = pytest.importorskip("wfdb", reason="needs the extra `train`")

from training import __main__ as commands
from training import datasets, fetch, recipe
from training.datasets import DataError


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder with ranges; remembers what was asked, and may hang up in the middle."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.asked: list[tuple[str, str]] = []
        self.hang_up_after: int | None = None
        self.ranges = True
        self.address = f"http://127.0.0.1:{self.server_port}/files"


class Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        """Not to the terminal."""

    def do_GET(self) -> None:
        """A file from the asked byte on."""
        self.server.asked.append((self.path.rpartition("/")[2], self.headers.get("Range", "")))
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first = 0
        if self.server.ranges and "Range" in self.headers:
            first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        self.wfile.write(content[first:][: self.server.hang_up_after])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two databases as PhysioNet keeps them: a MIT-BIH record, and two of PTB's patients."""
    rng = np.random.default_rng(1)
    mitdb = tmp_path / "site" / "files" / "mitdb" / "1.0.0"
    mitdb.mkdir(parents=True)
    beats = np.arange(300, 30 * 360 - 300, 288)
    trace = np.zeros((30 * 360, 2))
    trace[beats] = 1.0
    wfdb.wrsamp("100", 360, ["mV"] * 2, ["MLII", "V5"], trace, fmt=["212"] * 2, write_dir=mitdb)
    wfdb.wrann("100", "atr", beats, ["N"] * len(beats), write_dir=str(mitdb))
    ptbdb = tmp_path / "site" / "files" / "ptbdb" / "1.0.0"
    given = (("patient001", "Myocardial infarction"), ("patient104", "Healthy control"))
    for patient, reason in given:
        (ptbdb / patient).mkdir(parents=True)
        leads = 0.02 * rng.standard_normal((20_000, 2))
        leads[500::800] += 1.0
        wfdb.wrsamp(
            "s0001_re", 1000, ["mV"] * 2, ["i", "ii"], leads, fmt=["16"] * 2,
            comments=["age: 60", "Diagnose:", f"Reason for admission: {reason}"],
            write_dir=str(ptbdb / patient),
        )  # fmt: skip
    (ptbdb / "RECORDS").write_text("".join(f"{patient}/s0001_re\n" for patient, _ in given))
    for home in (mitdb, ptbdb):
        files = sorted(path for path in home.rglob("*") if path.is_file())
        lines = [
            f"{hashlib.sha256(p.read_bytes()).hexdigest()} {p.relative_to(home)}" for p in files
        ]
        (home / "SHA256SUMS.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "site"


@pytest.fixture
def server(tree: Path) -> Iterator[Server]:
    """The tree, served on loopback."""
    with Server(tree) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server: Server, folder: Path, *databases: str) -> list[str]:
    """Fetch; what was said of it."""
    said: list[str] = []
    fetch.fetch(folder, databases or ("mitdb",), server.address, said.append)
    return said


def test_what_is_fetched_is_what_the_server_has_and_can_be_read(
    server: Server, tree: Path, tmp_path: Path
) -> None:
    said = get(server, tmp_path / "data", "mitdb", "ptbdb")
    assert said == [
        "mitdb: 3 files, 3 of them downloaded now",
        "ptbdb: 5 files, 5 of them downloaded now",
    ]
    for path in (tree / "files" / "mitdb" / "1.0.0").glob("100.*"):
        assert (tmp_path / "data" / "mitdb" / path.name).read_bytes() == path.read_bytes()
    beats = datasets.record_beats(tmp_path / "data" / "mitdb", "100")
    assert set(beats.classes) == {"N"}
    rows, patients = recipe.ptb_rows(tmp_path / "data" / "ptbdb")
    assert set(zip(patients, rows.labels, strict=True)) == {("patient001", 1), ("patient104", 0)}


def test_what_is_there_is_not_fetched_again_unless_its_hash_is_wrong(
    server: Server, tmp_path: Path
) -> None:
    get(server, tmp_path)
    server.asked.clear()
    assert get(server, tmp_path) == ["mitdb: 3 files, 0 of them downloaded now"]
    assert server.asked == [("SHA256SUMS.txt", "")]
    spoilt = tmp_path / "mitdb" / "100.dat"
    size = spoilt.stat().st_size
    spoilt.write_bytes(bytes(size))
    assert get(server, tmp_path) == ["mitdb: 3 files, 1 of them downloaded now"]
    assert any(spoilt.read_bytes())


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_broke_off_goes_on_where_it_ended(
    ranges: bool, server: Server, tree: Path, tmp_path: Path
) -> None:
    """From the start, where the server does not know ranges."""
    server.hang_up_after, server.ranges = 600, ranges
    with pytest.raises(DataError, match=r"100\.dat broke off: run the command again"):
        get(server, tmp_path)
    assert not (tmp_path / "mitdb" / "100.dat").exists()
    server.hang_up_after = None
    get(server, tmp_path)
    assert ("100.dat", "bytes=600-") in server.asked
    whole = (tree / "files" / "mitdb" / "1.0.0" / "100.dat").read_bytes()
    assert (tmp_path / "mitdb" / "100.dat").read_bytes() == whole


def test_a_part_that_lacks_nothing_is_kept_by_its_hash(
    server: Server, tree: Path, tmp_path: Path
) -> None:
    whole = (tree / "files" / "mitdb" / "1.0.0" / "100.dat").read_bytes()
    (tmp_path / "mitdb").mkdir()
    (tmp_path / "mitdb" / "100.dat.part").write_bytes(whole)
    get(server, tmp_path)
    assert (tmp_path / "mitdb" / "100.dat").read_bytes() == whole


def test_a_file_that_is_not_what_the_list_says_is_refused_and_not_kept(
    server: Server, tree: Path, tmp_path: Path
) -> None:
    (tree / "files" / "mitdb" / "1.0.0" / "100.dat").write_bytes(b"something else")
    with pytest.raises(DataError, match="came damaged"):
        get(server, tmp_path)
    assert not list((tmp_path / "mitdb").glob("100.dat*"))


def test_a_list_that_points_outside_its_folder_is_refused(
    server: Server, tree: Path, tmp_path: Path
) -> None:
    listed = tree / "files" / "mitdb" / "1.0.0" / "SHA256SUMS.txt"
    listed.write_text(f"{'0' * 64} ../../outside\n")
    with pytest.raises(DataError, match="no list of hashes"):
        get(server, tmp_path)


@pytest.mark.parametrize("missing", ["server", "database", "file"])
def test_what_is_absent_is_told_in_one_sentence_with_exit_code_2(
    missing: str,
    server: Server,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address, only = server.address, "mitdb"
    if missing == "server":
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            address = f"http://127.0.0.1:{nobody.getsockname()[1]}/files"
    elif missing == "database":
        only = "nsrdb"
    else:
        (tree / "files" / "mitdb" / "1.0.0" / "100.atr").unlink()
    given = ["training", "fetch", str(tmp_path / "data"), "--only", only, "--from", address]
    monkeypatch.setattr(sys, "argv", given)
    assert commands.main() == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert ("check the connection" if missing == "server" else "is not there (404") in said

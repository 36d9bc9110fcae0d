"""The databases, downloaded from PhysioNet: what is there is checked, what broke off goes on.

Every file of a database is listed in its `SHA256SUMS.txt`. A file that already has its hash is left
alone; one that broke off waits as `NAME.part` and is asked for from where it ended. wfdb's own
downloader compares sizes only, so a file that came damaged would stay.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from training.datasets import DataError

PHYSIONET = "https://physionet.org/files"
VERSION = "1.0.0"
DATABASES = ("mitdb", "nstdb", "nsrdb", "vfdb", "cudb", "ptbdb")
LIST = "SHA256SUMS.txt"
PIECE = 1 << 16
PATIENCE_S = 60.0


def fetch(
    folder: Path,
    databases: Sequence[str] = DATABASES,
    source: str = PHYSIONET,
    said: Callable[[str], None] = print,
) -> None:
    """Each of `databases` below `source` (an http address), into `folder`/NAME.

    Raises `DataError` with what to do when the server cannot be reached, lacks a file, or sends
    what its own list does not name.
    """
    for name in databases:
        base = f"{source.rstrip('/')}/{name}/{VERSION}"
        home = folder / name
        listed = _listed(base, home)
        came = 0
        for path, sha256 in listed.items():
            if not _has(home / path, sha256):
                _download(f"{base}/{urllib.parse.quote(path)}", home / path, sha256)
                came += 1
        said(f"{name}: {len(listed)} files, {came} of them downloaded now")


def _listed(base: str, home: Path) -> dict[str, str]:
    """The hash of each file of a database, by its path below `home`."""
    address = f"{base}/{LIST}"
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            lines = answer.read().decode("utf-8").splitlines()
    except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
        raise _refused(address, error) from error
    hashes = {}
    for line in filter(str.strip, lines):
        sha256, _, path = line.partition(" ")
        path = path.strip().removeprefix("*")
        if len(sha256) != 64 or not (home / path).resolve().is_relative_to(home.resolve()):
            raise DataError(f"{address} is no list of hashes and files: check the address.")
        hashes[path] = sha256.lower()
    return hashes


def _download(address: str, path: Path, sha256: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = _append(address, part)
    except (OSError, http.client.HTTPException) as error:
        raise _refused(address, error) from error
    if not whole:
        raise DataError(f"{address} broke off: run the command again, it goes on from there.")
    if not _has(part, sha256):
        part.unlink()
        raise DataError(
            f"{address} came damaged (its SHA-256 is not the listed one): run the command again."
        )
    part.replace(path)


def _append(address: str, part: Path) -> bool:
    """Ask for what `part` lacks; whether it is as long as the server says."""
    have = part.stat().st_size if part.exists() else 0
    asked = urllib.request.Request(address)
    if have:
        asked.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
            goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
            with part.open("ab" if goes_on else "wb") as file:
                while piece := answer.read(PIECE):
                    file.write(piece)
            promised = answer.headers["Content-Length"]
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True  # nothing is missing: its hash will tell
        raise
    return promised is None or part.stat().st_size == int(promised) + (have if goes_on else 0)


def _has(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _refused(address: str, error: Exception) -> DataError:
    if isinstance(error, urllib.error.HTTPError):
        return DataError(f"{address} is not there ({error.code} {error.reason}): check --from.")
    if isinstance(error, urllib.error.URLError) or not isinstance(error, OSError):
        why = str(getattr(error, "reason", error))
        return DataError(
            f"{address} cannot be read ({why}): check the connection and run the command again, it "
            "goes on from there."
        )
    return DataError(
        f"{address} cannot be kept or read ({error}): check the disk and the connection and run "
        "the command again, it goes on from there."
    )

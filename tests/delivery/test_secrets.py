"""No secret is in the repository, and a secret in the wrong place is refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bedside.delivery.secret_file import read_secret
from bedside.errors import DeliveryError
from tests.conftest import PROJECT

SECRET = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}|\bAKIA[0-9A-Z]{16}\b|"
    rb"aws_secret_access_key\s*=\s*[\"']?[A-Za-z0-9/+]{40}"
)


def test_no_file_of_the_repository_holds_a_private_key_or_aws_credentials() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
    )
    if listed.returncode != 0:
        pytest.skip("needs the git repository")
    files = [PROJECT / name for name in listed.stdout.decode().split("\0") if name]
    assert len(files) > 100
    guilty = [file for file in files if file.is_file() and SECRET.search(file.read_bytes())]
    assert guilty == []


def test_a_private_key_would_be_found() -> None:
    assert SECRET.search(b"-----BEGIN PRIVATE KEY-----\n" + b"MIGHAgEAMBMGByqGSM49AgEG")


def a_key(folder: Path, content: bytes = b"x" * 32) -> Path:
    path = folder / "a.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def test_a_private_file_is_read_without_the_white_space_around_it(tmp_path: Path) -> None:
    assert read_secret(a_key(tmp_path, b"x" * 32 + b"\n")) == b"x" * 32


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_key_that_anybody_else_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = a_key(tmp_path)
    path.chmod(mode)
    with pytest.raises(DeliveryError, match="chmod 600"):
        read_secret(path)


@pytest.mark.parametrize("kept", ["a.key", "conf/a.key"])
def test_a_key_inside_a_repository_is_refused(tmp_path: Path, kept: str) -> None:
    (tmp_path / ".git").mkdir()
    folder = (tmp_path / kept).parent
    folder.mkdir(exist_ok=True)
    with pytest.raises(DeliveryError, match="inside a source repository"):
        read_secret(a_key(folder))


def test_a_short_key_is_refused_without_being_quoted(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="shorter than 32") as refusal:
        read_secret(a_key(tmp_path, b"hunter2"))
    assert "hunter2" not in str(refusal.value)

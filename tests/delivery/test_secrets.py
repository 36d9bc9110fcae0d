"""No secret is in the repository, and a secret in the wrong place is refused."""

from __future__ import annotations

import re
import subprocess
import sys
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
@pytest.mark.parametrize("mark", [".git", ".hg", "pyproject.toml"])
def test_a_key_inside_a_clone_or_an_unpacked_archive_is_refused(
    tmp_path: Path, mark: str, kept: str
) -> None:
    (tmp_path / mark).touch()
    folder = (tmp_path / kept).parent
    folder.mkdir(exist_ok=True)
    with pytest.raises(DeliveryError, match="inside a source repository"):
        read_secret(a_key(folder))


def test_a_link_out_of_the_repository_does_not_hide_where_a_key_lies(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / ".git").mkdir()
    key = a_key(tmp_path / "source")
    (tmp_path / "link.key").symlink_to(key)
    with pytest.raises(DeliveryError, match="inside a source repository"):
        read_secret(tmp_path / "link.key")


_READ = """
import os, sys
from pathlib import Path
from bedside.delivery.secret_file import read_secret
from bedside.errors import DeliveryError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # root would read everything
try:
    read_secret(Path(sys.argv[1]))
except DeliveryError as error:
    print(error)
"""


def test_a_key_of_another_user_is_refused_in_words(tmp_path: Path) -> None:
    path = a_key(tmp_path)
    path.chmod(0o000)
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    assert done.stdout.startswith(f"The key {path} belongs to another user")


def test_a_short_key_is_refused_without_being_quoted(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="shorter than 32") as refusal:
        read_secret(a_key(tmp_path, b"hunter2"))
    assert "hunter2" not in str(refusal.value)

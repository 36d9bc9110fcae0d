"""Files with a secret: readable by their owner only, and never where they could be committed."""

from __future__ import annotations

import os
from pathlib import Path

from bedside.errors import DeliveryError

SHORTEST_SECRET_BYTES = 32

_SOURCE_MARKS = (".git", ".hg", ".svn", ".jj", "pyproject.toml")
"""What lies at the top of a source tree, a clone or an unpacked archive."""


def check_secret_file(path: Path) -> None:
    """Refuse a secret that is missing, readable by others or kept inside a source repository.

    Raises `DeliveryError`, which never quotes the secret.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
    except PermissionError as error:
        raise DeliveryError(
            f"The key {path} belongs to another user: run bedside as that user, or chown the key to"
            " the one who runs it."
        ) from error
    except OSError as error:
        raise DeliveryError(
            f"The key {path} cannot be read ({error.strerror}): make it with bedside cloud"
            " provision, or correct its path in the configuration."
        ) from error
    if mode & 0o077:
        raise DeliveryError(f"Others can read the key {path}: run chmod 600 {path}.")
    check_secret_place(path)


def check_secret_place(path: Path) -> None:
    """Refuse a place inside a source repository for a secret; raises `DeliveryError`."""
    folders = path.resolve().parents
    if any((folder / mark).exists() for folder in folders for mark in _SOURCE_MARKS):
        raise DeliveryError(
            f"The key {path} lies inside a source repository, from where it could be published:"
            " move it out."
        )


def read_secret(path: Path) -> bytes:
    """The secret in a file, without the white space around it; raises `DeliveryError`."""
    check_secret_file(path)
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise DeliveryError(f"The key {path} cannot be read ({error.strerror}).") from error
    if len(secret) < SHORTEST_SECRET_BYTES:
        raise DeliveryError(
            f"The key {path} is shorter than {SHORTEST_SECRET_BYTES} characters: write one with"
            f" openssl rand -hex 32 > {path}."
        )
    return secret

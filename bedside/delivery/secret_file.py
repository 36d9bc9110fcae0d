"""Files with a secret: readable by their owner only, and never where they could be committed."""

from __future__ import annotations

from pathlib import Path

from bedside.errors import DeliveryError

SHORTEST_SECRET_BYTES = 32


def check_secret_file(path: Path) -> None:
    """Refuse a secret that is missing, readable by others or kept inside a source repository.

    Raises `DeliveryError`, which never quotes the secret.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise DeliveryError(
            f"The key {path} cannot be read ({error.strerror}): make it with bedside cloud"
            " provision, or correct its path in the configuration."
        ) from error
    if mode & 0o077:
        raise DeliveryError(f"Others can read the key {path}: run chmod 600 {path}.")
    if any((folder / ".git").exists() for folder in path.resolve().parents):
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

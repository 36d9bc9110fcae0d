"""Who may connect to the broker, and with which topics: Mosquitto's password and ACL files.

One file, `users.json`, holds names, kinds and password hashes; the two files that Mosquitto reads
are written from it. A node reaches its own topics alone; a screen reads a station and asks for
actions under its own name; a station has the rest. A bridge speaks for all nodes of another broker.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bedside.errors import SettingsError
from bedside.private_file import write_private

Kind = Literal["node", "screen", "station", "bridge"]

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_ITERATIONS = 10_000
"""Of PBKDF2; the passwords are random, of 160 bits, and need no more."""

_RIGHTS: dict[Kind, tuple[str, ...]] = {
    "node": (
        "write bedside/v1/{name}/ecg",
        "write bedside/v1/{name}/meta",
        "write bedside/v1/{name}/status",
        "read bedside/v1/{name}/ack",
        "read bedside/v1/{name}/cmd",
    ),
    "screen": (
        "read bedside/v1/station/+/state",
        "read bedside/v1/station/+/delivery",
        "read bedside/v1/station/+/bed/+/state",
        "read bedside/v1/station/+/bed/+/events",
        "read bedside/v1/station/+/bed/+/wave",
        "read bedside/v1/station/+/bed/+/result/{name}",
        "write bedside/v1/station/+/bed/+/action/{name}",
    ),
    "station": (
        "read bedside/v1/+/ecg",
        "read bedside/v1/+/meta",
        "read bedside/v1/+/status",
        "write bedside/v1/+/ack",
        "write bedside/v1/+/cmd",
        "read bedside/v1/station/+/state",
        "readwrite bedside/v1/station/{name}/#",
    ),
    "bridge": (
        "write bedside/v1/+/ecg",
        "write bedside/v1/+/meta",
        "write bedside/v1/+/status",
        "read bedside/v1/+/ack",
        "read bedside/v1/+/cmd",
    ),
}


@dataclass(frozen=True, slots=True)
class User:
    """Somebody the broker knows; `password_hash` is in Mosquitto's own form."""

    name: str
    kind: Kind
    password_hash: str

    def rights(self) -> str:
        """This user's part of the ACL."""
        topics = (f"topic {right.format(name=self.name)}" for right in _RIGHTS[self.kind])
        return "\n".join((f"# {self.kind}", f"user {self.name}", *topics))


@dataclass(frozen=True, slots=True)
class Users:
    """The users of the broker whose files lie in `folder`."""

    folder: Path

    @property
    def password_file(self) -> Path:
        """What Mosquitto's `password_file` names."""
        return self.folder / "passwords"

    @property
    def acl_file(self) -> Path:
        """What Mosquitto's `acl_file` names."""
        return self.folder / "acl"

    @property
    def clients_folder(self) -> Path:
        """Where each user's password lies until it has been handed over."""
        return self.folder / "clients"

    def all(self) -> tuple[User, ...]:
        """Everybody, by name. Raises SettingsError for a damaged file."""
        path = self.folder / "users.json"
        if not path.exists():
            return ()
        try:
            users = tuple(User(**entry) for entry in json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(
                f"The users {path} cannot be read: run this as their owner, or restore the file "
                "from a backup."
            ) from error
        return tuple(sorted(users, key=lambda user: user.name))

    def add(self, name: str, kind: Kind) -> Path:
        """A new user with a new password; returns the file that holds it, of mode 0600.

        A user who is there already gets a new password. Raises SettingsError.
        """
        if not _NAME.fullmatch(name) or name == "station":
            raise SettingsError(
                f"{name!r} cannot be a name here: use 1 to 32 of a–z, 0–9 and -, not 'station'."
            )
        others = {user.name: user for user in self.all()}
        if name in others and others[name].kind != kind:
            raise SettingsError(
                f"{name} is a {others[name].kind} already: choose another name, or remove it first."
            )
        password = secrets.token_hex(20)
        others[name] = User(name, kind, _hashed(password))
        file = self.clients_folder / f"{name}.password"
        self.clients_folder.mkdir(mode=0o700, exist_ok=True)
        write_private(file, f"{password}\n".encode())
        self._write(others.values())
        return file

    def remove(self, name: str) -> None:
        """The broker forgets a user. Raises SettingsError for one it does not know."""
        users = {user.name: user for user in self.all()}
        if users.pop(name, None) is None:
            raise SettingsError(f"There is no user {name}: bedside broker list shows them.")
        (self.clients_folder / f"{name}.password").unlink(missing_ok=True)
        self._write(users.values())

    def _write(self, users: Iterable[User]) -> None:
        everybody = sorted(users, key=lambda user: user.name)
        listed = json.dumps([asdict(user) for user in everybody], indent=1)
        write_private(self.folder / "users.json", f"{listed}\n".encode())
        passwords = "".join(f"{user.name}:{user.password_hash}\n" for user in everybody)
        write_private(self.password_file, passwords.encode())
        acl = "\n\n".join(user.rights() for user in everybody)
        write_private(self.acl_file, f"{acl}\n".encode())


def _hashed(password: str) -> str:
    """A password as Mosquitto 2 stores it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    parts = (base64.b64encode(part).decode() for part in (salt, derived))
    return "$".join(("", "7", str(_ITERATIONS), *parts))

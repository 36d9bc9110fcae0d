"""Where a broker is, and who we are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Address:
    """A broker's host and port, a user name with its password, and the authority that TLS needs.

    Without a `ca_file` the connection is plain; without a `username` it is anonymous.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None

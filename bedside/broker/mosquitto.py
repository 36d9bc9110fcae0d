"""Mosquitto's configuration for a ward: TLS for everybody, plain text on this machine alone."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bedside.broker.authority import Authority
from bedside.broker.users import Users

FOLDER = Path("/etc/mosquitto/bedside")
INCLUDED = Path("/etc/mosquitto/conf.d/bedside.conf")
DAEMON = "mosquitto"

_CONFIGURATION = """\
# Written by `bedside broker setup`, which writes it anew: change its options, not this file.

# Whoever comes over the network needs TLS 1.2 or later, and everybody a name and a password.
listener {port}
cafile {folder}/ca.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
tls_version tlsv1.2
max_connections 2000

listener {plain_port} 127.0.0.1

allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl

# What a node sends again anyway need not be kept for long, nor for a client that is gone.
autosave_interval 60
persistent_client_expiration 1d
max_queued_messages 2000
max_inflight_messages 100
max_packet_size 65536
max_keepalive 120
set_tcp_nodelay true
"""


@dataclass(frozen=True, slots=True)
class Site:
    """One broker: where its files lie, how it is called, and on which ports it listens.

    `hosts` are the names and addresses under which nodes and screens reach it. `included` is the
    file that Mosquitto reads at its start.
    """

    hosts: tuple[str, ...]
    folder: Path = FOLDER
    included: Path = INCLUDED
    port: int = 8883
    plain_port: int = 1883

    @property
    def authority(self) -> Authority:
        """Who vouches for this broker."""
        return Authority(self.folder)

    @property
    def users(self) -> Users:
        """Who may connect."""
        return Users(self.folder)

    @property
    def certificate_file(self) -> Path:
        """The broker's own certificate."""
        return self.folder / "broker.pem"

    @property
    def key_file(self) -> Path:
        """The broker's own key."""
        return self.folder / "broker.key"

    def configuration(self) -> str:
        """The text of Mosquitto's configuration."""
        return _CONFIGURATION.format(folder=self.folder, port=self.port, plain_port=self.plain_port)


def set_up(site: Site, station: str) -> list[str]:
    """Write what is missing or due; returns what was done, a line each.

    Raises SettingsError for damaged files, OSError where they cannot be written.
    """
    done = []
    site.folder.mkdir(parents=True, exist_ok=True)
    site.folder.chmod(0o755)
    if site.authority.make():
        done.append(f"made the authority {site.authority.certificate_file}")
    if site.authority.issue_for_broker(site.certificate_file, site.key_file, site.hosts):
        done.append(f"issued {site.certificate_file} for {', '.join(site.hosts)}")
    if station not in {user.name for user in site.users.all()}:
        done.append(f"made the user {station}, password in {site.users.add(station, 'station')}")
    wanted = site.configuration()
    if not site.included.exists() or site.included.read_text("utf-8") != wanted:
        site.included.parent.mkdir(parents=True, exist_ok=True)
        site.included.write_text(wanted, "utf-8")
        site.included.chmod(0o644)
        done.append(f"wrote {site.included}")
    give_to_daemon((site.key_file, site.users.password_file, site.users.acl_file))
    return done


def give_to_daemon(files: Sequence[Path]) -> None:
    """Let Mosquitto's own user read these; where this user may not, it must be them already."""
    with contextlib.suppress(KeyError):
        pwd.getpwnam(DAEMON)
        if os.geteuid() == 0:
            for file in files:
                shutil.chown(file, DAEMON)

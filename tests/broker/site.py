"""A ward's broker as `bedside broker setup` writes it: its station, two nodes, two screens."""

from __future__ import annotations

import socket
from pathlib import Path

from bedside.broker.mosquitto import Site, set_up

STATION = "ward-3"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def made_site(folder: Path) -> Site:
    made = Site(
        ("localhost", "127.0.0.1"),
        folder / "bedside",
        folder / "conf.d" / "bedside.conf",
        free_port(),
        free_port(),
    )
    set_up(made, STATION)
    for name in ("icu-1", "icu-2"):
        made.users.add(name, "node")
    for name in ("nurse", "doctor"):
        made.users.add(name, "screen")
    return made


def password(site: Site, name: str) -> str:
    return (site.users.clients_folder / f"{name}.password").read_text().strip()

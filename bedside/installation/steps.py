"""The steps from a fresh system to a running service; each knows whether it has been taken.

They are taken as root, in order, and again at will: a step that has been taken is left alone. What
a hospital has changed in its configuration stays, and so do recordings and logs on removal.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bedside.broker.mosquitto import FOLDER, INCLUDED, Site, set_up
from bedside.errors import SettingsError
from bedside.installation.units import RENEWAL_TIMER, SERVICE, USER, units
from bedside.private_file import write_private

_CONFIGURATION = """\
# Written once by `bedside install`; yours to change. Then: systemctl restart bedside
[broker]
host = "127.0.0.1"
port = 8883
username = "{station}"
password_file = "{folder}/broker.password"
ca_file = "{folder}/ca.pem"

[station]
name = "{station}"
data_dir = "/var/lib/bedside"

# Who is told when nobody is looking: see the README, "Alerts that leave the building".
[alerts]
transports = ["log"]
"""


@dataclass(frozen=True, slots=True)
class System:
    """What is installed where. `root` is / but in a test, `hosts` how nodes call this machine."""

    python: Path
    hosts: tuple[str, ...]
    station: str = "bedside"
    root: Path = Path("/")

    @property
    def folder(self) -> Path:
        """Configuration and keys, readable by the service alone."""
        return Path("/etc/bedside")

    @property
    def configuration_file(self) -> Path:
        """What `bedside run --config` is given."""
        return self.folder / "bedside.toml"

    @property
    def site(self) -> Site:
        """The broker on this machine."""
        return Site((*self.hosts, "localhost", "127.0.0.1"), self.at(FOLDER), self.at(INCLUDED))

    def at(self, path: Path) -> Path:
        """Where an absolute path lies below the root."""
        return self.root / path.relative_to("/")


@dataclass(frozen=True, slots=True)
class Step:
    """One step in words, whether it has been taken, and how it is."""

    words: str
    taken: Callable[[], bool]
    take: Callable[[], None]


def steps(system: System) -> list[Step]:
    """From a fresh system to a running service, in order."""
    return [
        Step(
            "install Mosquitto with apt",
            lambda: shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is not None,
            _install_mosquitto,
        ),
        Step(f"make the user {USER}", _has_user, _make_user),
        Step(
            f"set the broker up in {FOLDER}",
            lambda: system.site.included.exists(),
            lambda: _set_broker_up(system),
        ),
        Step(
            f"write {system.configuration_file} and the keys beside it",
            lambda: system.at(system.configuration_file).exists(),
            lambda: _write_configuration(system),
        ),
        Step(
            f"write {', '.join(units(system.python, system.configuration_file, ()))}",
            lambda: all(_same(path, text) for path, text in _units(system)),
            lambda: _write_units(system),
        ),
        Step(
            "start Mosquitto and bedside, now and with the machine",
            lambda: _enabled(system) and (_running() or not booted()),
            _start,
        ),
    ]


def check(system: System) -> None:
    """Refuse a system on which this cannot work. Raises SettingsError."""
    if shutil.which("systemctl") is None:
        raise SettingsError("this system has no systemd: start bedside run --headless yourself.")
    if os.geteuid() != 0:
        raise SettingsError("only root may install a service: run this with sudo.")
    homes = (Path("/home"), Path("/root"))
    if any(home in system.python.parents for home in homes):
        raise SettingsError(
            f"a service cannot run from {system.python}, which is in somebody's home: install "
            "bedside into /opt/bedside, as the README says, and run that one."
        )


def removal(system: System) -> list[Step]:
    """Take the service away; recordings, logs and configuration stay where they are."""
    files = [path for path, _ in _units(system)]
    return [
        Step(
            "stop bedside",
            lambda: not files[0].exists(),
            lambda: _systemctl(
                "disable", *(("--now",) if booted() else ()), SERVICE, RENEWAL_TIMER
            ),
        ),
        Step(
            "delete its units",
            lambda: not any(path.exists() for path in files),
            lambda: _delete(files),
        ),
        Step(
            f"delete {INCLUDED}: the broker listens on this machine only again",
            lambda: not system.site.included.exists(),
            lambda: _delete([system.site.included]),
        ),
    ]


def booted() -> bool:
    """Whether systemd runs this system; in a root that is only being made it does not."""
    return Path("/run/systemd/system").is_dir()


def _install_mosquitto() -> None:
    run("apt-get", "update", "--quiet=2")
    run("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", "mosquitto")


def _has_user() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _make_user() -> None:
    run(
        "useradd",
        "--system",
        "--home-dir",
        "/var/lib/bedside",
        "--shell",
        "/usr/sbin/nologin",
        USER,
    )


def _set_broker_up(system: System) -> None:
    set_up(system.site, system.station)
    if booted():
        _systemctl("restart", "mosquitto.service")


def _write_configuration(system: System) -> None:
    folder = system.at(system.folder)
    folder.mkdir(parents=True, exist_ok=True)
    password = system.site.users.clients_folder / f"{system.station}.password"
    content = {
        "broker.password": password.read_bytes(),
        "ca.pem": system.site.authority.certificate_file.read_bytes(),
        "bedside.toml": _CONFIGURATION.format(
            station=system.station, folder=system.folder
        ).encode(),
    }
    for name, data in content.items():
        write_private(folder / name, data)
        shutil.chown(folder / name, USER, USER)
    shutil.chown(folder, USER, USER)
    folder.chmod(0o700)


def _units(system: System) -> list[tuple[Path, str]]:
    folder = system.at(Path("/etc/systemd/system"))
    texts = units(system.python, system.configuration_file, system.hosts)
    return [(folder / name, text) for name, text in texts.items()]


def _write_units(system: System) -> None:
    for path, text in _units(system):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o644)
    if booted():
        _systemctl("daemon-reload")
        _systemctl("try-restart", SERVICE)


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _enabled(system: System) -> bool:
    wants = system.at(Path("/etc/systemd/system"))
    return (wants / "multi-user.target.wants" / SERVICE).is_symlink() and (
        wants / "timers.target.wants" / RENEWAL_TIMER
    ).is_symlink()


def _running() -> bool:
    return (
        subprocess.run(
            ["systemctl", "is-active", "--quiet", SERVICE, "mosquitto.service"], check=False
        ).returncode
        == 0
    )


def _start() -> None:
    now = ("--now",) if booted() else ()
    _systemctl("enable", *now, "mosquitto.service", SERVICE, RENEWAL_TIMER)


def _delete(files: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    if booted():
        _systemctl("daemon-reload")
        _systemctl("try-restart", "mosquitto.service")


def _systemctl(*arguments: str) -> None:
    run("systemctl", *arguments)


def run(*command: str) -> None:
    """Run a command. Raises SettingsError, in one sentence, when it fails."""
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise SettingsError(
            f"{' '.join(command)} failed ({said[-1] if said else done.returncode}): mend that and "
            "run this again."
        )

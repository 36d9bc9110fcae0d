"""A screen beside the bed: labwc, a terminal that fills it, and a unit that starts both.

labwc turns touches into mouse events, which is all that a terminal's program hears of a finger;
foot draws braille itself, whatever the font. The unit logs its user in on tty1, without a password
and without a desktop: there is nothing behind the screen to come out at.
"""

from __future__ import annotations

import pwd
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import SettingsError
from bedside.installation.steps import Step, System, booted, run

USER = "bedside-screen"
SERVICE = "bedside-kiosk.service"
FOLDER = Path("/etc/bedside-kiosk")
PACKAGES = ("labwc", "foot", "fonts-dejavu-core")

_SERVICE = """\
# Written by `bedside kiosk install`.
[Unit]
Description=The bedside screen (not a medical device)
After=systemd-user-sessions.service getty@tty1.service
Conflicts=getty@tty1.service
StartLimitIntervalSec=0

[Service]
User={user}
PAMName=login
TTYPath=/dev/tty1
TTYReset=yes
TTYVHangup=yes
StandardInput=tty
StandardOutput=journal
UtmpIdentifier=tty1
UtmpMode=user
Environment=XDG_SESSION_TYPE=wayland XDG_CURRENT_DESKTOP=labwc LANG=C.UTF-8
ExecStart=/usr/bin/labwc -C {folder}/labwc -s {folder}/session
Restart=always
RestartSec=2

[Install]
WantedBy=graphical.target
WantedBy=multi-user.target
"""

_LABWC = """\
<?xml version="1.0"?>
<!-- Written by `bedside kiosk install`: a finger is a mouse, and no key leads anywhere else. -->
<labwc_config>
  <core><decoration>server</decoration></core>
  <touch mouseEmulation="yes"/>
  <keyboard><!-- no key bindings --></keyboard>
  <mouse><!-- no root menu --></mouse>
  <windowRules>
    <windowRule identifier="foot" serverDecoration="no"/>
  </windowRules>
</labwc_config>
"""

_FOOT = """\
# Written by `bedside kiosk install`.
font=DejaVu Sans Mono:size={font_points:g}
initial-window-mode=fullscreen
pad=0x0

[scrollback]
lines=0

[mouse]
hide-when-typing=yes

[cursor]
blink=no

[key-bindings]
clipboard-copy=none
clipboard-paste=none
search-start=none
font-increase=none
font-decrease=none
spawn-terminal=none
show-urls-launch=none
unicode-input=none
"""

_SESSION = """\
#!/bin/sh
# Written by `bedside kiosk install`: the screen comes back whatever ended it.
export {variables}
while :; do
    /usr/bin/foot --config={folder}/foot.ini {command}
    sleep 1
done
"""


@dataclass(frozen=True, slots=True)
class Kiosk:
    """What the screen shows and how large it is; `root` is / but in a test."""

    python: Path
    configuration: Path
    width_mm: float = 0.0
    font_points: float = 14.0
    root: Path = Path("/")

    def files(self) -> dict[Path, tuple[str, int]]:
        """Every file of the kiosk with its text and its mode."""
        variables = ["BEDSIDE_SCREEN__KIOSK=true"]
        if self.width_mm > 0:
            variables.append(f"BEDSIDE_SCREEN__WIDTH_MM={self.width_mm:g}")
        command = [str(self.python), "-m", "bedside", "screen", "--config", str(self.configuration)]
        session = _SESSION.format(
            folder=FOLDER, variables=" ".join(variables), command=shlex.join(command)
        )
        unit = Path("/etc/systemd/system") / SERVICE
        return {
            unit: (_SERVICE.format(user=USER, folder=FOLDER), 0o644),
            FOLDER / "labwc" / "rc.xml": (_LABWC, 0o644),
            FOLDER / "foot.ini": (_FOOT.format(font_points=self.font_points), 0o644),
            FOLDER / "session": (session, 0o755),
        }

    def at(self, path: Path) -> Path:
        """Where an absolute path lies below the root."""
        return self.root / path.relative_to("/")


def kiosk_steps(kiosk: Kiosk) -> list[Step]:
    """From a system without a desktop to a screen that starts with it, in order."""
    return [
        Step(
            f"install {', '.join(PACKAGES)} with apt",
            lambda: all(shutil.which(name, path="/usr/bin") for name in PACKAGES[:2]),
            _install,
        ),
        Step(f"make the user {USER}", _has_user, _make_user),
        Step(
            f"write {', '.join(str(path) for path in kiosk.files())}",
            lambda: _written(kiosk),
            lambda: write(kiosk),
        ),
        Step(
            "start the screen now and with the machine",
            lambda: _enabled(kiosk),
            lambda: run("systemctl", "enable", *(("--now",) if booted() else ()), SERVICE),
        ),
    ]


def kiosk_removal(kiosk: Kiosk) -> list[Step]:
    """Take the screen away; the station and its configuration stay."""
    files = [kiosk.at(path) for path in kiosk.files()]
    return [
        Step(
            "stop the screen",
            lambda: not files[0].exists(),
            lambda: run("systemctl", "disable", *(("--now",) if booted() else ()), SERVICE),
        ),
        Step(
            "delete its unit and its configuration",
            lambda: not any(path.exists() for path in files),
            lambda: _delete(kiosk, files),
        ),
    ]


def check_configuration(kiosk: Kiosk) -> None:
    """Raise SettingsError where the screen would find no configuration."""
    if not kiosk.at(kiosk.configuration).exists():
        raise SettingsError(
            f"{kiosk.configuration} is not there: make a user for this screen with bedside broker "
            "add-screen, and write host, port, username, password_file and ca_file of [broker] "
            "into that file."
        )


def write(kiosk: Kiosk) -> None:
    """Write every file."""
    for path, (text, mode) in kiosk.files().items():
        place = kiosk.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
        place.chmod(mode)
    if booted():
        run("systemctl", "daemon-reload")


def system_of(kiosk: Kiosk) -> System:
    """For the checks that every installation makes."""
    return System(kiosk.python, (), root=kiosk.root)


def _written(kiosk: Kiosk) -> bool:
    return all(
        kiosk.at(path).exists() and kiosk.at(path).read_text("utf-8") == text
        for path, (text, _) in kiosk.files().items()
    )


def _enabled(kiosk: Kiosk) -> bool:
    wants = kiosk.at(Path("/etc/systemd/system/multi-user.target.wants"))
    return (wants / SERVICE).is_symlink()


def _install() -> None:
    run("apt-get", "update", "--quiet=2")
    run("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", *PACKAGES)


def _has_user() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _make_user() -> None:
    run("useradd", "--create-home", "--groups", "video,input,render", "--shell", "/bin/sh", USER)


def _delete(kiosk: Kiosk, files: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    shutil.rmtree(kiosk.at(FOLDER), ignore_errors=True)
    if booted():
        run("systemctl", "daemon-reload")

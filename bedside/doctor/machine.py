"""The machine: processor, Python, terminal, disk, clock, sound and the service."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bedside.delivery.check import Finding
from bedside.sounder import PLAYERS

LEAST_FREE_MB = 500
SLOW_SYNC_S = 1.0
PYTHONS = ((3, 11), (3, 13))
CARDS = Path("/proc/asound/cards")
UNITS = ("bedside.service", "mosquitto.service")


def architecture() -> Finding:
    """64-bit Linux on x86 or ARM, for which there are wheels of everything."""
    machine, bits = platform.machine(), platform.architecture()[0]
    if sys.platform == "linux" and machine in ("x86_64", "aarch64") and bits == "64bit":
        return Finding(True, f"Linux on {machine}.")
    return Finding(False, f"{sys.platform} on {machine}, {bits}: use a 64-bit Linux, x86 or ARM.")


def python() -> Finding:
    """A Python that is tested."""
    version = platform.python_version()
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return Finding(True, f"Python {version}.")
    oldest, newest = ("{}.{}".format(*each) for each in PYTHONS)
    return Finding(False, f"Python {version} is not tested: use {oldest} to {newest}.")


def terminal(glyphs: str) -> Finding:
    """A terminal that draws the glyphs of the configuration."""
    encoding = (sys.stdout.encoding or locale.getpreferredencoding()).lower()
    name = os.environ.get("TERM", "")
    if glyphs != "ascii" and encoding.replace("-", "") != "utf8":
        return Finding(
            False, f"The terminal's encoding is {encoding}: set LANG=C.UTF-8 or glyphs = 'ascii'."
        )
    if glyphs == "braille" and name == "linux":
        return Finding(False, "The Linux console draws no braille: set screen.glyphs = 'ascii'.")
    if not sys.stdout.isatty():
        return Finding(None, "No terminal here: nothing is known of what it draws.")
    columns, rows = shutil.get_terminal_size()
    if columns < 80 or rows < 24:
        return Finding(False, f"The terminal has {columns} × {rows} cells: it needs 80 × 24.")
    return Finding(True, f"{name or 'a terminal'}, {columns} × {rows}, {glyphs}.")


def disk(folder: Path) -> list[Finding]:
    """Room, a write that reaches the disk, and the errors that the file system counted."""
    there = folder
    while not there.exists():
        there = there.parent
    free_mb = shutil.disk_usage(there).free // 1_000_000
    findings = [
        Finding(
            free_mb >= LEAST_FREE_MB,
            f"{free_mb / 1000:.1f} GB are free in {there}"
            + ("." if free_mb >= LEAST_FREE_MB else ": free some, or recording stops."),
        )
    ]
    if there == folder:
        findings.append(_writes(folder))
    errors = _file_system_errors(there)
    if errors:
        findings.append(
            Finding(False, f"The file system counted {errors} errors: replace the card or disk.")
        )
    return findings


def clock() -> Finding:
    """Whether anybody keeps this machine's clock."""
    said = _output("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said == "yes":
        return Finding(True, "The clock is kept over the network.")
    if said == "no":
        return Finding(
            False, "Nobody keeps the clock: run timedatectl set-ntp true, or check the network."
        )
    return Finding(None, "Whether the clock is kept is not known here.")


def sound() -> Finding:
    """Whether something plays the alarms' sounds, and whether there is a card to play them on."""
    player = next(filter(shutil.which, PLAYERS), None)
    if player is None:
        return Finding(False, f"Nothing plays the alarms' sounds: install {' or '.join(PLAYERS)}.")
    try:
        cards = [
            line.partition("]: ")[2] for line in CARDS.read_text().splitlines() if "]: " in line
        ]
    except OSError:
        cards = []
    if not cards:
        return Finding(
            None, f"{player} is there, a sound card is not: try bedside alarms sound high."
        )
    return Finding(True, f"{player} plays alarms on {cards[0]}.")


def service() -> Finding:
    """Whether systemd runs the station and its broker."""
    if not Path("/run/systemd/system").is_dir():
        return Finding(None, "No systemd runs here: nothing restarts the station.")
    states = {unit: _output("systemctl", "is-active", unit) or "unknown" for unit in UNITS}
    if all(state == "active" for state in states.values()):
        return Finding(True, f"{' and '.join(UNITS)} are active.")
    missing = ", ".join(f"{unit} is {state}" for unit, state in states.items())
    return Finding(False, f"{missing}: run sudo bedside install, or see journalctl -u bedside.")


def _writes(folder: Path) -> Finding:
    probe = folder / ".doctor"
    started_s = time.monotonic()
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, b"\0" * 4096)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink()
    except OSError as error:
        return Finding(
            False, f"{folder} cannot be written ({error.strerror}): check its owner and the disk."
        )
    took_s = time.monotonic() - started_s
    if took_s > SLOW_SYNC_S:
        return Finding(False, f"A write took {took_s:.1f} s to the disk: the card may be failing.")
    return Finding(True, f"A write reaches the disk in {1000 * took_s:.0f} ms.")


def _file_system_errors(folder: Path) -> int:
    """What ext4 counted on the disk of a folder; 0 where nothing counts."""
    device = os.stat(folder).st_dev
    name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    try:
        return int(Path("/sys/fs/ext4", name.resolve().name, "errors_count").read_text())
    except (OSError, ValueError):
        return 0


def _output(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=2
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""

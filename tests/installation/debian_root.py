"""A Debian made from nothing, in which bedside is installed as its user would: by hand, as root.

    sudo python -m tests.installation.debian_root FOLDER [--architecture arm64] [--boot]

debootstrap makes the root, the wheel of this checkout goes into /opt/bedside there, a minute of the
demo is played, the quick tests are run on that wheel, `bedside install` is run twice. With `--boot`
systemd-nspawn then boots it, and the service must come up by itself, come back after a SIGKILL, and
be removed. A foreign architecture is emulated by qemu-user-static: that shows that it works, never
how fast.

Each line of the outcome is printed; the exit code is 0 when all hold.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conftest import PROJECT

PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates"
MIRROR = "http://deb.debian.org/debian"
BEDSIDE = "/opt/bedside/bin/bedside"
PYTHON = "/opt/bedside/bin/python"
TESTS = "/tmp/quick-tests"
TESTED_BY = ("pytest", "pytest-asyncio", "hypothesis")
QUICK_TESTS = (
    "tests/alarms/test_engine.py",
    "tests/anomaly/test_autoencoder.py",
    "tests/anomaly/test_scoring.py",
    "tests/ecg/test_chain.py",
    "tests/ecg/test_filters.py",
    "tests/ecg/test_qrs_net.py",
    "tests/node/test_stream.py",
    "tests/node/test_wire.py",
    "tests/recording/test_archive.py",
    "tests/recording/test_newest.py",
    "tests/test_late_review.py",
    "tests/test_monitor.py",
    "tests/test_ranges.py",
    "tests/test_ward.py",
)
"""The brain, the wire and the recording: what computes, and what has a byte order."""
OF_A_CHECKOUT = "corrupt_model or says_something_else_of_itself"
"""These change the model of a checkout, and there is only a wheel."""
PATIENCE_S = 120.0


def main() -> int:
    """Make the root where it is not there yet, install, look, and say what held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--architecture", default="")
    parser.add_argument("--boot", action="store_true")
    wanted = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root can make a Debian root: run this with sudo")
    root = wanted.folder.resolve()
    _make(root, wanted.architecture)
    wheel = _wheel(root)
    held = []
    with _mounted(root):
        _inside(root, "python3", "-m", "venv", "/opt/bedside")
        pip = ("/opt/bedside/bin/pip", "install", "--quiet")
        _inside(root, *pip, f"/tmp/{wheel.name}")
        # In a root that is used again, the wheel of another commit has the same version.
        _inside(root, *pip, "--no-deps", "--force-reinstall", f"/tmp/{wheel.name}")
        machine = _inside(root, "uname", "-m").strip()
        held.append(_said(f"the wheel is installed on {machine}", True))
        demo = _inside(root, BEDSIDE, "demo", "--headless", "--seconds", "60", "--speed", "3")
        held.append(_said("the demo alarms and ends well", '"code": "vt"' in demo))
        summary = _quick_tests(root)
        held.append(_said(f"the quick tests: {summary}", re.search(r"fail|error", summary) is None))
        dry = _inside(root, BEDSIDE, "install", "--dry-run")
        held.append(_said("a dry run takes no step", "would" in dry))
        first = _inside(root, BEDSIDE, "install", "--host", "localhost")
        again = _inside(root, BEDSIDE, "install", "--host", "localhost")
        held.append(_said("it installs", "make the user bedside" in first))
        held.append(
            _said(
                "once more changes nothing",
                all(line.startswith("done already") for line in again.splitlines()),
            )
        )
        modes = _inside(root, "find", "/etc/bedside", "-printf", "%m %u %p\\n")
        held.append(
            _said(
                "configuration and keys are the service's alone",
                all(
                    line.split()[:2] in (["700", "bedside"], ["600", "bedside"])
                    for line in modes.splitlines()
                ),
            )
        )
    if wanted.boot:
        held += _booted(root)
    return 0 if all(held) else 1


def _quick_tests(root: Path) -> str:
    """Run them on the installed wheel; pytest's own last line."""
    folder = root / TESTS.lstrip("/")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROJECT / "tests", folder / "tests")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, folder)
    _inside(root, "/opt/bedside/bin/pip", "install", "--quiet", *TESTED_BY)
    # An emulated processor is slow: hypothesis is not to mind.
    command = (
        PYTHON, "-m", "pytest", "--hypothesis-profile=ci", "-k", f"not ({OF_A_CHECKOUT})",
        *QUICK_TESTS,
    )  # fmt: skip
    said = _run("chroot", str(root), "env", "-C", TESTS, *command, check=False)
    return said.strip().splitlines()[-1]


def _booted(root: Path) -> Iterator[bool]:
    """What a booted machine shows."""
    name = f"bedside-{os.getpid()}"
    machine = subprocess.Popen(
        ["systemd-nspawn", "--quiet", "--boot", f"--directory={root}", f"--machine={name}",
         "--register=no", "--keep-unit", "--console=pipe"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        leader = _first_child(machine.pid)

        def ask(*command: str) -> str:
            return _run("nsenter", "--all", f"--target={leader}", *command, check=False)

        def state() -> str:
            return ask("systemctl", "is-active", "bedside.service").strip()

        yield _said("the service is up", _becomes(lambda: state() == "active"))
        first = ask("systemctl", "show", "--value", "--property=MainPID", "bedside.service")
        ask("systemctl", "kill", "--signal=KILL", "bedside.service")
        yield _said(
            "a killed service comes back",
            _becomes(
                lambda: (
                    state() == "active"
                    and ask("systemctl", "show", "--value", "--property=MainPID", "bedside.service")
                    != first
                )
            ),
        )
        beds = ask(BEDSIDE, "bed", "list", "--config", "/etc/bedside/bedside.toml")
        yield _said("it answers its operator over TLS", "bedside:" not in beds)
        ask(BEDSIDE, "install", "remove")
        yield _said("it is removed", state() != "active")
        kept = ask("ls", "/etc/bedside/bedside.toml", "/var/lib/bedside/alarms.sqlite")
        yield _said("what it kept stays", "alarms.sqlite" in kept and "bedside.toml" in kept)
        ask("systemctl", "poweroff")
        machine.wait(60)
    finally:
        machine.kill()
        machine.wait()


def _first_child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    _becomes(lambda: bool(children.read_text().split()))
    return int(children.read_text().split()[0])


def _becomes(condition: Callable[[], bool]) -> bool:
    give_up_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_s:
        with contextlib.suppress(OSError):
            if condition():
                return True
        time.sleep(0.5)
    return False


def _make(root: Path, architecture: str) -> None:
    if (root / "etc/debian_version").exists():
        return
    foreign = [f"--arch={architecture}"] if architecture else []
    _run("debootstrap", "--variant=minbase", *foreign, f"--include={PACKAGES}", "bookworm",
         str(root), MIRROR)  # fmt: skip


def _wheel(root: Path) -> Path:
    folder = root / "tmp"
    for old in folder.glob("bedside-*.whl"):
        old.unlink()
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}",
         str(PROJECT))  # fmt: skip
    return next(folder.glob("bedside-*.whl"))


@contextlib.contextmanager
def _mounted(root: Path) -> Iterator[None]:
    """With /proc and /dev, and with this machine's names, certificates and wheels.

    Without /sys: what stands there of foreign processors crashes onnxruntime.
    """
    shared = [("/proc", "proc"), ("/dev", "dev"), ("/etc/ssl/certs", "etc/ssl/certs")]
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    if wheels.startswith("/"):
        shared.append((wheels, wheels.lstrip("/")))
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    mounted = []
    try:
        for source, below in shared:
            (root / below).mkdir(parents=True, exist_ok=True)
            _run("mount", "--bind", source, str(root / below))
            mounted.append(root / below)
        yield
    finally:
        for path in reversed(mounted):
            _run("umount", "--lazy", str(path), check=False)


def _inside(root: Path, *command: str) -> str:
    return _run("chroot", str(root), *command)


def _run(*command: str, check: bool = True) -> str:
    kept = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", **kept},
    )
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout + (done.stderr if done.returncode else "")


def _said(words: str, held: bool) -> bool:
    print(f"{'ok  ' if held else 'FAIL'} {words}", flush=True)
    return held


if __name__ == "__main__":
    sys.exit(main())

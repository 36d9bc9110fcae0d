"""Builds the node's host programs once, where their tools are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def firmware_build() -> Path:
    """The folder of the built host programs; skips where they cannot be built."""
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}: apt install cmake g++ libmosquitto-dev")
    folder = PROJECT / "build" / "firmware"
    commands = (
        ["cmake", "-S", str(PROJECT / "firmware" / "tests"), "-B", str(folder)],
        ["cmake", "--build", str(folder), "--parallel", "2"],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def native_node(firmware_build: Path) -> Path:
    """The virtual node's program; skips without libmosquitto."""
    program = firmware_build / "bedside-node"
    if not program.exists():
        pytest.skip("needs libmosquitto: apt install libmosquitto-dev")
    return program

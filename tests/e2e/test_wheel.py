"""The wheel carries all that the program needs, and works from any directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly built wheel, unpacked."""
    pytest.importorskip("hatchling", reason="needs hatchling to build the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        check=True,
        capture_output=True,
        cwd=PROJECT,
    )
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bedside", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=site.parent,
        env=os.environ | {"PYTHONPATH": str(site)},
        check=False,
    )


def test_the_wheel_analyzes_its_own_record_with_its_own_model(unpacked: Path) -> None:
    record = unpacked / "bedside" / "simulator" / "records" / "208"
    done = run(unpacked, "analyze", str(record), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["beats"] > 400


def test_the_wheel_holds_the_program_and_nothing_else(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"bedside"}
    names = [path.name for path in unpacked.rglob("*") if path.is_file()]
    assert "autoencoder.onnx" in names
    assert "bedside.tcss" in names
    assert "demo_baseline.json" in names


def test_a_corrupt_model_is_said_in_one_sentence(unpacked: Path) -> None:
    model = unpacked / "bedside" / "_model" / "autoencoder.onnx"
    good = model.read_bytes()
    try:
        model.write_bytes(good[: len(good) // 2])
        done = run(unpacked, "demo", "--headless", "--seconds", "1")
    finally:
        model.write_bytes(good)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "install bedside again" in done.stderr

"""The units of `bedside install`, judged by systemd's own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bedside.installation.units import SERVICE, units

MOST_EXPOSED = 2.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    made = tmp_path_factory.mktemp("units")
    for name, text in units(Path(sys.executable), Path("/etc/bedside/x.toml"), ("pi",)).items():
        (made / name).write_text(text)
    return made


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )


def test_systemd_understands_every_line(folder: Path) -> None:
    done = analyze("verify", *(str(path) for path in sorted(folder.iterdir())))
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_would_say_what_it_does_not_understand(folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / SERVICE
    wrong.write_text((folder / SERVICE).read_text().replace("ProtectHome=yes", "ProtectHom=yes"))
    assert "ProtectHom" in analyze("verify", str(wrong)).stderr


def test_the_service_is_hardly_exposed(folder: Path) -> None:
    said = analyze("security", "--offline=true", str(folder / SERVICE)).stdout
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", said)
    assert found, said
    assert float(found[1]) <= MOST_EXPOSED

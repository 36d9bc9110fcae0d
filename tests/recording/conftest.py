"""Every test of the recording has a memory of its own that outlives a killed process."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedside.recording import staging


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(staging, "MEMORY", tmp_path)
    return tmp_path

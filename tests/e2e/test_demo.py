"""The demo, as its user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import PROJECT
from tests.records import BUNDLED

SECONDS = 60


def bedside(*arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bedside", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        check=False,
    )


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """Sixty seconds of the demo, ten times as fast: its events and, last, its summary."""
    done = bedside("demo", "--headless", "--seconds", str(SECONDS), "--speed", "10")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_demo_shows_each_kind_of_alarm_and_lets_an_alert_leave(
    lines: list[dict[str, Any]],
) -> None:
    summary = lines[-1]
    assert summary["event"] == "summary"
    for code in ("abnormal-beats", "vt", "lead-off"):
        assert summary["alarms"].get(code, 0) >= 1, code
    assert summary["abnormal_beats"] > 10
    assert summary["alerts"] >= 1
    assert set(summary["failures"].values()) == {0}
    # It ends after its seconds, or as long after them as the machine is busy with something else.
    assert SECONDS * 5 <= summary["batches"] < SECONDS * 5 + 100


def test_no_lethal_alarm_sounds_before_the_synthetic_tachycardia(
    lines: list[dict[str, Any]],
) -> None:
    before = [
        line["code"]
        for line in lines
        if line["event"] == "alarm" and line["state"] == "active" and line["at_s"] < 38
    ]
    assert not {"asystole", "vf", "vt", "extreme-tachy", "extreme-brady"} & set(before)


def test_synthetic_beats_say_so(lines: list[dict[str, Any]]) -> None:
    beats = [line for line in lines if line["event"] == "beat"]
    synthetic = [beat["synthetic"] for beat in beats]
    assert not any(synthetic[:40])
    assert any(synthetic)


def test_the_heart_rate_is_within_five_of_the_annotated_one(
    lines: list[dict[str, Any]], ecg_data: Path
) -> None:
    wfdb = pytest.importorskip("wfdb", reason="needs the extra records")
    original = wfdb.rdrecord(str(ecg_data / "mitdb" / "208"), channels=[0]).p_signal[:, 0]
    excerpt = wfdb.rdrecord(str(BUNDLED)).p_signal[:, 0]
    first = 422_820
    coarse = np.interp(
        np.arange(0, 300, 1 / 250), np.arange(108_000) / 360, original[first:][:108_000]
    )
    assert np.corrcoef(coarse[:75_000], excerpt[:75_000])[0, 1] > 0.99
    reference = wfdb.rdann(str(ecg_data / "mitdb" / "208"), "atr")
    beats = reference.sample[np.isin(reference.symbol, list("NVFQ"))]
    seconds = (beats - first) / 360 - 160
    annotated = 60 * (np.sum((seconds >= 0) & (seconds < 40)) - 1) / 40
    assert lines[-1]["heart_rate_bpm"] == pytest.approx(annotated, abs=5)


def test_the_headless_path_never_imports_a_screen_or_a_plotter() -> None:
    program = (
        "import sys\n"
        "sys.argv = 'bedside demo --headless --seconds 2 --speed 5'.split()\n"
        "from bedside.cli.main import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('textual', 'plotext') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=PROJECT,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "[]"
    assert '"summary"' in done.stdout

"""Open R-peak detectors beside ours: the same files, the same score, the same run.

They work offline on a whole record, where ours decides within 350 ms. Install them with
`pip install 'bedside[train,peers]'`; without them the table holds ours alone, and says so.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from bedside.ecg.resampling import Resampler
from bedside.ecg.rpeaks import RPeakDetector
from training.signal import Count, qrs_count

Floats = NDArray[np.float64]
Detector = Callable[[Floats, float], NDArray[np.int64]]
"""A signal in mV and its rate in Hz to the samples of its R peaks."""

OURS = "bedside"
BATCH_S = 0.2


def ours(signal_mv: Floats, rate_hz: float) -> NDArray[np.int64]:
    """The causal detector, fed in batches of 0.2 s through the resampler."""
    resampler, detector = Resampler(rate_hz), RPeakDetector()
    step = round(BATCH_S * rate_hz)
    positions = [
        peak.position
        for first in range(0, len(signal_mv), step)
        for peak in detector.process(resampler.process(signal_mv[first : first + step]))
    ]
    return np.array([round(resampler.source_index(at)) for at in positions], dtype=np.int64)


def _neurokit(method: str) -> Detector:
    def detect(signal_mv: Floats, rate_hz: float) -> NDArray[np.int64]:
        import neurokit2

        clean = neurokit2.ecg_clean(signal_mv, sampling_rate=int(rate_hz), method=method)
        found = neurokit2.ecg_findpeaks(clean, sampling_rate=int(rate_hz), method=method)
        return np.asarray(found["ECG_R_Peaks"], dtype=np.int64)

    return detect


def _xqrs(signal_mv: Floats, rate_hz: float) -> NDArray[np.int64]:
    from wfdb.processing import xqrs_detect

    return np.asarray(xqrs_detect(signal_mv, rate_hz, verbose=False), dtype=np.int64)


def _sleepecg(signal_mv: Floats, rate_hz: float) -> NDArray[np.int64]:
    import sleepecg

    return np.asarray(sleepecg.detect_heartbeats(signal_mv, rate_hz), dtype=np.int64)


def _ecgdetectors(method: str) -> Detector:
    def detect(signal_mv: Floats, rate_hz: float) -> NDArray[np.int64]:
        import ecgdetectors

        found = getattr(ecgdetectors.Detectors(rate_hz), method)(signal_mv)
        return np.asarray(found, dtype=np.int64)

    return detect


PEERS: dict[str, tuple[str, Detector]] = {
    "neurokit2 neurokit": ("neurokit2", _neurokit("neurokit")),
    "neurokit2 Pan–Tompkins": ("neurokit2", _neurokit("pantompkins1985")),
    "wfdb xqrs": ("wfdb", _xqrs),
    "sleepecg": ("sleepecg", _sleepecg),
    "py-ecg-detectors two average": ("ecgdetectors", _ecgdetectors("two_average_detector")),
    "py-ecg-detectors Hamilton": ("ecgdetectors", _ecgdetectors("hamilton_detector")),
}


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a detector found in a record, in the form that the score reads."""

    rate_hz: float
    samples: list[int]


def installed() -> Iterator[tuple[str, Detector]]:
    """Ours, and every peer whose package is there."""
    yield OURS, ours
    for name, (package, detect) in PEERS.items():
        if importlib.util.find_spec(package) is not None:
            yield name, detect


def compare(groups: dict[str, list[Path]]) -> dict[str, dict[str, Any]]:
    """Per detector: the score of each group of records, and CPU seconds per hour of ECG."""
    table = {}
    for name, detect in installed():
        counts = {group: Count() for group in groups}
        spent_s = hours = 0.0
        for group, paths in groups.items():
            for path in paths:
                found, seconds, cpu_s = _run(detect, path)
                spent_s, hours = spent_s + cpu_s, hours + seconds / 3600.0
                counts[group].add(qrs_count(found, path))
        table[name] = {group: count.report() for group, count in counts.items()}
        table[name]["cpu_s_per_hour"] = round(spent_s / hours, 3)
        print(name, table[name], flush=True)
    return table


def _run(detect: Detector, path: Path) -> tuple[Found, float, float]:
    record = wfdb.rdrecord(str(path), channels=[0])
    signal_mv = np.nan_to_num(record.p_signal[:, 0])
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = detect(signal_mv, float(record.fs))
    spent_s = time.process_time() - started
    return Found(float(record.fs), samples.tolist()), len(signal_mv) / record.fs, spent_s

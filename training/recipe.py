"""The same rows as Kaggle's, built from the raw records by the published recipe.

Kachuee, Fazeli, Sarrafzadeh, "ECG Heartbeat Classification: A Deep Transferable Representation"
(ICHI 2018): 125 Hz, windows of 10 s scaled to 0–1, R peaks, T = the median RR of the window, from
each R peak 1.2 T, padded with zeros. Kaggle's rows are scaled to 0–1 once more, each by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray
from scipy import signal

from training.datasets import AAMI, DataError
from training.kaggle import RATE_HZ, SAMPLES, Rows

WINDOW_S = 10.0
LENGTH_IN_RR = 1.2
PEAK_LEVEL = 0.9
LEAST_RR_S = 0.3
AAMI_LABELS = {"N": 0, "S": 1, "V": 2, "F": 3, "Q": 4}
DISTRUSTED = ("patient248", "patient249", "patient250")

Array = NDArray[np.float64]


def mitbih_rows(folder: Path, record: str) -> Rows:
    """The rows of a MIT-BIH record's first lead, at the annotated beats, labelled by AAMI class."""
    path = folder / record
    try:
        signals, fields = wfdb.rdsamp(str(path), channels=[0])
        marks = wfdb.rdann(str(path), "atr")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a WFDB record: {error}.") from error
    samples = at_rate(signals[:, 0], float(fields["fs"]))
    beats, labels = [], []
    is_beat = [symbol in AAMI for symbol in marks.symbol]
    peaks = np.round(marks.sample[is_beat] / fields["fs"] * RATE_HZ).astype(int)
    classes = [AAMI[symbol] for symbol in marks.symbol if symbol in AAMI]
    width = int(WINDOW_S * RATE_HZ)
    for start in range(0, len(samples) - width + 1, width):
        inside = np.flatnonzero((peaks >= start) & (peaks < start + width))
        window = samples[start : start + width]
        for beat, row in window_rows(window, peaks[inside] - start):
            beats.append(row)
            labels.append(AAMI_LABELS[classes[inside[beat]]])
    return Rows(np.asarray(beats, dtype=np.float32).reshape(-1, SAMPLES), np.asarray(labels))


def ptb_rows(folder: Path) -> tuple[Rows, NDArray[np.str_]]:
    """Rows of lead II of the PTB records: healthy controls 0, infarctions 1; and whose they are.

    `folder` holds PhysioNet's records with their RECORDS, or the first 10 s of them as
    `ptbdb_10s.npz` with `index.csv`. Raises `DataError` when it does not.
    """
    label_of = {"Healthy control": 0, "Myocardial infarction": 1}
    beats, labels, patients = [], [], []
    extract = (folder / "ptbdb_10s.npz").exists()
    for patient, reason, samples_mv, rate_hz in _extracted(folder) if extract else _raw(folder):
        label = label_of.get(reason)
        if label is None or patient in DISTRUSTED:
            continue
        window = at_rate(samples_mv, rate_hz)[: int(WINDOW_S * RATE_HZ)]
        for _, row in window_rows(window, r_peaks(window)):
            beats.append(row)
            labels.append(label)
            patients.append(patient)
    rows = Rows(np.asarray(beats, dtype=np.float32), np.asarray(labels))
    return rows, np.asarray(patients)


def _extracted(folder: Path) -> Iterator[tuple[str, str, Array, float]]:
    """Patient, reason for admission, lead II in mV and its rate, of each record in the extract."""
    try:
        stored = np.load(folder / "ptbdb_10s.npz")
        index = (folder / "index.csv").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{folder} holds no ptbdb_10s.npz and index.csv: {error}.") from error
    reasons = {line.split(",")[0]: line.split(",")[3] for line in index[1:]}
    lead = list(stored["leads"]).index("II")
    for number, record in enumerate(stored["rec"]):
        samples_mv = stored["x_uV"][number, :, lead] / 1000.0
        yield str(record).split("_")[0], reasons[str(record)], samples_mv, float(stored["fs"])


def _raw(folder: Path) -> Iterator[tuple[str, str, Array, float]]:
    """The same of PhysioNet's own files, of which the first 10 s are read."""
    try:
        for record in (folder / "RECORDS").read_text(encoding="utf-8").split():
            header = wfdb.rdheader(str(folder / record))
            lead = [name.lower() for name in header.sig_name].index("ii")
            end = min(header.sig_len, round(WINDOW_S * header.fs))
            signals, _ = wfdb.rdsamp(str(folder / record), channels=[lead], sampto=end)
            said = [line.partition("Reason for admission:")[2] for line in header.comments]
            reason = next(filter(None, map(str.strip, said)), "")
            yield record.split("/")[0], reason, signals[:, 0], float(header.fs)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} cannot be read as PhysioNet's ptbdb ({error}): fetch it with "
            "`python -m training fetch`."
        ) from error


def at_rate(samples: Array, rate_hz: float) -> Array:
    """`samples` (n,) at 125 Hz."""
    resampled: Array = signal.resample(samples, round(len(samples) * RATE_HZ / rate_hz))
    return resampled


def r_peaks(window: Array) -> NDArray[np.int64]:
    """Local maxima above 0.9 of the window (n,) scaled to 0–1, at least 0.3 s apart."""
    peaks, _ = signal.find_peaks(
        scaled(window), height=PEAK_LEVEL, distance=round(LEAST_RR_S * RATE_HZ)
    )
    return np.asarray(peaks, dtype=np.int64)


def window_rows(window: Array, peaks: NDArray[np.int64]) -> list[tuple[int, Array]]:
    """A row (187,) for each R peak of a window (n,) whose 1.2 T lie inside it, with its number."""
    if len(peaks) < 2:
        return []
    length = int(LENGTH_IN_RR * float(np.median(np.diff(peaks))))
    length = min(max(length, 2), SAMPLES)
    rows = []
    for number, peak in enumerate(peaks):
        piece = window[peak : peak + length]
        if len(piece) == length and np.ptp(piece) > 0:
            rows.append((number, np.pad(scaled(piece), (0, SAMPLES - length))))
    return rows


def scaled(values: Array) -> Array:
    """`values` (n,) from 0 to 1; a flat line becomes zeros."""
    span = float(np.ptp(values))
    result: Array = (values - values.min()) / span if span > 0 else np.zeros_like(values)
    return result

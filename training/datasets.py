"""Beats of the PhysioNet databases as the monitor would cut them, and who may train on whom.

Every window takes the path of the live monitor: the source's samples, the streaming resampler to
250 Hz, the streaming band-pass, 192 samples around the R peak.

The split is de Chazal's (2004, IEEE Trans. Biomed. Eng. 51(7)) without the paced records. Records
201 and 202 are one person: 201 is left out of training.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from bedside.ecg.chain import RATE_TOLERANCE, USABLE_QUALITY
from bedside.ecg.filters import BandPass
from bedside.ecg.quality import SignalQuality
from bedside.ecg.resampling import Resampler
from bedside.ecg.timing import RRHistory
from bedside.errors import BedsideError
from bedside.events import (
    WINDOW_BEFORE_SAMPLES,
    WINDOW_RATE_HZ,
    WINDOW_SAMPLES,
    BeatTiming,
)


def _named(*numbers: int) -> tuple[str, ...]:
    return tuple(str(number) for number in numbers)


DS1 = _named(
    101,
    106,
    108,
    109,
    112,
    114,
    115,
    116,
    118,
    119,
    122,
    124,
    201,
    203,
    205,
    207,
    208,
    209,
    215,
    220,
    223,
    230,
)
DS2 = _named(
    100,
    103,
    105,
    111,
    113,
    117,
    121,
    123,
    200,
    202,
    210,
    212,
    213,
    214,
    219,
    221,
    222,
    228,
    231,
    232,
    233,
    234,
)
NSRDB_TRAIN = _named(
    16265,
    16420,
    16773,
    17052,
    18184,
    19093,
)
NSRDB_MEASURE = _named(
    16272,
    16483,
    16786,
    17453,
    19088,
    19140,
)

SAME_PERSON: Mapping[str, str] = {"202": "201"}
"""Records of a person who has another record (mitdb directory: 201 and 202 are one man)."""

LONGEST_S = 3600.0
"""Of the days that nsrdb recorded, the first hour is used."""

TRAIN = tuple(record for record in DS1 if record != "201")

AAMI: Mapping[str, str] = {
    **dict.fromkeys("NLRej", "N"),
    **dict.fromkeys("AaJS", "S"),
    **dict.fromkeys("VE", "V"),
    "F": "F",
    **dict.fromkeys("/fQ", "Q"),
}
"""Annotation symbols to AAMI EC57 classes; a symbol that is missing here marks no beat."""


class DataError(BedsideError):
    """A data set is missing or not what it should be."""


@dataclass(frozen=True, eq=False)
class RecordBeats:
    """The beats of one lead of one record, at the reference positions.

    `windows_mv` has shape (n, 192); `classes` (n,) holds AAMI letters, `time_s` (n,) the time of
    the R peak, `timing` (n) what the intervals say of each, `usable` (n,) the monitor's own quality
    gate.
    """

    record: str
    lead: int
    windows_mv: NDArray[np.float32]
    classes: NDArray[np.str_]
    time_s: NDArray[np.float64]
    timing: tuple[BeatTiming, ...]
    usable: NDArray[np.bool_]

    @property
    def patient(self) -> str:
        """Whose heart it is."""
        return patient_of(self.record)

    def part(self, keep: NDArray[np.bool_]) -> RecordBeats:
        """Only the beats where `keep` (n,) is true."""
        return RecordBeats(
            self.record,
            self.lead,
            self.windows_mv[keep],
            self.classes[keep],
            self.time_s[keep],
            tuple(compress(self.timing, keep)),
            self.usable[keep],
        )


def data_folder() -> Path:
    """The folder of databases: `$BEDSIDE_DATA`, then `../shared/data` beside the project.

    Raises `DataError` where there is none.
    """
    beside = Path(__file__).parents[2] / "shared" / "data"
    for candidate in (os.environ.get("BEDSIDE_DATA"), beside):
        if candidate and (Path(candidate) / "mitdb").is_dir():
            return Path(candidate)
    raise DataError(
        "The databases are missing: set BEDSIDE_DATA to their folder, or fetch them with "
        "`python -m training fetch DIR`."
    )


def patient_of(record: str) -> str:
    """A name for the person behind a record; two records of one person share it."""
    return SAME_PERSON.get(record, record)


def require_no_shared_patient(train: Iterable[str], test: Iterable[str]) -> None:
    """Raise `DataError` when a person stands on both sides of a split."""
    shared = {patient_of(r) for r in train} & {patient_of(r) for r in test}
    if shared:
        raise DataError(
            f"Patients on both sides of the split: {', '.join(sorted(shared))}; "
            "leave their records out of training."
        )


def timings(beat_time_s: NDArray[np.float64]) -> tuple[BeatTiming, ...]:
    """When each of the beats at `beat_time_s` (n,) came, as the monitor would say it."""
    history = RRHistory()
    return (BeatTiming(), *(history.add(float(rr_s)) for rr_s in np.diff(beat_time_s)))


def record_beats(folder: Path, record: str, lead: int = 0) -> RecordBeats:
    """All reference beats of lead `lead` of `folder`/`record`, annotated in `.atr`.

    Beats whose window leaves the record are left out. Raises `DataError` when the record cannot
    be read.
    """
    path = folder / record
    try:
        header = wfdb.rdheader(str(path))
        end = min(header.sig_len, round(LONGEST_S * header.fs))
        signals, fields = wfdb.rdsamp(str(path), channels=[lead], sampto=end)
        marks = wfdb.rdann(str(path), "atr", sampto=end)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path} cannot be read as a WFDB record: {error}.") from error
    rate_hz = float(fields["fs"])
    samples_mv = at_monitor_rate(signals[:, 0], rate_hz)
    filtered_mv = BandPass().process(samples_mv)
    is_beat = np.array([symbol in AAMI for symbol in marks.symbol])
    classes = np.array([AAMI.get(symbol, "") for symbol in marks.symbol])[is_beat]
    time_s = marks.sample[is_beat] / rate_hz
    windows_mv, inside = windows(filtered_mv, time_s)
    time_s, classes = time_s[inside], classes[inside]
    return RecordBeats(
        record,
        lead,
        windows_mv,
        classes,
        time_s,
        timings(time_s),
        _usable(samples_mv, time_s),
    )


def _usable(samples_mv: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the last whole second before the end of each beat's window had a usable quality."""
    index = np.array([second.index for second in SignalQuality().process(samples_mv)])
    after_s = (WINDOW_SAMPLES - WINDOW_BEFORE_SAMPLES + BandPass.delay_samples) / WINDOW_RATE_HZ
    last = np.floor(time_s + after_s).astype(int) - 1
    quality = np.where(last < 0, 1.0, index[np.clip(last, 0, len(index) - 1)])
    return np.asarray(quality >= USABLE_QUALITY)


def at_monitor_rate(samples_mv: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """`samples_mv` (n,) at 250 Hz; a sample that is not valid becomes 0."""
    samples = np.nan_to_num(np.asarray(samples_mv, dtype=np.float64))
    if abs(rate_hz / WINDOW_RATE_HZ - 1.0) > RATE_TOLERANCE:
        samples = Resampler(rate_hz).process(samples)
    return samples


def recorded_noise(folder: Path, name: str) -> NDArray[np.float32]:
    """Both channels of nstdb's `bw` or `ma`, one after the other, in the monitor's band, in mV."""
    signals, fields = wfdb.rdsamp(str(folder / "nstdb" / name))
    leads = [at_monitor_rate(signals[:, lead], float(fields["fs"])) for lead in range(2)]
    return np.concatenate([BandPass().process(lead) for lead in leads]).astype(np.float32)


def windows(
    filtered_mv: NDArray[np.float64], time_s: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Windows (m, 192) around the R peaks at `time_s` (n,), and which of the n were inside."""
    first = (
        np.round(time_s * WINDOW_RATE_HZ).astype(int)
        + BandPass.delay_samples
        - WINDOW_BEFORE_SAMPLES
    )
    inside = (first >= 0) & (first + WINDOW_SAMPLES <= len(filtered_mv))
    index = first[inside, None] + np.arange(WINDOW_SAMPLES)
    return filtered_mv[index].astype(np.float32), inside


def digest(parts: Iterable[RecordBeats]) -> str:
    """A short hash of exactly these beats: it names the data that a model was trained on."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(f"{part.record}/{part.lead}".encode())
        sha.update(np.ascontiguousarray(part.windows_mv).tobytes())
    return sha.hexdigest()[:16]

"""EDF+: one signal in µV at the node's own rate and resolution, beats and alarms as annotations.

EDF has no mark of a missing sample: it stands at the lowest digital value, and an annotation `no
signal` says from where to where. The length of a data record holds the measured rate to 10⁻⁶.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from edfio import Edf, EdfAnnotation, EdfSignal, Recording

from bedside.recording.export.piece import Piece
from bedside.recording.runs import INVALID_SAMPLE


def write(piece: Piece, folder: Path) -> list[Path]:
    """The file of a piece. Raises OSError."""
    per_record = max(1, round(piece.rate_hz))
    record_s = round(per_record / piece.rate_hz, 6)
    units = piece.units()
    records = math.ceil(len(units) / per_record)
    padded = np.full(records * per_record, INVALID_SAMPLE, np.int16)
    padded[: len(units)] = units
    lsb_uv = piece.nv_per_lsb * 1e-3
    lowest, highest = _eight(INVALID_SAMPLE * lsb_uv), _eight(32_767 * lsb_uv)
    step_uv = (highest - lowest) / 65_535
    signal = EdfSignal(
        lowest + (padded.astype(np.float64) - INVALID_SAMPLE) * step_uv,
        per_record / record_s,
        label="ECG",
        physical_dimension="uV",
        physical_range=(lowest, highest),
    )
    start = piece.start
    origin = "synthetic" if piece.stretch.span.synthetic else "X"
    edf = Edf(
        [signal],
        recording=Recording(
            startdate=start.date(),
            equipment_code="bedside",
            additional=(piece.bed, origin),
        ),
        starttime=start.time(),
        data_record_duration=record_s,
        annotations=_annotations(piece, records * record_s),
    )
    path = folder / f"{piece.name}.edf"
    edf.write(path)
    return [path]


def _annotations(piece: Piece, length_s: float) -> list[EdfAnnotation]:
    found = [
        EdfAnnotation(piece.seconds(beat.sample), None, beat.beat_class.value)
        for beat in piece.stretch.beats
    ]
    found += [EdfAnnotation(seconds, None, words) for seconds, words in piece.marks()]
    found += [EdfAnnotation(seconds, lasts, "no signal") for seconds, lasts in piece.missing()]
    end_s = len(piece.samples_mv) / piece.rate_hz
    if length_s - end_s > 0.5 / piece.rate_hz:
        found.append(EdfAnnotation(end_s, length_s - end_s, "no signal"))
    return sorted(found, key=lambda annotation: annotation.onset)


def _eight(value: float) -> float:
    """A number that a field of eight characters can hold."""
    digits = max(0, 8 - len(f"{value:.0f}.")) if len(f"{value:.0f}") < 8 else 0
    return round(value, digits)

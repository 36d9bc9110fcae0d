"""CSV: a line a sample, `time,ecg_mv,beat,alarm`.

`time` is UTC with microseconds; `ecg_mv` is empty where a sample is missing; `beat` is N, S, V or Q
at an R peak; `alarm` names what became active there.
"""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path

from bedside.recording.export.piece import Piece, active_s

COLUMNS = ("time", "ecg_mv", "beat", "alarm")


def write(piece: Piece, folder: Path) -> list[Path]:
    """The file of a piece. Raises OSError."""
    path = folder / f"{piece.name}.csv"
    first = piece.stretch.first_sample
    beats = {beat.sample - first: beat.beat_class.value for beat in piece.stretch.beats}
    alarms: dict[int, str] = {}
    for event in piece.events:
        at = round(active_s(piece.stretch, event) * piece.rate_hz)
        alarms[at] = f"{alarms[at]} {event.code}" if at in alarms else event.code
    # As many decimals as the node's step in nV needs: no value is rounded.
    digits = 6 - min(6, len(str(piece.nv_per_lsb)) - len(str(piece.nv_per_lsb).rstrip("0")))
    start = piece.start.replace(tzinfo=None)
    with path.open("w", newline="", encoding="ascii") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number, value in enumerate(piece.samples_mv.tolist()):
            moment = start + timedelta(seconds=number / piece.rate_hz)
            table.writerow(
                (
                    f"{moment.isoformat(timespec='microseconds')}Z",
                    "" if value != value else f"{value:.{digits}f}",
                    beats.get(number, ""),
                    alarms.get(number, ""),
                )
            )
    return [path]

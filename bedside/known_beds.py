"""The beds that were here before a restart, as their files and the alarm log tell of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bedside.alarms.engine import EngineState
from bedside.alarms.log import LogRow
from bedside.alarms.replay import replay
from bedside.anomaly.baseline import Baseline, BaselineError
from bedside.recording import bed_file
from bedside.recording.bed_file import BedFile

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class KnownBed:
    """A bed as it was left; `alarms` and `rows` of the log are those of the patient in `kept`."""

    name: str
    kept: BedFile | None
    baseline: Baseline | None
    alarms: EngineState | None
    rows: Sequence[LogRow]


def known_beds(
    folder: Path,
    serves: Callable[[str], bool],
    logged: Mapping[str, Sequence[LogRow]],
    model_version: str | None,
) -> Iterator[KnownBed]:
    """Every bed that has a file in `folder` and is served here, by name.

    `logged` holds the last run's rows by bed. A baseline that is foreign to bed, patient or network
    (`model_version`, None: there is none) is left behind. Raises RecordError for a damaged file.
    """
    for path in sorted(folder.glob("*.json")):
        name = path.stem
        if not serves(name):
            continue
        kept = bed_file.load(path)
        rows = logged.get(name, ())
        left = replay(row.payload for row in rows)
        same = kept is not None and kept.session == left.session
        yield KnownBed(
            name,
            kept,
            None if kept is None else _baseline(name, kept, model_version),
            left.alarms if same else None,
            rows if same else (),
        )


def _baseline(bed: str, kept: BedFile, model_version: str | None) -> Baseline | None:
    if kept.baseline is None:
        return None
    try:
        baseline = Baseline.from_json(kept.baseline)
        if model_version is not None:
            baseline.require(bed=bed, session=kept.session, model_version=model_version)
    except BaselineError as error:
        _log.warning("%s", error)
        return None
    return baseline

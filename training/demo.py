"""The shipped baseline of the demo's bed, learned from the bundled record itself.

The record is five minutes of MIT-BIH 208, a training record, and nobody's reference annotations
take part: R peaks and beat classes are the monitor's own. Half of these five minutes is ectopic, so
a calibration at a bedside would refuse them; here only the beats that the monitor calls normal are
given to it. It shows the path, not what the model is worth.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import wfdb

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import Calibration, Refusal, accept
from bedside.ecg.chain import SignalChain
from bedside.events import BeatClass, BeatWindow
from bedside.limits import Limits
from training.datasets import DataError

RECORDS = Path(__file__).parents[1] / "bedside" / "simulator" / "records"
BED = "demo"
SESSION = "demo"
ALARMS_PER_DAY = 50.0
"""A loose budget: a demo of minutes is to show beats that are called abnormal."""


def beats_of(record: Path) -> list[BeatWindow]:
    """The beats that the monitor finds in a WFDB record's first lead."""
    signals, fields = wfdb.rdsamp(str(record), channels=[0])
    chain = SignalChain(Limits())
    chain.restart(0, 0, float(fields["fs"]))
    found = chain.process(np.asarray(signals[:, 0], dtype=np.float64)).beats
    return [beat.window for beat in found]


def write_baseline(record: Path = RECORDS / "208", path: Path | None = None) -> Path:
    """Learn the demo's baseline from `record`; raises `DataError` when it cannot be learned."""
    path = path or RECORDS / "demo_baseline.json"
    autoencoder = Autoencoder.load()
    calibration = Calibration(BED, SESSION, started_us=0)
    for beat in beats_of(record):
        if beat.beat_class is BeatClass.NORMAL:
            calibration.add(beat)
    tentative = calibration.tentative(autoencoder.version)
    if isinstance(tentative, Refusal):
        raise DataError(f"{record} teaches no baseline: {tentative.reason}")
    baseline = accept(
        tentative,
        calibration.windows,
        autoencoder.score(calibration.windows, tentative),
        ALARMS_PER_DAY,
    )
    if isinstance(baseline, Refusal):
        raise DataError(f"{record} teaches no baseline: {baseline.reason}")
    path.write_text(json.dumps(baseline.to_json(), indent=1) + "\n", encoding="utf-8")
    return path

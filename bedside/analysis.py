"""A record through the same monitor as a live bed, as fast as it goes.

Time is derived from the samples and beats are scored in line, so two runs write the same bytes.
The files are a contract for other tools:

- `NAME.bed`: WFDB annotations at the record's own rate, symbols `N`, `S`, `V`, `Q`;
- `NAME.beats.csv`: `sample,time_s,rr_s,class,score,threshold,quality`, a row a beat; `threshold` is
  empty until this patient's baseline is accepted, and `score` is then in units of its scale;
- `NAME.events.jsonl`: a line per transition of an alarm instance (`id`, `code`, `priority`,
  `state`, `at_s`, `onset_s`, `active_s`, …), all on the record's time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import ALARMS_PER_DAY
from bedside.anomaly.scoring import ModelFacts
from bedside.errors import RecordError
from bedside.event_json import instance_json
from bedside.events import (
    Action,
    AlarmChanged,
    AlarmState,
    Batch,
    Beat,
    BeatClass,
    BeatScored,
    BedState,
    CalibrationChanged,
    Event,
    Flags,
    Float64Array,
    Gap,
    Input,
    Instance,
    Int16Array,
    ScoreRequest,
    Scores,
    Tick,
    Vitals,
)
from bedside.limits import Limits
from bedside.monitor import Monitor
from bedside.node.wire import MAX_RATE_MHZ, MIN_RATE_MHZ
from bedside.recording.annotations import write_beats
from bedside.recording.record_reader import Record, read_record

PIECE_S = 0.2
TICK_US = 500_000
NV_PER_LSB = 1000
LOWEST_RATE_HZ = MIN_RATE_MHZ / 1000
HIGHEST_RATE_HZ = MAX_RATE_MHZ / 1000
BED = "record"
SESSION = "analysis"
_NO_FLAGS = Flags(0)


@dataclass(slots=True)
class Analysis:
    """All that was found in a record, in order."""

    record: str
    rate_hz: float
    duration_s: float
    beats: list[tuple[Beat, BeatScored]] = field(default_factory=list)
    transitions: list[Instance] = field(default_factory=list)
    calibration: str = "not asked for"
    calibrated_at_s: float | None = None
    gaps: int = 0
    heart_rates_bpm: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The record in numbers, as `--json` prints it."""
        classes = Counter(beat.beat_class.value for beat, _ in self.beats)
        alarms = Counter(i.code for i in self.transitions if _onset(i))
        rates = self.heart_rates_bpm
        return {
            "record": self.record,
            "rate_hz": self.rate_hz,
            "duration_s": round(self.duration_s, 3),
            "beats": len(self.beats),
            "classes": {kind.value: classes.get(kind.value, 0) for kind in BeatClass},
            "abnormal_beats": sum(score.abnormal for _, score in self.beats),
            "heart_rate_bpm": {
                "lowest": min(rates, default=None),
                "median": float(np.median(rates)) if rates else None,
                "highest": max(rates, default=None),
            },
            "alarms": dict(sorted(alarms.items())),
            "gaps": self.gaps,
            "calibration": self.calibration,
            "calibrated_at_s": self.calibrated_at_s,
        }


def analyze(
    path: Path,
    *,
    channel: int = 0,
    calibrate_s: float = 0.0,
    alarms_per_day: float = ALARMS_PER_DAY,
    autoencoder: Autoencoder | None = None,
    limits: Limits | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Analysis:
    """Run a WFDB record (path without extension) through a monitor of its own.

    `calibrate_s` seconds at the start teach this patient's normal, with a threshold for a budget of
    `alarms_per_day` false alarms; where they are refused, the next stretch of that length is tried.
    `progress` hears the fraction done. Raises RecordError for a record that cannot be read,
    ModelError for a model that cannot.
    """
    record = read_record(path, channel)
    if not LOWEST_RATE_HZ <= record.rate_hz <= HIGHEST_RATE_HZ:
        raise RecordError(
            f"The record {path} was sampled at {record.rate_hz:g} Hz: choose one of "
            f"{LOWEST_RATE_HZ:g} to {HIGHEST_RATE_HZ:g} Hz."
        )
    model = autoencoder or Autoencoder.load()
    monitor = Monitor(
        BED,
        ModelFacts(model.version, model.population_threshold),
        limits,
        state=BedState.ADMITTED,
        session=SESSION,
    )
    analysis = Analysis(record.name, record.rate_hz, len(record.samples_mv) / record.rate_hz)
    open_beats: dict[int, Beat] = {}

    def take(happened: Input) -> None:
        for event in monitor.step(happened):
            note(event)

    def note(event: Event) -> None:
        match event:
            case ScoreRequest():
                scores = tuple(model.score(event.beats, event.baseline))
                take(Scores(event.at_us, scores, event.purpose))
            case Beat():
                open_beats[event.sample] = event
            case BeatScored():
                analysis.beats.append((open_beats.pop(event.sample), event))
            case AlarmChanged():
                analysis.transitions.append(event.instance)
            case Gap():
                analysis.gaps += 1
            case Vitals(heart_rate_bpm=rate) if rate:
                analysis.heart_rates_bpm.append(rate)
            case CalibrationChanged(state=state, reason=reason):
                analysis.calibration = f"{state}: {reason}" if reason else state
                if state == "accepted":
                    analysis.calibrated_at_s = round(event.at_us / 1e6, 3)
            case _:
                pass

    if calibrate_s > 0:
        arguments = {
            "seconds": calibrate_s,
            "retry": True,
            "alarms_per_day": alarms_per_day,
        }
        take(Action(0, "calibrate", SESSION, "calibrate", arguments))
    next_tick_us = TICK_US
    for batch in batches(record):
        while next_tick_us < batch.at_us:
            take(Tick(next_tick_us))
            next_tick_us += TICK_US
        take(batch)
        progress(batch.end_sample / len(record.samples_mv))
    for event in monitor.finish():
        note(event)
    analysis.beats.sort(key=lambda pair: pair[0].sample)
    return analysis


def batches(record: Record) -> Iterator[Batch]:
    """The record as a node would send it: pieces of 0.2 s, with a hole where samples are invalid.

    The resolution becomes 1 µV; what exceeds ±32.7 mV is clipped and flagged as saturated.
    """
    piece = max(1, round(PIECE_S * record.rate_hz))
    sequence = 0
    for begin, run_mv in _valid_runs(record.samples_mv):
        lsb_of_run = np.clip(np.round(run_mv / (NV_PER_LSB * 1e-6)), -32767, 32767).astype(np.int16)
        end_of_run = begin + len(run_mv)
        for start in range(begin - begin % piece, end_of_run, piece):
            first, end = max(start, begin), min(start + piece, end_of_run)
            lsb = lsb_of_run[first - begin : end - begin]
            yield Batch(
                node=BED,
                flags=Flags.SATURATED if abs(int(lsb[0])) == 32767 and _at_rail(lsb) else _NO_FLAGS,
                boot_id=1,
                sequence=sequence,
                first_sample=first,
                wall_us=0,
                rate_mhz=round(record.rate_hz * 1000),
                nv_per_lsb=NV_PER_LSB,
                dropped=0,
                lowest_held=0,
                samples=lsb,
                at_us=round(end / record.rate_hz * 1e6),
            )
            sequence += 1


def write(analysis: Analysis, folder: Path) -> tuple[Path, Path, Path]:
    """Write the three files into a folder, made if it is not there. Raises RecordError."""
    name = analysis.record
    annotations = folder / f"{name}.bed"
    table = folder / f"{name}.beats.csv"
    events = folder / f"{name}.events.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_beats(annotations, [(beat.sample, beat.beat_class) for beat, _ in analysis.beats])
        rows = [_row(beat, score, analysis.rate_hz) for beat, score in analysis.beats]
        header = "sample,time_s,rr_s,class,score,threshold,quality\n"
        table.write_text(header + "".join(rows), encoding="utf-8")
        lines = [json.dumps(instance_json(i)) + "\n" for i in analysis.transitions]
        events.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise RecordError(
            f"The results cannot be written to {folder} ({error.strerror}): choose another folder "
            "with --out."
        ) from error
    return annotations, table, events


def _row(beat: Beat, score: BeatScored, rate_hz: float) -> str:
    rr_s = "" if beat.rr_s is None else f"{beat.rr_s:.6f}"
    threshold = "" if score.threshold is None else f"{score.threshold:.6f}"
    return (
        f"{beat.sample},{beat.sample / rate_hz:.6f},{rr_s},{beat.beat_class.value},"
        f"{score.error:.6f},{threshold},{beat.quality:.3f}\n"
    )


def _onset(instance: Instance) -> bool:
    """Whether this transition made the instance active for the first time."""
    return instance.state is AlarmState.ACTIVE and instance.active_us == instance.at_us


def _at_rail(lsb: Int16Array) -> bool:
    return bool((np.abs(lsb) == 32767).all())


def _valid_runs(samples_mv: Float64Array) -> Iterator[tuple[int, Float64Array]]:
    """Each run of finite samples and where it begins."""
    valid = np.concatenate(([False], np.isfinite(samples_mv), [False]))
    edges = np.flatnonzero(valid[1:] != valid[:-1])
    for first, end in edges.reshape(-1, 2).tolist():
        yield first, samples_mv[first:end]

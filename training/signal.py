"""How the field scores beats and lethal alarms, and the monitor's own answers to be scored.

QRS complexes follow EC57 (150 ms, first five minutes out, flutter excluded); ectopic beats are
counted after five minutes, where F and Q are neither true nor false; an alarm counts for an episode
that lasts at least as long as the condition's limit.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray
from wfdb.processing import compare_annotations

from bedside.analysis import analyze
from bedside.anomaly.autoencoder import Autoencoder
from bedside.events import AlarmState
from training.datasets import AAMI

Floats = NDArray[np.float64]

SKIPPED_S = 300.0
WINDOW_S = 0.15
LETHAL = frozenset({"vf", "vt", "asystole"})
NEAR_S = 10.0
"""A lethal alarm that begins this near to an episode is not a false one."""

VFDB = ("428", "430", "602", "607", "609", "611", "612", "615")
CUDB = tuple(f"cu{number}" for number in range(19, 36, 2))
RHYTHMS = {"(VF": "vf", "(VFIB": "vf", "(VFL": "vf", "(VT": "vt", "(ASYS": "asystole"}


@dataclass(eq=False)
class Run:
    """What the monitor made of a record: beats at the source's samples, alarms in seconds."""

    rate_hz: float
    seconds: float
    samples: list[int] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    rates_bpm: list[float | None] = field(default_factory=list)
    """The displayed heart rate at each beat."""
    alarms: list[tuple[float, float, str]] = field(default_factory=list)
    """Lethal alarms: from when they sounded to their end, and which."""


@dataclass
class Count:
    """True positives, false positives and false negatives."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def add(self, other: Count) -> None:
        """Sum up in place."""
        self.tp, self.fp, self.fn = self.tp + other.tp, self.fp + other.fp, self.fn + other.fn

    def report(self) -> dict[str, float]:
        """Sensitivity, positive predictivity and F1 in per cent, with the counts."""
        sensitivity = 100.0 * self.tp / max(self.tp + self.fn, 1)
        predictivity = 100.0 * self.tp / max(self.tp + self.fp, 1)
        f1 = 200.0 * self.tp / max(2 * self.tp + self.fp + self.fn, 1)
        return {
            "se": round(sensitivity, 3),
            "ppv": round(predictivity, 3),
            "f1": round(f1, 3),
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
        }


def run(path: Path) -> Run:
    """What `bedside analyze` finds in the record's first channel."""
    found = analyze(path, autoencoder=_autoencoder())
    made = Run(found.rate_hz, found.duration_s)
    for beat, _ in found.beats:
        made.samples.append(beat.sample)
        made.classes.append(beat.beat_class.value)
        made.rates_bpm.append(beat.heart_rate_bpm)
    lethal_ones = [one for one in found.transitions if one.code in LETHAL]
    for one in lethal_ones:
        if one.state is AlarmState.ACTIVE and one.active_us == one.at_us:
            ends_s = [
                later.ended_us / 1e6
                for later in lethal_ones
                if later.instance_id == one.instance_id and later.ended_us is not None
            ]
            made.alarms.append((one.at_us / 1e6, min(ends_s, default=made.seconds), one.code))
    return made


def runs(paths: Sequence[Path]) -> Iterator[Run]:
    """`run` of each record, in their order, by a process a core."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        yield from workers.map(run, paths)


@lru_cache(maxsize=1)
def _autoencoder() -> Autoencoder:
    return Autoencoder.load()


def reference(path: Path) -> tuple[Floats, list[str], list[tuple[int, int]]]:
    """Beats of the annotation file, their AAMI classes, and stretches of flutter."""
    notes = wfdb.rdann(str(path), "atr")
    beats = [(s, AAMI[c]) for s, c in zip(notes.sample, notes.symbol, strict=True) if c in AAMI]
    flutter, start = [], None
    for sample, code in zip(notes.sample, notes.symbol, strict=True):
        if code == "[":
            start = int(sample)
        elif code == "]" and start is not None:
            flutter.append((start, int(sample)))
            start = None
    return np.array([s for s, _ in beats]), [c for _, c in beats], flutter


def _kept(samples: Floats, rate_hz: float, without: list[tuple[int, int]]) -> NDArray[np.bool_]:
    keep = samples >= SKIPPED_S * rate_hz
    for start, end in without:
        keep &= (samples < start) | (samples > end)
    return keep


def qrs_count(made: Run, path: Path, exclude_flutter: bool = True) -> Count:
    """QRS complexes found, invented and missed, with wfdb's comparator."""
    truth, _, flutter = reference(path)
    without = flutter if exclude_flutter else []
    found = np.unique(np.array(made.samples))
    truth = truth[_kept(truth, made.rate_hz, without)]
    found = found[_kept(found, made.rate_hz, without)]
    compared = compare_annotations(truth, found, round(WINDOW_S * made.rate_hz))
    return Count(int(compared.tp), int(compared.fp), int(compared.fn))


def ectopic_counts(made: Run, path: Path) -> dict[str, Count]:
    """Ventricular and supraventricular beats: found as such, wrongly so, and missed."""
    truth, classes, flutter = reference(path)
    keep = _kept(truth, made.rate_hz, flutter)
    truth, classes = truth[keep], [c for c, k in zip(classes, keep, strict=True) if k]
    found = np.array(made.samples)
    keep = _kept(found, made.rate_hz, flutter)
    found, called = found[keep], [c for c, k in zip(made.classes, keep, strict=True) if k]
    matched = compare_annotations(truth, found, round(WINDOW_S * made.rate_hz)).matching_sample_nums
    of_truth = dict(zip(range(len(truth)), matched, strict=True))
    partner = {int(f): t for t, f in of_truth.items() if f >= 0}
    counts = {}
    for code in ("V", "S"):
        count = Count()
        for number, real in enumerate(classes):
            hit = of_truth[number] >= 0 and called[int(of_truth[number])] == code
            count.tp += int(real == code and hit)
            count.fn += int(real == code and not hit)
        for number, guess in enumerate(called):
            real = classes[partner[number]] if number in partner else "none"
            count.fp += int(guess == code and real not in (code, "F", "Q"))
        counts[code] = count
    return counts


def episodes(path: Path, seconds: float, rate_hz: float) -> list[tuple[float, float, str]]:
    """Lethal episodes of vfdb and mitdb by their rhythm notes, and of cudb by its marks."""
    found: list[tuple[float, float, str]] = []
    marks = path.parent / "nonbeat_marks.csv"
    if marks.exists():
        with marks.open(encoding="utf-8") as lines:
            turns = [
                float(row["time_s"])
                for row in csv.DictReader(lines)
                if row["record"] == path.name and row["code"] == "2"
            ]
        turns = [t for n, t in enumerate(turns) if n == 0 or t - turns[n - 1] > 2.0]
        ends = [*turns[1::2], seconds]
        return [(start, end, "vf") for start, end in zip(turns[::2], ends, strict=False)]
    notes = wfdb.rdann(str(path), "atr")
    at = [(s / rate_hz, n.strip("\x00")) for s, n in zip(notes.sample, notes.aux_note, strict=True)]
    at = [(s, n) for s, n in at if n.startswith("(")]
    for (start, name), (end, _) in zip(at, [*at[1:], (seconds, "")], strict=True):
        if name in RHYTHMS:
            found.append((start, end, RHYTHMS[name]))
    truth, classes, flutter = reference(path)
    found += [(s / rate_hz, e / rate_hz, "vf") for s, e in flutter]
    times = truth / rate_hz
    for n in np.flatnonzero(np.diff(times) > 4.0) if len(times) else []:
        found.append((float(times[n]), float(times[n + 1]), "asystole"))
    found += list(_runs(times, classes))
    return found


def _runs(times: Floats, classes: list[str]) -> Iterator[tuple[float, float, str]]:
    """Five ventricular beats in a row at 100/min or more, by the reference."""
    for n in range(len(classes) - 4):
        if classes[n : n + 5] == ["V"] * 5 and times[n + 4] - times[n] <= 2.4:
            yield float(times[n]), float(times[n + 4]), "vt"


def lethal(folder: Path) -> dict[str, Any]:
    """Time to alarm and share of lethal episodes found, per condition."""
    limits = {"vf": (4.0, 8.0), "vt": (2.4, 8.0), "asystole": (4.0, 5.0)}
    delays: dict[str, list[float | None]] = {code: [] for code in limits}
    false, hours, per_record = 0, 0.0, {}
    paths = [folder / "vfdb" / n for n in VFDB] + [folder / "cudb" / n for n in CUDB]
    for path, made in zip(paths, runs(paths), strict=True):
        truth = joined(episodes(path, made.seconds, made.rate_hz))
        missed = []
        for start, end, code in truth:
            if end - start < limits[code][0]:
                continue
            spans = [(b, e) for b, e, _ in made.alarms if e >= start and b <= end + 1.0]
            delay = min((max(0.0, b - start) for b, _ in spans), default=None)
            delays[code].append(delay)
            if delay is None or delay > limits[code][1]:
                missed.append((round(start, 1), round(end, 1), code, delay))
        wrong = false_alarms(made, truth)
        false, hours = false + len(wrong), hours + made.seconds / 3600.0
        per_record[path.name] = {"late_or_missed": missed, "false": wrong}
    table = {
        code: {
            "episodes": len(found),
            "in_time_percent": round(
                100.0 * float(np.mean([d is not None and d <= limits[code][1] for d in found])), 1
            )
            if found
            else None,
            "median_s": round(float(np.median([d for d in found if d is not None])), 2)
            if any(d is not None for d in found)
            else None,
        }
        for code, found in delays.items()
    }
    return {
        "conditions": table,
        "false": false,
        "hours": round(hours, 2),
        "records": per_record,
    }


def joined(truth: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Episodes of the same kind that touch are one."""
    merged: list[tuple[float, float, str]] = []
    for code in sorted({code for _, _, code in truth}):
        before: tuple[float, float, str] | None = None
        for start, end, _ in sorted(episode for episode in truth if episode[2] == code):
            if before is not None and start - before[1] < 1.0:
                merged.pop()
                start, end = before[0], max(end, before[1])
            before = (start, end, code)
            merged.append(before)
    return sorted(merged)


def false_alarms(made: Run, truth: list[tuple[float, float, str]]) -> list[tuple[float, str]]:
    """The lethal alarms that belong to no episode."""
    return [
        (round(at_s, 1), code)
        for at_s, _, code in made.alarms
        if not any(start - 1.0 <= at_s <= end + NEAR_S for start, end, _ in truth)
    ]

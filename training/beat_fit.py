"""Fits the trees of the beat classifier: `python -m training.signal_fit beats`.

The evidence does not depend on earlier classes, so it is gathered once, at the R peaks that the
live detector finds: of the training records by both leads, upside down and with the patient
forgotten every minute or so, of healthy people, of the tachycardias in the tuning half of vfdb, and
of composed rhythms (`ectopy`), whose R peaks are exact. `check` fits without some patients and
tests on them: the compass for choosing anything here. DS2 chooses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from bedside.ecg import beats
from bedside.ecg.beat_evidence import QRS, SMALLEST_MV, BeatEvidence
from bedside.ecg.filters import BandPass
from bedside.ecg.mains import MainsNotch
from bedside.ecg.rpeaks import RPeakDetector
from bedside.events import WINDOW_BEFORE_SAMPLES, WINDOW_RATE_HZ, WINDOW_SAMPLES
from training.constants import packed_constant, write_constants
from training.datasets import NSRDB_TRAIN, TRAIN, data_folder
from training.ectopy import Heard, compose, ventricular
from training.signal_data import RATE, VFDB, at_250_hz, lesson

CLASSES = "NSV"
CLASS_WEIGHT = np.array([1.0, 2.0, 2.0])
FOLDS = 2
COMPOSED = 7
"""Composed rhythms per record."""

KEPT_NORMAL = 0.3
"""The share of normal beats that is enough; each counts as much more."""

SKIPPED = 300 * RATE
WEIGHTS = Path(beats.__file__).parent / "beat_weights.py"

Floats = NDArray[np.float64]


@dataclass(eq=False)
class Examples:
    """Evidence (m, n), class, weight, position and both patients of each beat."""

    evidence: list[Floats] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    patients: list[tuple[str, str]] = field(default_factory=list)
    tested: list[bool] = field(default_factory=list)

    def extend(self, other: Examples) -> None:
        """The other's examples too."""
        for name in vars(self):
            getattr(self, name).extend(getattr(other, name))

    def add(self, heard: Heard, patients: tuple[str, str], weight: float, tested: bool) -> None:
        """All beats of one signal, in order, by a classifier that knows nothing before."""
        evidence = BeatEvidence()
        gaps_s = [None, *(np.diff(heard.peaks) / WINDOW_RATE_HZ).tolist(), None]
        for number, peak in enumerate(heard.peaks):
            first = int(peak) + BandPass.delay_samples - WINDOW_BEFORE_SAMPLES
            window_mv = heard.signal_mv[max(0, first) : first + WINDOW_SAMPLES]
            if first < 0 or len(window_mv) < WINDOW_SAMPLES:
                continue
            if np.ptp(window_mv[QRS]) < SMALLEST_MV:
                continue
            self.evidence.append(evidence.weigh(window_mv, gaps_s[number], gaps_s[number + 1]))
            self.classes.append(str(heard.classes[number]))
            self.weight.append(weight)
            self.position.append(int(peak))
            self.patients.append(patients)
            self.tested.append(tested)


def heard(path: Path, channel: int) -> Heard:
    """A record as the monitor hears it, with the reference class of each beat found."""
    given = lesson(path, channel)
    peaks = np.array([peak.position for peak in RPeakDetector().process(given.signal_mv)])
    after = np.clip(np.searchsorted(given.peaks, peaks), 1, len(given.peaks) - 1)
    before = np.abs(given.peaks[after - 1] - peaks) < np.abs(given.peaks[after] - peaks)
    nearest = np.where(before, after - 1, after)
    classes = np.array(given.classes)[nearest]
    classes[np.abs(given.peaks[nearest] - peaks) > 0.15 * RATE] = "x"
    for start, end in given.flutter:
        classes[(peaks >= start) & (peaks <= end)] = "x"
    return Heard(_filtered(given.signal_mv), peaks, classes)


def malignant(path: Path) -> Heard:
    """A record of vfdb, whose rhythms are annotated and not its beats.

    In tachycardia and flutter all beats are ventricular; in a normal rhythm they are normal but for
    those near another rhythm, and for a few that teach something wrong.
    """
    signal_mv, _ = at_250_hz(path)
    peaks = np.array([peak.position for peak in RPeakDetector().process(signal_mv)])
    notes = wfdb.rdann(str(path), "atr")
    turns = [
        (round(sample * RATE / notes.fs), name.strip("\x00"))
        for sample, name in zip(notes.sample, notes.aux_note, strict=True)
        if name.startswith("(")
    ]
    classes = np.full(len(peaks), "x")
    for (start, name), (end, _) in pairwise([*turns, (len(signal_mv), "")]):
        if name in ("(VT", "(VFL"):
            classes[(peaks >= start) & (peaks <= end)] = "V"
        elif name == "(N":
            classes[(peaks >= start + 5 * RATE) & (peaks <= end - 5 * RATE)] = "N"
    return Heard(_filtered(signal_mv), peaks, classes)


def _filtered(signal_mv: Floats) -> Floats:
    return BandPass().process(MainsNotch().process(signal_mv))


def forgotten(one: Heard, rng: np.random.Generator) -> Iterator[Heard]:
    """The same in pieces of 15 to 75 s."""
    first = 0
    while first < len(one.signal_mv):
        end = first + round(RATE * rng.uniform(15.0, 75.0))
        inside = (one.peaks >= first) & (one.peaks < end)
        if int(inside.sum()) > 3:
            yield Heard(one.signal_mv[first:end], one.peaks[inside] - first, one.classes[inside])
        first = end


def _patient(folder: Path, name: str) -> tuple[Heard, Heard | None, list[Floats]]:
    """A training patient by the first lead and by the other, and all ventricular beats."""
    if name in NSRDB_TRAIN:
        return heard(folder / "nsrdb" / name, 0), None, []
    one, other = (heard(folder / "mitdb" / name, channel) for channel in (0, 1))
    return one, other, ventricular(one) + ventricular(other)


def _taught(
    name: str, one: Heard, other: Heard | None, foreign: dict[str, list[Floats]]
) -> Examples:
    """What one patient teaches; `foreign` holds the ventricular beats of those who lend some."""
    made, rng = Examples(), np.random.default_rng(int(name))
    if other is None:
        # Some of the recordings of healthy people begin with half a minute of a square wave.
        span = slice(60 * RATE, 1800 * RATE)
        inside = (one.peaks >= span.start) & (one.peaks < span.stop)
        peaks = one.peaks[inside] - span.start
        piece = Heard(one.signal_mv[span], peaks, one.classes[inside])
        made.add(piece, (name, ""), 0.3, False)
    else:
        made.add(one, (name, ""), 1.0, True)
        made.add(Heard(-one.signal_mv, one.peaks, one.classes), (name, ""), 0.3, False)
        made.add(other, (name, ""), 0.5, False)
        for piece in forgotten(one, rng):
            made.add(piece, (name, ""), 0.2, False)
    for _ in range(COMPOSED):
        lender = str(rng.choice(sorted(foreign)))
        composed = compose(one, {lender: foreign[lender]}, rng)
        if composed is not None and len(composed.peaks) > 15:
            made.add(composed, (name, lender), 0.3, False)
    return made


def _malignant_examples(folder: Path, name: str) -> Examples:
    made = Examples()
    made.add(malignant(folder / "vfdb" / name), (name, ""), 0.3, False)
    return made


def examples(folder: Path) -> Examples:
    """Everything that the classifier learns from, by a process a core."""
    names = (*TRAIN, *NSRDB_TRAIN)
    with ProcessPoolExecutor() as workers:
        patients = list(workers.map(partial(_patient, folder), names))
        foreign = {n: p[2] for n, p in zip(names, patients, strict=True) if len(p[2]) >= 10}
        leads = zip(*(patient[:2] for patient in patients), strict=True)
        made = list(workers.map(partial(_taught, foreign=foreign), names, *leads))
        made += workers.map(partial(_malignant_examples, folder), VFDB)
    together = Examples()
    for part in made:
        together.extend(part)
    return together


def boosted(
    evidence: Floats, classes: NDArray[np.int64], weight: Floats
) -> HistGradientBoostingClassifier:
    """The trees."""
    trees = HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.08,
        max_leaf_nodes=10,
        min_samples_leaf=40,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=0,
        max_bins=64,
    )
    return trees.fit(evidence, classes, sample_weight=weight)


def _thinned(made: Examples) -> tuple[Floats, NDArray[np.int64], Floats, NDArray[np.bool_]]:
    """Evidence, class number, weight, and which beats to learn from."""
    number = np.array([CLASSES.find(c) for c in made.classes])
    weight = np.array(made.weight) * CLASS_WEIGHT[np.maximum(number, 0)]
    few = np.random.default_rng(0).uniform(size=len(number)) < KEPT_NORMAL
    weight[number == 0] /= KEPT_NORMAL
    return np.array(made.evidence), number, weight, (number > 0) | ((number == 0) & few)


def check() -> None:
    """Fit to one half of the patients, test on the other, both ways; print the counts."""
    made = examples(data_folder())
    evidence, number, weight, learned = _thinned(made)
    patients, tested = np.array(made.patients), np.array(made.tested)
    late = np.array(made.position) >= SKIPPED
    called = np.full(len(number), -1)
    for fold in range(FOLDS):
        out = np.isin(patients, TRAIN[fold::FOLDS]).any(axis=1)
        train = learned & ~out
        trees = boosted(evidence[train], number[train], weight[train])
        called[out & tested] = trees.predict(evidence[out & tested])
    judged = tested & late & ~np.isin(made.classes, ("F", "Q"))
    for name in (*TRAIN, "all"):
        of = judged & ((patients[:, 0] == name) | (name == "all"))
        counts = []
        for code in (2, 1):
            is_one, is_called = number[of] == code, called[of] == code
            tp, fp = int((is_one & is_called).sum()), int((is_called & ~is_one).sum())
            counts.append(f"{CLASSES[code]} tp {tp} fp {fp} fn {int(is_one.sum()) - tp}")
        print(name, *counts)


def fitted(made: Examples, without: Collection[str] = ()) -> HistGradientBoostingClassifier:
    """The trees of all examples but those in which one of the patients `without` has a part."""
    evidence, number, weight, learned = _thinned(made)
    learned &= ~np.isin(np.array(made.patients), list(without)).any(axis=1)
    return boosted(evidence[learned], number[learned], weight[learned])


def fit_beats() -> None:
    """Fit on everything and write the trees."""
    trees = fitted(examples(data_folder()))
    title = "The beat classifier's trees, fitted by `python -m training.signal_fit beats`."
    write_constants(WEIGHTS, title, constants(trees))


def constants(trees: HistGradientBoostingClassifier) -> list[str]:
    """The trees as constants of a Python file: each node before its left, then its right side.

    Thresholds and votes are rounded to four digits, which pack well.
    """
    feature: list[int] = []
    value: list[float] = []
    branch: list[int] = []
    roots: list[int] = []
    depth = 0

    def write(nodes: NDArray[np.void], at: int, level: int) -> None:
        nonlocal depth
        depth = max(depth, level)
        here, node = len(feature), nodes[at]
        leaf = bool(node["is_leaf"])
        feature.append(-1 if leaf else int(node["feature_idx"]))
        value.append(float(f"{node['value'] if leaf else node['num_threshold']:.4g}"))
        branch.append(0)
        if not leaf:
            write(nodes, int(node["left"]), level + 1)
            branch[here] = len(feature) - here
            write(nodes, int(node["right"]), level + 1)

    for iteration in trees._predictors:
        for tree in iteration:
            roots.append(len(feature))
            write(tree.nodes, 0, 0)
    bias = np.round(np.ravel(trees._baseline_prediction), 4)
    return [
        packed_constant(name, np.array(numbers), dtype, meaning)
        for name, numbers, dtype, meaning in (
            ("FEATURE", feature, "<i1", "The number of the evidence a node asks; -1: leaf."),
            ("VALUE", value, "<f8", "The threshold (up to it: left), or a leaf's vote."),
            ("BRANCH", branch, "<i2", "How far on the right side begins; the left is next."),
            ("ROOTS", roots, "<i4", "Where the trees begin, for N, S and V in turn."),
            ("BIAS", bias, "<f8", "Votes before the first tree, shape (3,)."),
        )
    ] + [f'DEPTH = {depth}\n"""Of the deepest tree."""\n']

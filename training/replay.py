"""Reference beats, scored as the monitor would score them.

The first five minutes calibrate, by the monitor's own beat classes and quality gate and without the
reference. Where calibration is refused, the beats are scored against the provisional normal and
measured by the population threshold, as at the bedside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import (
    CALIBRATION_S,
    Baseline,
    Calibration,
    Refusal,
    accept,
)
from bedside.anomaly.fusion import Fusion
from bedside.anomaly.normal import Normal
from bedside.anomaly.provisional import EVERY_BEATS, Provisional
from bedside.ecg.beats import BeatClassifier, Votes, scores
from bedside.events import WINDOW_RATE_HZ, BeatWindow
from training.datasets import RecordBeats


@dataclass(frozen=True, eq=False)
class ScoredRecord:
    """A record's beats with their errors (n,), and the threshold that they are measured by.

    `refused` says why the calibration was refused, or nothing; `teaching` (n,) marks the beats of
    an accepted calibration.
    """

    beats: RecordBeats
    errors: NDArray[np.float64]
    threshold: float
    baseline: Baseline | None
    refused: str
    teaching: NDArray[np.bool_]

    @property
    def later(self) -> NDArray[np.bool_]:
        """Which beats (n,) come after the first five minutes."""
        return self.beats.time_s > CALIBRATION_S

    @property
    def abnormal(self) -> NDArray[np.bool_]:
        """Which beats (n,) the monitor would call abnormal."""
        return self.beats.usable & (self.errors > self.threshold)


def beat_windows(beats: RecordBeats, votes: Votes = scores) -> list[BeatWindow]:
    """The beats as the monitor hands them to the autoencoder, with its own classes.

    `votes` weighs the evidence for these; the shipped trees have seen the training patients.
    """
    classifier = BeatClassifier(votes)
    gaps_s: list[float | None] = [None, *np.diff(beats.time_s).tolist(), None]
    given = []
    for number, at_s in enumerate(beats.time_s):
        window_mv = beats.windows_mv[number]
        position = round(at_s * WINDOW_RATE_HZ)
        verdict = classifier.classify(
            window_mv.astype(np.float64), gaps_s[number], gaps_s[number + 1]
        )
        given.append(
            BeatWindow(
                sample=position,
                window_mv=window_mv,
                timing=beats.timing[number],
                beat_class=verdict.beat_class,
                usable=bool(beats.usable[number]),
                abnormal_log_odds=verdict.abnormal_log_odds,
            )
        )
    return given


@dataclass(frozen=True, eq=False)
class Shaped:
    """A record's beats with their shape errors (n,), each with what it was measured against."""

    beats: RecordBeats
    given: Sequence[BeatWindow]
    shapes: Sequence[float]
    normals: Sequence[Normal | None]
    learned: Baseline | Refusal
    teachers: frozenset[int]
    population_threshold: float


def shaped(autoencoder: Autoencoder, beats: RecordBeats, votes: Votes = scores) -> Shaped:
    """Calibrate on the first five minutes, measure every beat's shape."""
    given = beat_windows(beats, votes)
    calibration = Calibration(beats.record, "replay", started_us=0)
    for window, at_s in zip(given, beats.time_s, strict=True):
        if at_s <= CALIBRATION_S:
            calibration.add(window)
    learned: Baseline | Refusal = calibration.tentative(autoencoder.version)
    if isinstance(learned, Baseline):
        learned = accept(
            learned,
            calibration.windows,
            autoencoder.score(calibration.windows, learned),
        )
    shapes: list[float] = []
    normals: list[Normal | None] = []
    provisional = Provisional()
    for start in range(0, len(given), EVERY_BEATS):
        some = given[start : start + EVERY_BEATS]
        normal = provisional.normal if isinstance(learned, Refusal) else learned
        shapes += [score.shape_error for score in autoencoder.score(some, normal)]
        normals += [normal] * len(some)
        if isinstance(learned, Refusal):
            for window in some:
                provisional.add(window)
    return Shaped(
        beats,
        given,
        shapes,
        normals,
        learned,
        frozenset(window.sample for window in calibration.windows),
        autoencoder.population_threshold,
    )


def fused(record: Shaped, fusion: Fusion) -> ScoredRecord:
    """The errors that a rule makes of the shapes and their timing."""
    errors = np.array(
        [
            fusion.error(shape, window.timing, window.abnormal_log_odds, normal)
            for shape, window, normal in zip(
                record.shapes, record.given, record.normals, strict=True
            )
        ]
    )
    learned, count = record.learned, len(errors)
    if isinstance(learned, Refusal):
        return ScoredRecord(
            record.beats,
            errors,
            record.population_threshold,
            None,
            learned.reason,
            np.zeros(count, dtype=bool),
        )
    teaching = np.array([window.sample in record.teachers for window in record.given])
    return ScoredRecord(record.beats, errors, learned.threshold, learned, "", teaching)


def replay(autoencoder: Autoencoder, beats: RecordBeats) -> ScoredRecord:
    """Calibrate on the first five minutes and score everything, as the monitor does."""
    return fused(shaped(autoencoder, beats), Fusion())

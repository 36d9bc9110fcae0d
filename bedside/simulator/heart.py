"""When a synthetic heart beats, and how: the beats of each rhythm, one after the other.

A beat is placed by its R peak; a P wave that no QRS follows is a beat of its own shape. The same
random generator gives the same beats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

_PREMATURITY = 0.4
"""An ectopic beat comes this fraction of an RR interval early."""


class RhythmKind(StrEnum):
    """What the heart does. `lead-off` is no rhythm: an electrode is off and nothing is seen."""

    SINUS = "sinus"
    SINUS_ARRHYTHMIA = "sinus-arrhythmia"
    ATRIAL_FIBRILLATION = "af"
    ATRIAL_FLUTTER = "flutter"
    PACS = "pacs"
    PVCS = "pvcs"
    BIGEMINY = "bigeminy"
    TRIGEMINY = "trigeminy"
    COUPLETS = "couplets"
    RUNS = "runs"
    VT = "vt"
    TORSADES = "torsades"
    VF = "vf"
    VF_FINE = "vf-fine"
    ASYSTOLE = "asystole"
    PAUSES = "pauses"
    AV_BLOCK_1 = "av-block-1"
    WENCKEBACH = "wenckebach"
    MOBITZ_2 = "mobitz-2"
    AV_BLOCK_3 = "av-block-3"
    IDIOVENTRICULAR = "idioventricular"
    PACED = "paced"
    ST_ELEVATION = "st-elevation"
    ST_DEPRESSION = "st-depression"
    LEAD_OFF = "lead-off"


class Shape(StrEnum):
    """What a beat looks like."""

    NORMAL = "normal"
    NO_P = "no-p"
    LONG_PR = "long-pr"
    VENTRICULAR = "ventricular"
    PACED = "paced"
    ST_UP = "st-up"
    ST_DOWN = "st-down"
    P_ALONE = "p-alone"


@dataclass(frozen=True, slots=True)
class HeartBeat:
    """A beat with its R peak at `r_s`, in a rhythm whose RR interval is `rr_s`.

    `pr_s` is the time from P to R, None where the shape's own holds.
    """

    r_s: float
    rr_s: float
    shape: Shape = Shape.NORMAL
    pr_s: float | None = None


USUAL_BPM = {
    RhythmKind.VT: 180.0,
    RhythmKind.AV_BLOCK_3: 35.0,
    RhythmKind.IDIOVENTRICULAR: 40.0,
    RhythmKind.ATRIAL_FIBRILLATION: 90.0,
}
"""The rates that these have where none is named; any other rhythm 75/min."""

BEATLESS = (
    RhythmKind.VF,
    RhythmKind.VF_FINE,
    RhythmKind.TORSADES,
    RhythmKind.ASYSTOLE,
    RhythmKind.LEAD_OFF,
)

_SHAPES = {
    RhythmKind.ATRIAL_FIBRILLATION: Shape.NO_P,
    RhythmKind.ATRIAL_FLUTTER: Shape.NO_P,
    RhythmKind.VT: Shape.VENTRICULAR,
    RhythmKind.IDIOVENTRICULAR: Shape.VENTRICULAR,
    RhythmKind.AV_BLOCK_1: Shape.LONG_PR,
    RhythmKind.PACED: Shape.PACED,
    RhythmKind.ST_ELEVATION: Shape.ST_UP,
    RhythmKind.ST_DEPRESSION: Shape.ST_DOWN,
}

_ECTOPIC_RUN = {RhythmKind.COUPLETS: 2, RhythmKind.RUNS: 4}
_ECTOPIC_EVERY = {RhythmKind.BIGEMINY: 2, RhythmKind.TRIGEMINY: 3}


def beats(
    kind: RhythmKind,
    rate_bpm: float,
    ectopic_every: int,
    start_s: float,
    random: np.random.Generator,
) -> Iterator[HeartBeat]:
    """The beats of a rhythm from `start_s` on, without end; none for a rhythm without beats."""
    rr_s = 60.0 / rate_bpm
    match kind:
        case _ if kind in BEATLESS:
            return iter(())
        case RhythmKind.PVCS | RhythmKind.BIGEMINY | RhythmKind.TRIGEMINY | RhythmKind.PACS:
            every = _ECTOPIC_EVERY.get(kind, ectopic_every)
            shape = Shape.NO_P if kind is RhythmKind.PACS else Shape.VENTRICULAR
            return _ectopic(rr_s, every, shape, start_s, random)
        case RhythmKind.COUPLETS | RhythmKind.RUNS:
            return _runs(rr_s, ectopic_every, _ECTOPIC_RUN[kind], start_s, random)
        case RhythmKind.PAUSES:
            return _pauses(rr_s, start_s, random)
        case RhythmKind.WENCKEBACH:
            return _wenckebach(rr_s, start_s)
        case RhythmKind.MOBITZ_2:
            return _mobitz(rr_s, start_s, random)
        case RhythmKind.AV_BLOCK_3:
            return _third_degree(rr_s, start_s, random)
        case _:
            return _even(kind, rr_s, start_s, random)


def _spread(random: np.random.Generator, share: float) -> float:
    return float(1 + share * np.clip(random.standard_normal(), -3, 3))


def _even(
    kind: RhythmKind, rr_s: float, at_s: float, random: np.random.Generator
) -> Iterator[HeartBeat]:
    """Beats of one shape: evenly, with respiration, or, fibrillating, in no order at all."""
    shape = _SHAPES.get(kind, Shape.NORMAL)
    while True:
        yield HeartBeat(at_s, rr_s, shape)
        if kind is RhythmKind.ATRIAL_FIBRILLATION:
            at_s += rr_s * max(0.45, 1 + 0.25 * float(np.clip(random.standard_normal(), -2.2, 3)))
        elif kind is RhythmKind.SINUS_ARRHYTHMIA:
            at_s += rr_s * (1 + 0.15 * float(np.sin(2 * np.pi * 0.25 * at_s)))
        else:
            steady = kind in (RhythmKind.VT, RhythmKind.PACED, RhythmKind.ATRIAL_FLUTTER)
            at_s += rr_s * _spread(random, 0.01 if steady else 0.03)


def _ectopic(
    rr_s: float, every: int, shape: Shape, at_s: float, random: np.random.Generator
) -> Iterator[HeartBeat]:
    """Every so many beats one comes early; after a ventricular one the heart waits."""
    since = 0
    while True:
        following_s = rr_s * _spread(random, 0.03)
        since += 1
        ectopic = since == every
        if ectopic:
            since = 0
            if shape is Shape.VENTRICULAR:
                following_s *= 1 + _PREMATURITY
        elif since == every - 1:
            following_s *= 1 - _PREMATURITY
        yield HeartBeat(at_s, rr_s, shape if ectopic else Shape.NORMAL)
        at_s += following_s


def _runs(
    rr_s: float, every: int, length: int, at_s: float, random: np.random.Generator
) -> Iterator[HeartBeat]:
    """After so many sinus beats a run of ventricular ones at 150/min."""
    while True:
        for number in range(every):
            yield HeartBeat(at_s, rr_s)
            last = number == every - 1
            at_s += rr_s * _spread(random, 0.03) * (1 - _PREMATURITY if last else 1)
        for number in range(length):
            yield HeartBeat(at_s, rr_s, Shape.VENTRICULAR)
            at_s += 0.4 if number < length - 1 else rr_s * (1 + _PREMATURITY)


def _pauses(rr_s: float, at_s: float, random: np.random.Generator) -> Iterator[HeartBeat]:
    """A sinus arrest of 3.2 s after every twelfth beat."""
    while True:
        for number in range(12):
            yield HeartBeat(at_s, rr_s)
            at_s += 3.2 if number == 11 else rr_s * _spread(random, 0.03)


def _wenckebach(rr_s: float, at_s: float) -> Iterator[HeartBeat]:
    """PR grows from beat to beat until a P wave is not conducted."""
    while True:
        for number in range(4):
            p_s = at_s + number * rr_s
            pr_s = 0.16 + 0.07 * number
            shape = Shape.NORMAL if number < 3 else Shape.P_ALONE
            yield HeartBeat(p_s + pr_s, rr_s, shape, pr_s)
        at_s += 4 * rr_s


def _mobitz(rr_s: float, at_s: float, random: np.random.Generator) -> Iterator[HeartBeat]:
    """Every third P wave is not conducted, the PR interval of the others stays."""
    while True:
        for number in range(3):
            yield HeartBeat(at_s, rr_s, Shape.NORMAL if number < 2 else Shape.P_ALONE)
            at_s += rr_s * _spread(random, 0.02)


def _third_degree(rr_s: float, at_s: float, random: np.random.Generator) -> Iterator[HeartBeat]:
    """Atria at 80/min and ventricles at their own slow rate, neither knowing of the other."""
    p_s = at_s
    while True:
        while p_s < at_s:
            yield HeartBeat(p_s, 0.75, Shape.P_ALONE, 0.0)
            p_s += 0.75
        yield HeartBeat(at_s, rr_s, Shape.VENTRICULAR)
        at_s += rr_s * _spread(random, 0.02)

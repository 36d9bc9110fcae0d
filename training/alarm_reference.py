"""What the reference says of a record's rhythm: its beats, and its episodes of each condition.

An episode comes from the reference's rhythm notes or from its beats, judged by the same rules as
the monitor's own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from bedside.ecg.rhythm import BRADY_BEATS, RATE_BEATS, Finding, Rhythm
from bedside.events import WINDOW_RATE_HZ, BeatClass
from bedside.limits import Limits
from training.datasets import AAMI
from training.signal import WINDOW_S

_NOTES = {
    "(VF": "vf",
    "(VFIB": "vf",
    "(VFL": "vf",
    "(VT": "vt",
    "(IVR": "pvc-run",
    "(ASYS": "asystole",
    "(B": "bigeminy",
    "(AFIB": "irregular",
    "(AFL": "irregular",
    "(SVTA": "tachy",
}

# A fusion beat is half ventricular: it neither makes a run nor breaks one that others make.
_CLASSES = {
    "N": BeatClass.NORMAL,
    "S": BeatClass.SUPRAVENTRICULAR,
    "V": BeatClass.VENTRICULAR,
    "F": BeatClass.VENTRICULAR,
    "Q": BeatClass.UNKNOWN,
}

RATE_OVER = {
    "extreme-tachy": Limits().extreme_tachy_beats,
    "extreme-brady": Limits().extreme_brady_beats,
    "tachy": RATE_BEATS + 1,
    "brady": BRADY_BEATS,
}
"""Over how many beats each rate is judged."""

LONGEST_SEEN_S = 2.0
"""Longer without a beat, and with a mark of noise: the annotators could not see the heart."""


ENDS_S = {
    "asystole": 5.0,
    "vf": 5.0,
    "vt": 10.0,
    "pause": 5.0,
    "pvc-run": 10.0,
    "extreme-tachy": 30.0,
    "extreme-brady": 30.0,
    "tachy": 30.0,
    "brady": 30.0,
    "bigeminy": 60.0,
    "irregular": 60.0,
}
"""An episode of the reference has ended when nothing in its beats has spoken for it for so long.

They stay as they are when the monitor's own hold changes: else a longer hold would make episodes
fewer as it makes alarms fewer, and no number would say which.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something was so, in seconds."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Beats in order: times of shape (n,) in s and AAMI classes (n,)."""

    time_s: NDArray[np.float64]
    classes: NDArray[np.str_]

    def between(self, from_s: float, to_s: float) -> Beats:
        """Only those of a stretch, both ends included."""
        inside = (self.time_s >= from_s) & (self.time_s <= to_s)
        return Beats(self.time_s[inside], self.classes[inside])

    @property
    def ventricular(self) -> NDArray[np.float64]:
        """When the ventricular ones among them came, in s."""
        return self.time_s[self.classes == "V"]

    def nearest(self, at_s: NDArray[np.float64]) -> NDArray[np.intp]:
        """Which beat stands for each of the moments (m,): -1 where none is within 150 ms."""
        if not len(self.time_s):
            return np.full(len(at_s), -1)
        distance_s = np.abs(at_s[:, None] - self.time_s[None, :])
        near: NDArray[np.intp] = distance_s.argmin(axis=1)
        return np.where(distance_s.min(axis=1) <= WINDOW_S, near, -1)


def is_paced(path: Path) -> bool:
    """Whether the reference knows a paced beat: the monitor is not for such patients."""
    return "/" in wfdb.rdann(str(path), "atr").symbol


def reference_beats(path: Path) -> tuple[Beats, NDArray[np.float64]]:
    """The reference's beats, and the times in s of its marks of noise and of what it left out."""
    notes = wfdb.rdann(str(path), "atr")
    time_s = np.asarray(notes.sample) / float(wfdb.rdheader(str(path)).fs)
    symbols = np.asarray(notes.symbol)
    is_beat = np.array([symbol in AAMI for symbol in notes.symbol])
    classes = np.array([AAMI[symbol] for symbol in symbols[is_beat]])
    return Beats(time_s[is_beat], classes), time_s[np.isin(symbols, ["|", "~"])]


def true_episodes(path: Path, seconds: float) -> dict[str, list[Span]]:
    """Episodes of each condition by the reference's notes and beats; those that overlap are one.

    The annotators call three ventricular beats a tachycardia already; here they are a run.
    """
    notes = wfdb.rdann(str(path), "atr")
    rate_hz = float(wfdb.rdheader(str(path)).fs)
    theirs, _ = reference_beats(path)
    spans: dict[str, list[Span]] = defaultdict(list)
    turns = [
        (sample / rate_hz, note.strip("\x00"))
        for sample, note in zip(notes.sample, notes.aux_note, strict=True)
        if note.startswith("(")
    ]
    for (start_s, name), (end_s, _) in pairwise([*turns, (seconds, "")]):
        code = _NOTES.get(name)
        if code == "vt" and len(theirs.between(start_s, end_s).ventricular) < Limits().vt_beats:
            code = "pvc-run"
        if code:
            spans[code].append(Span(start_s, end_s))
    rhythm = Rhythm(hold_s=ENDS_S)
    open_at: dict[str, float] = {}
    last, hidden = 0, True

    def hear(findings: list[Finding], now_s: float) -> None:
        for finding in findings:
            if finding.present:
                open_at[finding.code] = finding.onset_position / WINDOW_RATE_HZ
            else:
                spans[finding.code].append(Span(open_at.pop(finding.code), now_s))

    for sample, symbol in zip(notes.sample, notes.symbol, strict=True):
        at_s = sample / rate_hz
        position = round(at_s * WINDOW_RATE_HZ)
        hidden |= symbol in "|~"
        if symbol == "[":
            open_at["vf"] = at_s
        elif symbol == "]" and "vf" in open_at:
            spans["vf"].append(Span(open_at.pop("vf"), at_s))
            rhythm.reset(position)
        elif symbol in AAMI and "vf" not in open_at:
            if position - last > LONGEST_SEEN_S * WINDOW_RATE_HZ and hidden:
                rhythm.reset(position)
            last, hidden = position, False
            rhythm.beat(position, _CLASSES[AAMI[symbol]])
            hear(rhythm.advance(position), at_s)
    for code, start_s in open_at.items():
        spans[code].append(Span(start_s, seconds))
    return {code: _joined(found) for code, found in spans.items()}


def whole(truth: dict[str, list[Span]], theirs: Beats) -> dict[str, list[Span]]:
    """Only the episodes that last as long as the condition's definition asks for.

    The annotators note three beats of bigeminy, too, and a minute's fibrillation of ten seconds.
    """
    limits = Limits()
    beats = {"bigeminy": limits.bigeminy_beats, "tachy": RATE_OVER["tachy"]}
    seconds = {"irregular": limits.irregular_s, "vf": limits.vf_s}
    return {
        code: [
            span
            for span in spans
            if span.end_s - span.start_s >= seconds.get(code, 0.0)
            and len(theirs.between(span.start_s, span.end_s).time_s) >= beats.get(code, 0)
        ]
        for code, spans in truth.items()
    }


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: each.start_s):
        if joined and span.start_s <= joined[-1].end_s:
            span = Span(joined[-1].start_s, max(joined.pop().end_s, span.end_s))
        joined.append(span)
    return joined

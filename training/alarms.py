"""The rhythm's alarms against the reference: `python -m training evaluate alarms`.

What is true comes from the reference's rhythm notes and from its beats, judged by the same rules as
the monitor's own. An instance is confirmed when it sounds in an episode that explains it, or within
ten seconds after one. An episode is alarmed once: a second instance of the same condition while it
lasts is one too many. No number here chooses anything.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import wfdb

from bedside.alarms.conditions import CONDITIONS
from bedside.analysis import Analysis, analyze
from bedside.anomaly.autoencoder import Autoencoder
from bedside.ecg.rhythm import Finding, Rhythm
from bedside.events import WINDOW_RATE_HZ, AlarmState, BeatClass, Priority
from training.datasets import AAMI, NSRDB_MEASURE, data_folder
from training.signal import NEAR_S

TABLE = Path(__file__).parents[1] / "model" / "alarms.md"

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
_EXPLAINED_BY = {
    "vt": ("vt", "vf"),
    "vf": ("vf", "vt"),
    "pvc-run": ("pvc-run", "vt", "vf"),
    "extreme-tachy": ("extreme-tachy", "vt", "vf"),
    "tachy": ("tachy", "extreme-tachy", "vt", "vf"),
    "brady": ("brady", "extreme-brady", "pause"),
    "pause": ("pause", "asystole"),
}
"""Which episodes explain an alarm; any other is explained by its own kind alone."""

# A fusion beat is half ventricular: it neither makes a run nor breaks one that others make.
_CLASSES = {
    "N": BeatClass.NORMAL,
    "S": BeatClass.SUPRAVENTRICULAR,
    "V": BeatClass.VENTRICULAR,
    "F": BeatClass.VENTRICULAR,
    "Q": BeatClass.UNKNOWN,
}


LONGEST_SEEN_S = 2.0
"""Longer without a beat, and with a mark of noise: the annotators could not see the heart."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something was so, in seconds."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Sounded:
    """An instance: from its onset to its end, and when it sounded."""

    code: str
    onset_s: float
    active_s: float
    end_s: float
    text: str


def instances(found: Analysis) -> list[Sounded]:
    """The medium and high alarms of the heart that a record raised, in order."""
    last = {instance.instance_id: instance for instance in found.transitions}
    return [
        Sounded(
            one.code,
            one.onset_us / 1e6,
            one.at_us / 1e6,
            min((last[one.instance_id].ended_us or 1e15) / 1e6, found.duration_s),
            one.text,
        )
        for one in found.transitions
        if one.state is AlarmState.ACTIVE
        and one.active_us == one.at_us
        and not CONDITIONS[one.code].technical
        and one.priority is not Priority.LOW
    ]


def true_episodes(path: Path, seconds: float) -> dict[str, list[Span]]:
    """Episodes of each condition by the reference's notes and beats; those that overlap are one."""
    notes = wfdb.rdann(str(path), "atr")
    rate_hz = float(wfdb.rdheader(str(path)).fs)
    spans: dict[str, list[Span]] = defaultdict(list)
    turns = [
        (sample / rate_hz, note.strip("\x00"))
        for sample, note in zip(notes.sample, notes.aux_note, strict=True)
        if note.startswith("(")
    ]
    for (start_s, name), (end_s, _) in pairwise([*turns, (seconds, "")]):
        if name in _NOTES:
            spans[_NOTES[name]].append(Span(start_s, end_s))
    rhythm = Rhythm()
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


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: each.start_s):
        if joined and span.start_s <= joined[-1].end_s:
            span = Span(joined[-1].start_s, max(joined.pop().end_s, span.end_s))
        joined.append(span)
    return joined


def unconfirmed(sounded: list[Sounded], truth: dict[str, list[Span]]) -> list[Sounded]:
    """The instances that no episode explains."""
    return [
        one
        for one in sounded
        if not any(
            span.start_s - NEAR_S <= one.active_s and one.onset_s <= span.end_s + NEAR_S
            for code in _EXPLAINED_BY.get(one.code, (one.code,))
            for span in truth.get(code, ())
        )
    ]


def repeated(sounded: list[Sounded], truth: dict[str, list[Span]]) -> list[tuple[str, Span, int]]:
    """The episodes in which a condition sounded more than once, and how often."""
    often = []
    for code, spans in truth.items():
        for span in spans:
            count = sum(
                one.code == code and span.start_s - 1.0 <= one.active_s <= span.end_s
                for one in sounded
            )
            if count > 1:
                often.append((code, span, count))
    return often


def measure(paths: list[Path]) -> list[dict[str, Any]]:
    """For each record: instances, true episodes, what nothing confirms, what sounded twice."""
    model = Autoencoder.load()
    rows = []
    for path in paths:
        found = analyze(path, autoencoder=model)
        sounded = [one for one in instances(found) if one.code != "abnormal-beats"]
        truth = true_episodes(path, found.duration_s)
        rows.append(row(path.name, sounded, truth))
        print(_line(rows[-1]), flush=True)
    return rows


def row(name: str, sounded: list[Sounded], truth: dict[str, list[Span]]) -> dict[str, Any]:
    """One record's line of the table."""
    codes = sorted({one.code for one in sounded})
    return {
        "record": name,
        "instances": {code: sum(one.code == code for one in sounded) for code in codes},
        "episodes": {code: len(truth.get(code, ())) for code in codes},
        "unconfirmed": unconfirmed(sounded, truth),
        "repeated": repeated(sounded, truth),
    }


def _line(row: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{code} {count}/{row['episodes'][code]}" for code, count in row["instances"].items()
    )
    wrong = ", ".join(f"{one.code} {one.active_s:.0f}" for one in row["unconfirmed"])
    often = ", ".join(
        f"{code} {span.start_s:.0f}–{span.end_s:.0f}: {count}"
        for code, span, count in row["repeated"]
    )
    return f"| {row['record']} | {counts or '–'} | {often or '–'} | {wrong or '–'} |"


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, with their sums."""
    often = sum(count - 1 for row in rows for _, _, count in row["repeated"])
    wrong = [one for row in rows for one in row["unconfirmed"]]
    high = sum(CONDITIONS[one.code].priority is Priority.HIGH for one in wrong)
    sums = (
        f"{sum(sum(row['instances'].values()) for row in rows)} instances; {often} beyond the "
        f"first in one true episode; {len(wrong)} that the reference does not confirm, "
        f"{high} of them high."
    )
    return "\n".join(
        [
            "# Medium and high alarms of the heart against the reference",
            "",
            "Written by `python -m training evaluate alarms`: all of mitdb, and the healthy people",
            "of nsrdb that measure. Instances / true episodes of each condition; episodes that",
            "alarmed more than once (seconds: how often); alarms that nothing explains (second).",
            "",
            sums,
            "",
            "| record | instances / episodes | more than once | not confirmed |",
            "|---|---|---|---|",
            *(_line(row) for row in rows),
            "",
        ]
    )


def records() -> list[Path]:
    """All of mitdb and the measuring half of nsrdb."""
    folder = data_folder()
    mitdb = sorted((folder / "mitdb").glob("*.hea"))
    return [path.with_suffix("") for path in mitdb] + [folder / "nsrdb" / n for n in NSRDB_MEASURE]

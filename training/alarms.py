"""The rhythm's alarms against the reference: `python -m training evaluate alarms`.

What is true comes from the reference's rhythm notes and from its beats, judged by the same rules as
the monitor's own. An instance is confirmed when it sounds in an episode that explains it, or within
ten seconds after one. An episode is alarmed once: a second instance of the same condition while it
lasts is one too many. Of what is not confirmed, the beats around say why (`reasons`). No number
here chooses anything.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from bedside.alarms.conditions import CONDITIONS
from bedside.analysis import Analysis, analyze
from bedside.anomaly.autoencoder import Autoencoder
from bedside.ecg.rhythm import BRADY_BEATS, RATE_BEATS, Finding, Rhythm
from bedside.events import WINDOW_RATE_HZ, AlarmState, BeatClass, Priority
from bedside.limits import Limits
from training.datasets import AAMI, NSRDB_MEASURE, data_folder
from training.signal import NEAR_S, WINDOW_S

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


AROUND_S = 0.5
"""From so long before an alarm's onset on its beats are looked at."""

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


@dataclass(frozen=True, slots=True)
class Sounded:
    """An instance: from its onset to its end, and when it sounded."""

    code: str
    onset_s: float
    active_s: float
    end_s: float
    text: str


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


def alarmed(sounded: list[Sounded], truth: dict[str, list[Span]]) -> dict[str, int]:
    """In how many episodes of each condition an alarm lasted that would explain it."""
    return {
        code: sum(
            any(
                one.active_s <= span.end_s and one.end_s >= span.start_s
                for one in sounded
                if one.code in _EXPLAINED_BY.get(code, (code,))
            )
            for span in spans
        )
        for code, spans in truth.items()
    }


def found_beats(found: Analysis) -> Beats:
    """The monitor's own beats."""
    beats = [beat for beat, _ in found.beats]
    return Beats(
        np.array([beat.sample / found.rate_hz for beat in beats]),
        np.array([beat.beat_class.value for beat in beats]),
    )


def reasons(one: Sounded, ours: Beats, theirs: Beats, noise_s: NDArray[np.float64]) -> str:
    """What sets the beats behind an alarm, from its onset on, apart from the reference's."""
    from_s, to_s = one.onset_s - AROUND_S, one.active_s
    own, true = ours.between(from_s, to_s), theirs.between(from_s, to_s)
    partner = theirs.nearest(own.time_s)
    called, real = own.classes[partner >= 0], theirs.classes[partner[partner >= 0]]
    counts = {
        "missed": int((ours.nearest(true.time_s) < 0).sum()),
        "invented": int((partner < 0).sum()),
        "taken for ventricular": int(((called == "V") & ~np.isin(real, ["V", "F"])).sum()),
        "ventricular, taken for others": int(((called != "V") & (real == "V")).sum()),
    }
    said = [f"{count} {what}" for what, count in counts.items() if count]
    said = [f"of {len(true.time_s)} beats {', '.join(said)}" if said else "every beat right"]
    judged_s = true.time_s[true.time_s >= one.onset_s - WINDOW_S][: RATE_OVER.get(one.code, 0)]
    if len(judged_s) > 1:
        rate_bpm = 60.0 * (len(judged_s) - 1) / (judged_s[-1] - judged_s[0])
        said.append(f"rate {rate_bpm:.1f}/min by the reference")
    if ((noise_s >= from_s) & (noise_s <= to_s)).any():
        said.append("marked as noise or no beat")
    return "; ".join(said)


def measure(paths: list[Path]) -> list[dict[str, Any]]:
    """For each record: instances, true episodes, what nothing confirms, what sounded twice."""
    model = Autoencoder.load()
    rows = []
    for path in paths:
        found = analyze(path, autoencoder=model)
        sounded = [one for one in instances(found) if one.code != "abnormal-beats"]
        truth = true_episodes(path, found.duration_s)
        ours, (theirs, noise_s) = found_beats(found), reference_beats(path)
        why = [reasons(one, ours, theirs, noise_s) for one in unconfirmed(sounded, truth)]
        rows.append(row(path.name, sounded, truth, why, is_paced(path)))
        print(_line(rows[-1]), flush=True)
    return rows


def row(
    name: str,
    sounded: list[Sounded],
    truth: dict[str, list[Span]],
    why: list[str],
    paced: bool,
) -> dict[str, Any]:
    """One record's line of the table; `why` says of each instance not confirmed what was wrong."""
    codes = sorted({one.code for one in sounded})
    return {
        "record": name,
        "paced": paced,
        "instances": {code: sum(one.code == code for one in sounded) for code in codes},
        "episodes": {code: len(truth.get(code, ())) for code in codes},
        "unconfirmed": unconfirmed(sounded, truth),
        "why": why,
        "repeated": repeated(sounded, truth),
        "true": {code: len(spans) for code, spans in truth.items()},
        "alarmed": alarmed(sounded, truth),
    }


def _name(row: dict[str, Any]) -> str:
    return f"{row['record']}, paced" if row["paced"] else str(row["record"])


def _line(row: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{code} {count}/{row['episodes'][code]}" for code, count in row["instances"].items()
    )
    wrong = ", ".join(f"{one.code} {one.active_s:.0f}" for one in row["unconfirmed"])
    often = ", ".join(
        f"{code} {span.start_s:.0f}–{span.end_s:.0f}: {count}"
        for code, span, count in row["repeated"]
    )
    return f"| {_name(row)} | {counts or '–'} | {often or '–'} | {wrong or '–'} |"


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, with their sums."""
    often = sum(count - 1 for row in rows for _, _, count in row["repeated"])
    wrong = [(_name(row), *each) for row in rows for each in _wrong(row)]
    high = sum(CONDITIONS[one.code].priority is Priority.HIGH for _, one, _ in wrong)
    sums = (
        f"{sum(sum(row['instances'].values()) for row in rows)} instances; {often} beyond the "
        f"first in one true episode; {len(wrong)} that the reference does not confirm, {high} of "
        f"them high and {sum(len(row['why']) for row in rows if row['paced'])} in paced patients."
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
            "## By condition",
            "",
            "An episode counts as alarmed where an alarm lasts in it that would explain it, be it",
            "that of an episode before.",
            "",
            "| condition | instances | true episodes | alarmed | not confirmed |",
            "|---|---|---|---|---|",
            *(_sums(code, rows) for code in CONDITIONS if any(code in r["true"] for r in rows)),
            "",
            "## Not confirmed",
            "",
            "The monitor's beats from half a second before the onset to the alarm, against the",
            "reference's within 150 ms. Where every beat is right, milliseconds at a limit or the",
            "rule itself made the alarm.",
            "",
            "| record | alarm | second | what it said | against the reference |",
            "|---|---|---|---|---|",
            *(
                f"| {record} | `{one.code}` | {one.active_s:.0f} | {one.text} | {why} |"
                for record, one, why in wrong
            ),
            "",
        ]
    )


def _wrong(row: dict[str, Any]) -> list[tuple[Sounded, str]]:
    return list(zip(row["unconfirmed"], row["why"], strict=True))


def _sums(code: str, rows: list[dict[str, Any]]) -> str:
    sums = [
        sum(row[name].get(code, 0) for row in rows) for name in ("instances", "true", "alarmed")
    ]
    wrong = sum(one.code == code for row in rows for one in row["unconfirmed"])
    return f"| `{code}` | {sums[0]} | {sums[1]} | {sums[2]} | {wrong} |"


def records() -> list[Path]:
    """All of mitdb and the measuring half of nsrdb."""
    folder = data_folder()
    mitdb = sorted((folder / "mitdb").glob("*.hea"))
    return [path.with_suffix("") for path in mitdb] + [folder / "nsrdb" / n for n in NSRDB_MEASURE]

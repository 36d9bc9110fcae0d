"""The rhythm's alarms against the reference: `python -m training evaluate alarms`.

An instance is confirmed when it sounds in an episode of the reference that explains it, or within
ten seconds after one. An episode is alarmed once: a second instance of the same condition while it
lasts is one too many. Of what is not confirmed, the beats around say why (`reasons`). No number
here chooses anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.alarms.conditions import CONDITIONS
from bedside.analysis import Analysis, analyze
from bedside.anomaly.autoencoder import Autoencoder
from bedside.events import AlarmState, Priority
from training.alarm_reference import (
    RATE_OVER,
    Beats,
    Span,
    is_paced,
    reference_beats,
    true_episodes,
    whole,
)
from training.datasets import NSRDB_MEASURE, data_folder
from training.signal import NEAR_S, WINDOW_S

TABLE = Path(__file__).parents[1] / "model" / "alarms.md"

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

AROUND_S = 0.5
"""From so long before an alarm's onset on its beats are looked at."""


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
        rows.append(row(path, sounded, found_beats(found), found.duration_s))
        print(_line(rows[-1]), flush=True)
    return rows


def row(path: Path, sounded: list[Sounded], ours: Beats, seconds: float) -> dict[str, Any]:
    """A record's line of the table, from what sounded and the monitor's own beats."""
    truth, (theirs, noise_s) = true_episodes(path, seconds), reference_beats(path)
    wrong, long_enough = unconfirmed(sounded, truth), whole(truth, theirs)
    codes = sorted({one.code for one in sounded})
    return {
        "record": path.name,
        "paced": is_paced(path),
        "instances": {code: sum(one.code == code for one in sounded) for code in codes},
        "episodes": {code: len(truth.get(code, ())) for code in codes},
        "unconfirmed": wrong,
        "why": [reasons(one, ours, theirs, noise_s) for one in wrong],
        "repeated": repeated(sounded, truth),
        "whole": {code: len(spans) for code, spans in long_enough.items()},
        "alarmed": alarmed(sounded, long_enough),
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
            "Here an episode is one that lasts as long as the condition's definition asks for; it",
            "counts as alarmed where an alarm lasts in it that would explain it, be it that of an",
            "episode before.",
            "",
            "| condition | instances | episodes | alarmed | not confirmed |",
            "|---|---|---|---|---|",
            *(_sums(code, rows) for code in CONDITIONS if any(code in r["whole"] for r in rows)),
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
        sum(row[name].get(code, 0) for row in rows) for name in ("instances", "whole", "alarmed")
    ]
    wrong = sum(one.code == code for row in rows for one in row["unconfirmed"])
    return f"| `{code}` | {sums[0]} | {sums[1]} | {sums[2]} | {wrong} |"


def records() -> list[Path]:
    """All of mitdb and the measuring half of nsrdb."""
    folder = data_folder()
    mitdb = sorted((folder / "mitdb").glob("*.hea"))
    return [path.with_suffix("") for path in mitdb] + [folder / "nsrdb" / n for n in NSRDB_MEASURE]

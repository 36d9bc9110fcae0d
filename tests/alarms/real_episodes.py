"""Time to alarm on the real episodes of the measuring halves of vfdb and cudb, and of DS2 of mitdb.

Each episode is played from a minute before its onset; any of `vf`, `vt` and `asystole` counts. No
number here chooses anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bedside.analysis import TICK_US, batches
from bedside.anomaly.scoring import ModelFacts
from bedside.events import AlarmChanged, Batch, BedState, Tick
from bedside.monitor import Monitor
from bedside.recording.record_reader import Record, read_record
from training.datasets import DS2, data_folder
from training.signal import CUDB, LETHAL, VFDB, episodes, joined, reference

LEAD_IN_S = 60.0
WITHIN_S = {"vf": 8.0, "vt": 8.0, "asystole": 5.0}
SHORTEST_S = {"vf": 4.0, "vt": 2.4, "asystole": 4.0}
"""A shorter episode need not alarm …"""

FEWEST_BEATS = 5
"""… nor one that the reference calls a tachycardia, of fewer ventricular beats than make one."""


@dataclass(frozen=True, slots=True)
class RealEpisode:
    """An episode of the reference, and the alarm that it raised (`delay_s` None where none)."""

    record: str
    code: str
    onset_s: float
    as_code: str
    delay_s: float | None

    @property
    def in_time(self) -> bool:
        """Whether an alarm came, and soon enough."""
        return self.delay_s is not None and self.delay_s <= WITHIN_S[self.code]


def measured() -> Iterator[RealEpisode]:
    """Every episode that is long enough to alarm."""
    folder = data_folder()
    paths = [folder / "vfdb" / name for name in VFDB] + [folder / "cudb" / name for name in CUDB]
    paths += [folder / "mitdb" / name for name in DS2]
    for path in paths:
        yield from _of_record(path)


def _of_record(path: Path) -> Iterator[RealEpisode]:
    record = read_record(path, 0)
    seconds = len(record.samples_mv) / record.rate_hz
    for start_s, end_s, code in joined(episodes(path, seconds, record.rate_hz)):
        long_enough = end_s - start_s >= SHORTEST_S[code]
        if long_enough and (code != "vt" or _is_tachycardia(path, record.rate_hz, start_s, end_s)):
            as_code, delay_s = _played(record, start_s, end_s, code)
            yield RealEpisode(path.name, code, start_s, as_code, delay_s)


def _is_tachycardia(path: Path, rate_hz: float, start_s: float, end_s: float) -> bool:
    """Whether the beats, where the reference has any, are enough for one."""
    beats, classes, _ = reference(path)
    within = [
        beat_class
        for beat, beat_class in zip(beats / rate_hz, classes, strict=True)
        if start_s <= beat <= end_s
    ]
    return not within or within.count("V") >= FEWEST_BEATS


def _played(record: Record, start_s: float, end_s: float, code: str) -> tuple[str, float | None]:
    """The first lethal alarm that is active in the episode or up to a second after it."""
    from_s = max(0.0, start_s - LEAD_IN_S)
    to_s = min(end_s + 1.0, start_s + WITHIN_S[code] + 10.0)
    first, last = (round(at_s * record.rate_hz) for at_s in (from_s, to_s))
    excerpt = replace(record, samples_mv=record.samples_mv[first:last])
    monitor = Monitor("bed", ModelFacts("none", 1.0), state=BedState.ADMITTED, session="suite")
    active: dict[str, str] = {}
    for happened in _inputs(excerpt):
        for event in monitor.step(happened):
            if not isinstance(event, AlarmChanged) or event.instance.code not in LETHAL:
                continue
            instance = event.instance
            if instance.active_us is not None and instance.ended_us is None:
                active[instance.instance_id] = instance.code
            else:
                active.pop(instance.instance_id, None)
        now_s = from_s + happened.at_us / 1e6
        if active and now_s >= start_s:
            return next(iter(active.values())), max(0.0, now_s - start_s)
    return "", None


def _inputs(record: Record) -> Iterator[Batch | Tick]:
    next_tick_us = TICK_US
    for batch in batches(record):
        while next_tick_us < batch.at_us:
            yield Tick(next_tick_us)
            next_tick_us += TICK_US
        yield batch


def table(rows: list[RealEpisode]) -> str:
    """The rows as Markdown."""
    shares = ", ".join(
        f"`{code}` {sum(row.in_time for row in rows if row.code == code)} of "
        f"{sum(row.code == code for row in rows)}"
        for code in WITHIN_S
    )
    lines = [
        "# Real episodes",
        "",
        "The measuring halves of vfdb and cudb, and DS2 of mitdb, each from a minute before its",
        "onset by the reference; any of `vf`, `vt` and `asystole` counts. Delay 0: it sounded",
        "already. A `vt` of fewer than five ventricular beats by the reference is none here.",
        "",
        f"In time: {shares}.",
        "",
        "| condition | record | onset s | alarm | delay s | within s | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        delay = "none" if row.delay_s is None else f"{row.delay_s:.2f}"
        lines.append(
            f"| `{row.code}` | {row.record} | {row.onset_s:.1f} | {row.as_code or '–'} | {delay} | "
            f"{WITHIN_S[row.code]:g} | {'' if row.in_time else '**late**'} |"
        )
    return "\n".join(lines) + "\n"

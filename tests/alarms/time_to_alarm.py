"""How long each condition takes from its onset in the signal to its alarm.

`python -m tests.alarms.time_to_alarm` runs every condition at normal, half and double amplitude,
clean and noisy, and writes `time_to_alarm.md` beside this file. The signal is synthetic; the real
episodes of vfdb, cudb and mitdb are measured by `python -m training evaluate signal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product
from pathlib import Path

import numpy as np

from bedside.alarms.surroundings import Surroundings
from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.scoring import ModelFacts
from bedside.events import (
    Action,
    AlarmChanged,
    Batch,
    BedState,
    Event,
    Flags,
    Health,
    Input,
    Priority,
    ScoreRequest,
    Scores,
    Tick,
)
from bedside.limits import PRESETS, Limits, Population
from bedside.monitor import Monitor
from bedside.simulator.batcher import cut
from bedside.simulator.disturbance import SignalFault
from bedside.simulator.heart import HeartBeat, Shape, beats
from bedside.simulator.patient import Rhythm, SyntheticPatient
from bedside.simulator.source import Episode, PatientSource
from tests.alarms import real_episodes

TABLE = Path(__file__).with_suffix(".md")
RATE_HZ = 250.0
LEAD_IN_S = 30.0
AMPLITUDES = {"normal": 1.0, "half": 0.5, "double": 2.0}
NOISES_MV = {"clean": 0.01, "noisy": 0.05}

Onset = Callable[[Sequence[HeartBeat], Sequence[HeartBeat], float], float]
"""Beats of the lead-in, beats of the rhythm, moment of the change → onset in s."""


@dataclass(frozen=True, slots=True)
class Case:
    """A condition, the rhythm that brings it, and the time that it may take from its onset."""

    code: str
    rhythm: str
    within_s: float
    seconds: float = 20.0
    onset: Onset = lambda before, after, change_s: change_s
    fault: SignalFault = SignalFault.NONE
    before: str = "sinus:75"
    instead: tuple[str, ...] = ()
    population: Population = Population.ADULT

    @property
    def cause(self) -> str:
        """What the signal turns into."""
        cause = self.rhythm if self.fault is SignalFault.NONE else self.fault.value
        adult = self.population is Population.ADULT
        return cause if adult else f"{cause}, {self.population.value}"


def last_beat(before: Sequence[HeartBeat], after: Sequence[HeartBeat], change_s: float) -> float:
    """The last R peak before the change."""
    return before[-1].r_s


def nth_ventricular(number: int) -> Onset:
    """The ventricular beat that makes the definition complete."""

    def onset(before: Sequence[HeartBeat], after: Sequence[HeartBeat], change_s: float) -> float:
        return [b.r_s for b in after if b.shape is Shape.VENTRICULAR][number - 1]

    return onset


def nth_beat(number: int) -> Onset:
    """The beat that makes the definition complete."""
    return lambda before, after, change_s: after[number - 1].r_s


def pause_of_three_seconds(
    before: Sequence[HeartBeat], after: Sequence[HeartBeat], change_s: float
) -> float:
    """The R peak before the first pause."""
    return next(one.r_s for one, following in pairwise(after) if following.r_s - one.r_s > 3)


CASES = (
    Case("asystole", "asystole", 5.0, onset=last_beat),
    # Fibrillation whose swings pass for ventricular beats is a lethal alarm, too.
    Case("vf", "vf", 8.0, instead=("vt",)),
    Case("vf", "torsades", 8.0, instead=("vt",)),
    # What is left of a fine one in noise may show no beat at all.
    Case("vf", "vf-fine", 8.0, instead=("vt", "asystole")),
    Case("vt", "vt:180", 8.0),
    Case("extreme-tachy", "sinus:170", 10.0),
    Case("extreme-brady", "sinus:35", 10.0, instead=("pause", "asystole")),
    Case("tachy", "sinus:132", 10.0),
    Case("brady", "sinus:44", 10.0),
    Case("pause", "pauses:75", 3.0, 30.0, onset=pause_of_three_seconds),
    # The fourth beat of a run follows 0.4 s after the third.
    Case("pvc-run", "runs:75", 1.4, 30.0, onset=nth_ventricular(3)),
    Case("bigeminy", "bigeminy:75", 2.3, 30.0, onset=nth_beat(8)),
    Case("irregular", "af:90", 62.0, 80.0),
    Case("abnormal-beats", "trigeminy:75", 2.3, 30.0, onset=nth_ventricular(3)),
    Case("tachy", "sinus:168", 10.0, before="sinus:110", population=Population.CHILD),
    Case("extreme-tachy", "sinus:190", 10.0, before="sinus:110", population=Population.CHILD),
    Case("brady", "sinus:68", 10.0, before="sinus:110", population=Population.CHILD),
    Case("extreme-brady", "sinus:50", 10.0, before="sinus:110", population=Population.CHILD),
    Case("tachy", "sinus:208", 10.0, before="sinus:140", population=Population.NEONATE),
    # So fast a heart passes for flutter, whose alarm is as grave.
    Case(
        "extreme-tachy",
        "sinus:235",
        10.0,
        before="sinus:140",
        instead=("vf",),
        population=Population.NEONATE,
    ),
    Case("brady", "sinus:92", 10.0, before="sinus:140", population=Population.NEONATE),
    Case("extreme-brady", "sinus:72", 10.0, before="sinus:140", population=Population.NEONATE),
    Case("brady", "sinus:37", 10.0, before="sinus:55", population=Population.ATHLETE),
    Case("lead-off", "lead-off", 1.2),
    Case("poor-signal", "sinus:75", 12.0, 30.0, fault=SignalFault.MUSCLE),
    Case("no-monitoring", "lead-off", 60.0, 70.0),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One case measured: `delay_s` is None where no alarm came."""

    code: str
    cause: str
    amplitude: str
    noise: str
    onset_s: float
    delay_s: float | None
    within_s: float
    as_code: str

    @property
    def in_time(self) -> bool:
        """Whether the alarm came, and soon enough."""
        return self.delay_s is not None and self.delay_s <= self.within_s


def measure(case: Case, amplitude: str, noise: str, seed: int = 0) -> Measured:
    """Play a case through a bed's monitor."""
    calibrated = case.code == "abnormal-beats"
    lead_in_s = 60.0 if calibrated else LEAD_IN_S
    patient = SyntheticPatient(
        RATE_HZ, seed=seed, amplitude_mv=AMPLITUDES[amplitude], noise_mv=NOISES_MV[noise]
    )
    source = PatientSource(
        patient,
        (
            Episode(Rhythm.parse(case.before), lead_in_s),
            Episode(Rhythm.parse(case.rhythm), case.seconds, fault=case.fault),
        ),
    )
    before, after = _beats(case, lead_in_s, seed)
    onset_s = case.onset(before, after, lead_in_s)
    wanted = (case.code, *case.instead)
    for event in _events(source, 45.0 if calibrated else 0.0, PRESETS[case.population]):
        if not isinstance(event, AlarmChanged):
            continue
        instance = event.instance
        if (
            instance.code in wanted
            and instance.active_us == instance.at_us
            and instance.at_us / 1e6 > lead_in_s
        ):
            # Below 0: the rule was content with less than the whole definition.
            delay_s = instance.at_us / 1e6 - onset_s
            return Measured(
                case.code,
                case.cause,
                amplitude,
                noise,
                onset_s,
                delay_s,
                case.within_s,
                instance.code,
            )
    return Measured(case.code, case.cause, amplitude, noise, onset_s, None, case.within_s, "")


def lethal_instances(rhythm: str) -> list[str]:
    """The high alarms, in order, of a sinus rhythm that turns into another for 25 s and back."""
    episodes = [("sinus:75", LEAD_IN_S), (rhythm, 25.0), ("sinus:75", 20.0)]
    source = PatientSource(
        SyntheticPatient(RATE_HZ),
        [Episode(Rhythm.parse(name), seconds) for name, seconds in episodes],
    )
    return [
        event.instance.code
        for event in _events(source, 0.0, Limits())
        if isinstance(event, AlarmChanged)
        and event.instance.priority is Priority.HIGH
        and event.instance.active_us == event.instance.at_us
    ]


def _beats(case: Case, lead_in_s: float, seed: int) -> tuple[list[HeartBeat], list[HeartBeat]]:
    """The beats that the patient will have, from the same generator."""
    random = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[0])
    first, second = Rhythm.parse(case.before), Rhythm.parse(case.rhythm)
    drawn = []
    for beat in beats(first.kind, first.rate_bpm, first.ectopic_every, 0.3, random):
        drawn.append(beat)
        # The patient looks half a second ahead, and one beat further.
        if beat.r_s > lead_in_s + 0.5 - 1 / RATE_HZ:
            break
    before = [beat for beat in drawn if beat.r_s <= lead_in_s]
    start_s = lead_in_s + min(0.3, 60.0 / second.rate_bpm)
    coming = beats(second.kind, second.rate_bpm, second.ectopic_every, start_s, random)
    return before, list(islice(coming, 100))


def _events(source: PatientSource, calibrate_s: float, limits: Limits) -> Iterator[Event]:
    model = Autoencoder.load() if calibrate_s else None
    facts = (
        ModelFacts("none", float("inf"))
        if model is None
        else ModelFacts(model.version, model.population_threshold)
    )
    monitor = Monitor("bed", facts, limits, state=BedState.ADMITTED, session="suite")
    next_tick_us = 500_000

    def take(happened: Input) -> Iterator[Event]:
        for event in monitor.step(happened):
            yield event
            if isinstance(event, ScoreRequest) and model is not None:
                scores = tuple(model.score(event.beats, event.baseline))
                yield from take(Scores(event.at_us, scores, event.purpose))

    if calibrate_s:
        yield from take(Action(0, "1", "suite", "calibrate", {"seconds": calibrate_s}))
    for number, piece in enumerate(cut(source.pieces(), 50)):
        at_us = round(piece.end_sample / RATE_HZ * 1e6)
        while next_tick_us < at_us:
            yield from take(Tick(next_tick_us))
            next_tick_us += 500_000
        yield from take(
            Batch(
                node="bed",
                flags=piece.flags | Flags.CLOCK_SYNCED,
                boot_id=1,
                sequence=number,
                first_sample=piece.first_sample,
                wall_us=0,
                rate_mhz=source.rate_mhz,
                nv_per_lsb=source.nv_per_lsb,
                dropped=0,
                lowest_held=0,
                samples=piece.samples,
                at_us=at_us,
            )
        )


def measure_station() -> list[Measured]:
    """The conditions of links and parts, from the fault to the alarm, with a tick every 0.5 s."""
    rows = []
    for code, subject, within_s in (
        ("broker-away", "broker", 5.0),
        ("analysis-stalled", "analysis", 5.0),
        ("delivery-failing", "delivery", 35.0),
        ("storage-failing", "disk", 10.0),
        ("sound-failing", "sound", 10.0),
        ("clock-unsynced", "clock", 10.0),
    ):
        station = Surroundings("s-", Limits())
        onset_us = 10_200_000
        happened: list[Health | Tick] = [Health(onset_us, subject, False)]
        happened += [Tick(10_500_000 + 500_000 * n) for n in range(100)]
        active = [
            event.at_us
            for each in happened
            for event in station.step(each)
            if isinstance(event, AlarmChanged) and event.instance.active_us == event.at_us
        ]
        delay_s = (active[0] - onset_us) / 1e6 if active else None
        rows.append(Measured(code, subject, "–", "–", onset_us / 1e6, delay_s, within_s, code))
    rows.append(_silence("node-silent", 5.0))
    return rows


def _silence(code: str, within_s: float) -> Measured:
    monitor = Monitor("bed", ModelFacts("none", 1.0), state=BedState.ADMITTED, session="suite")
    for n in range(1, 40):
        for event in monitor.step(Tick(500_000 * n)):
            if isinstance(event, AlarmChanged) and event.instance.code == code:
                instance = event.instance
                if instance.active_us == instance.at_us:
                    delay_s = (instance.at_us - 500_000) / 1e6
                    return Measured(code, "node", "–", "–", 0.5, delay_s, within_s, code)
    return Measured(code, "node", "–", "–", 0.5, None, within_s, "")


def table(rows: list[Measured]) -> str:
    """The rows as Markdown."""
    late = [row for row in rows if not row.in_time]
    lines = [
        "# Time to alarm",
        "",
        "Written by `python -m tests.alarms.time_to_alarm`. Synthetic signal at 250 Hz; normal is",
        "an R wave of 1 mV, noisy white noise of 0.05 mV RMS (0.01 where clean). A delay below 0:",
        "the rule needed less than the whole definition.",
        "",
        f"{len(rows) - len(late)} of {len(rows)} cases in time.",
        "",
        "| condition | cause | amplitude | signal | onset s | alarm | delay s | within s | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        delay = "none" if row.delay_s is None else f"{row.delay_s:.2f}"
        lines.append(
            f"| `{row.code}` | {row.cause} | {row.amplitude} | {row.noise} | {row.onset_s:.2f} | "
            f"{row.as_code or '–'} | {delay} | {row.within_s:g} | "
            f"{'' if row.in_time else '**late**'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure everything and write the table."""
    rows = [
        measure(case, amplitude, noise)
        for case, amplitude, noise in product(CASES, AMPLITUDES, NOISES_MV)
    ]
    rows += measure_station()
    real = list(real_episodes.measured())
    TABLE.write_text(table(rows) + "\n" + real_episodes.table(real), encoding="utf-8")
    print(table([row for row in rows if not row.in_time]))
    print(real_episodes.table([row for row in real if not row.in_time]))
    print(f"{sum(row.in_time for row in rows)} of {len(rows)} in time; see {TABLE}")


if __name__ == "__main__":
    main()

"""The past of a painted bed on disk: two minutes with an arrest in them, through the real parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bedside.alarms.log import AlarmLog
from bedside.event_json import to_json
from bedside.events import (
    AlarmChanged,
    AlarmState,
    Batch,
    BeatClass,
    Flags,
    Instance,
    Priority,
)
from bedside.recording.beats import BeatNote, RecordedBeat
from bedside.recording.recorder import Recorder
from tests.tui.painted_bed import BEAT_SAMPLES, RATE_HZ, WALL_START_US, heartbeat

BEGAN_US = WALL_START_US - 150_000_000
SECONDS = 120
ARREST_S = 80, 90
BOOT = 0x0BEDBEEF

_NV_PER_LSB = 1000
_PEAK = 80


def write_past(folder: Path, bed: str, alarms: int = 1) -> None:
    """Record it, and log its alarms: an arrest, and before it pauses that the signal lacks."""
    recorder = Recorder(folder / "recordings")
    beats = [start for start in range(0, SECONDS * RATE_HZ, BEAT_SAMPLES) if not _arrested(start)]
    samples_mv = np.zeros(SECONDS * RATE_HZ, dtype=np.float32)
    for start in beats:
        samples_mv[start : start + BEAT_SAMPLES] = heartbeat()
    units = np.rint(samples_mv * 1e6 / _NV_PER_LSB).astype(np.int16)
    for second in range(SECONDS):
        first = second * RATE_HZ
        batch = Batch(
            node=bed,
            flags=Flags.CLOCK_SYNCED | Flags.SYNTHETIC,
            boot_id=BOOT,
            sequence=second,
            first_sample=first,
            wall_us=BEGAN_US + second * 1_000_000,
            rate_mhz=RATE_HZ * 1000,
            nv_per_lsb=_NV_PER_LSB,
            dropped=0,
            lowest_held=0,
            samples=units[first : first + RATE_HZ],
        )
        recorder.write(batch)
    for start in beats:
        note = RecordedBeat(BOOT, start + _PEAK, BeatClass.NORMAL, 0.4, False)
        recorder.note(BeatNote(bed, note))
    recorder.sync(1.0, at_once=True)
    recorder.close()
    log = AlarmLog(folder / "alarms.sqlite")
    for earlier in range(1, alarms):
        at_s = ARREST_S[0] - 10.0 * (alarms - earlier)
        log_alarm(log, bed, "pause", at_s, at_s + 3, at_s + 5, "no QRS for 2.5 s")
    log_alarm(log, bed, "asystole", ARREST_S[0], ARREST_S[0] + 4, ARREST_S[1], "no QRS for 4 s")
    log.close()


def log_alarm(
    log: AlarmLog, bed: str, code: str, onset_s: float, active_s: float, ended_s: float, text: str
) -> None:
    """The rows of an alarm that came and went, seconds since the recording began."""
    onset_us, active_us, ended_us = (round(s * 1e6) for s in (onset_s, active_s, ended_s))
    active = Instance(
        f"{code}-{active_us}",
        code,
        Priority.HIGH,
        AlarmState.ACTIVE,
        onset_us,
        active_us,
        text,
        active_us=active_us,
    )
    ended = Instance(
        active.instance_id,
        code,
        active.priority,
        AlarmState.ENDED,
        onset_us,
        ended_us,
        text,
        active_us=active_us,
        ended_us=ended_us,
    )
    for instance in (active, ended):
        content = to_json(AlarmChanged(instance.at_us, instance))
        assert content is not None
        content |= {"bed": bed, "boot_id": BOOT, "sample": instance.at_us * RATE_HZ // 1_000_000}
        log.append("alarm", content, BEGAN_US + instance.at_us, instance.at_us)


def _arrested(sample: int) -> bool:
    return ARREST_S[0] * RATE_HZ <= sample < ARREST_S[1] * RATE_HZ

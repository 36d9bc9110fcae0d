"""Events as JSON objects: the lines of `--headless`, of `NAME.events.jsonl`, and of the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bedside.events import (
    ActionDone,
    AlarmChanged,
    AlarmState,
    Beat,
    BeatScored,
    BedChanged,
    CalibrationChanged,
    Event,
    FoundLate,
    Gap,
    Instance,
    Priority,
    ScoreRequest,
    Vitals,
    Wave,
)


def to_json(event: Event) -> dict[str, Any] | None:
    """The event as a JSON object, or None for what only moves inside the station (`Wave`,
    `ScoreRequest`).

    Waveforms are left out; times become seconds on the time of `at_us`.
    """
    match event:
        case Wave() | ScoreRequest():
            return None
        case Beat():
            return {
                "event": "beat",
                "at_s": _seconds(event.at_us),
                "sample": event.sample,
                "time_s": _seconds(event.time_us),
                "rr_s": None if event.rr_s is None else round(event.rr_s, 6),
                "class": event.beat_class.value,
                "quality": round(event.quality, 3),
                "heart_rate_bpm": _rounded(event.heart_rate_bpm, 1),
                "synthetic": event.synthetic,
            }
        case BeatScored():
            return {
                "event": "score",
                "at_s": _seconds(event.at_us),
                "sample": event.sample,
                "error": _rounded(event.error, 6),
                "threshold": _rounded(event.threshold, 6),
                "abnormal": event.abnormal,
            }
        case Gap():
            return {
                "event": "gap",
                "at_s": _seconds(event.at_us),
                "from_sample": event.from_sample,
                "to_sample": event.to_sample,
                "boot_id": event.boot_id,
                "new_boot": event.new_boot,
            }
        case Vitals():
            return {
                "event": "vitals",
                "at_s": _seconds(event.at_us),
                "heart_rate_bpm": _rounded(event.heart_rate_bpm, 1),
                "ectopic_per_min": _rounded(event.ectopic_per_min, 1),
                "quality": _rounded(event.quality, 3),
                "quality_reason": event.quality_reason,
                "suspended": event.suspended,
            }
        case AlarmChanged():
            return {"event": "alarm"} | instance_json(event.instance)
        case FoundLate():
            return {
                "event": "found-late",
                "at_s": _seconds(event.at_us),
                "code": event.code,
                "text": event.text,
                "found_wall_s": _seconds(event.found_wall_us),
            }
        case CalibrationChanged():
            return {
                "event": "calibration",
                "at_s": _seconds(event.at_us),
                "state": event.state,
                "reason": event.reason,
            }
        case BedChanged():
            return {
                "event": "bed",
                "at_s": _seconds(event.at_us),
                "state": event.state.value,
                "session": event.session,
                "user": event.user,
            }
        case ActionDone():
            return {
                "event": "action",
                "at_s": _seconds(event.at_us),
                "id": event.action_id,
                "user": event.user,
                "done": event.done,
                "reason": event.reason,
            }


def instance_json(instance: Instance) -> dict[str, Any]:
    """An alarm instance as a JSON object: one line of `NAME.events.jsonl`."""
    return {
        "id": instance.instance_id,
        "code": instance.code,
        "priority": instance.priority.value,
        "state": instance.state.value,
        "at_s": _seconds(instance.at_us),
        "onset_s": _seconds(instance.onset_us),
        "active_s": None if instance.active_us is None else _seconds(instance.active_us),
        "ended_s": None if instance.ended_us is None else _seconds(instance.ended_us),
        "acknowledged_by": instance.acknowledged_by,
        "text": instance.text,
        "value": _rounded(instance.value, 3),
    }


def read_instance(content: Mapping[str, Any]) -> Instance:
    """The alarm instance of `instance_json`. Raises KeyError or ValueError for what is none.

    When it was acknowledged is not in there: its time is then that of the transition.
    """
    at_us = _microseconds(content["at_s"])
    by = str(content["acknowledged_by"])
    active_s, ended_s = content["active_s"], content["ended_s"]
    return Instance(
        instance_id=str(content["id"]),
        code=str(content["code"]),
        priority=Priority(content["priority"]),
        state=AlarmState(content["state"]),
        onset_us=_microseconds(content["onset_s"]),
        at_us=at_us,
        text=str(content["text"]),
        value=content["value"],
        active_us=None if active_s is None else _microseconds(active_s),
        ended_us=None if ended_s is None else _microseconds(ended_s),
        acknowledged_us=at_us if by else None,
        acknowledged_by=by,
    )


def _microseconds(time_s: float) -> int:
    return round(time_s * 1e6)


def _seconds(time_us: int) -> float:
    return round(time_us / 1e6, 6)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), digits)

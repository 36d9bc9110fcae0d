"""Events as JSON objects: the lines of `--headless`, of `NAME.events.jsonl`, and of the broker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from bedside.events import (
    ActionDone,
    AlarmChanged,
    AlarmState,
    Beat,
    BeatScored,
    BedChanged,
    BedState,
    CalibrationChanged,
    Event,
    FoundLate,
    Gap,
    Instance,
    LimitsChanged,
    Priority,
    ScoreRequest,
    Sound,
    SoundPaused,
    SuspensionChanged,
    Vitals,
    Wave,
)
from bedside.limits import Limits, Population


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
                "gauge_threshold": _rounded(event.gauge_threshold, 6),
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
        case SuspensionChanged():
            return {
                "event": "suspension",
                "at_s": _seconds(event.at_us),
                "reason": event.reason,
                "whole": event.whole,
            }
        case SoundPaused():
            return {
                "event": "sound-pause",
                "at_s": _seconds(event.at_us),
                "until_s": _seconds_or_none(event.until_us),
                "user": event.user,
            }
        case LimitsChanged():
            return {
                "event": "limits",
                "at_s": _seconds(event.at_us),
                "population": event.population.value,
                "limits": asdict(event.limits),
                "disabled": list(event.disabled),
                "relaxed": list(event.relaxed),
                "user": event.user,
            }
        case Sound():
            return {
                "event": "sound",
                "at_s": _seconds(event.at_us),
                "priority": event.priority.value,
                "id": event.instance_id,
                "why": event.why,
            }
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
                "until_s": _seconds_or_none(event.until_us),
                "prefix": event.prefix,
            }
        case ActionDone():
            return {
                "event": "action",
                "at_s": _seconds(event.at_us),
                "id": event.action_id,
                "user": event.user,
                "done": event.done,
                "reason": event.reason,
                "needs_confirmation": event.needs_confirmation,
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
        "active_s": _seconds_or_none(instance.active_us),
        "ended_s": _seconds_or_none(instance.ended_us),
        "acknowledged_s": _seconds_or_none(instance.acknowledged_us),
        "acknowledged_by": instance.acknowledged_by,
        "text": instance.text,
        "value": _rounded(instance.value, 3),
    }


def read_instance(content: Mapping[str, Any]) -> Instance:
    """The alarm instance of `instance_json`, exactly. Raises KeyError or ValueError for none."""
    return Instance(
        instance_id=str(content["id"]),
        code=str(content["code"]),
        priority=Priority(content["priority"]),
        state=AlarmState(content["state"]),
        onset_us=microseconds(content["onset_s"]),
        at_us=microseconds(content["at_s"]),
        text=str(content["text"]),
        value=content["value"],
        active_us=microseconds_or_none(content["active_s"]),
        ended_us=microseconds_or_none(content["ended_s"]),
        acknowledged_us=microseconds_or_none(content["acknowledged_s"]),
        acknowledged_by=str(content["acknowledged_by"]),
    )


def read_logged(
    content: Mapping[str, Any],
) -> AlarmChanged | SuspensionChanged | SoundPaused | LimitsChanged | BedChanged | None:
    """The event of a row of the alarm log, exactly, or None for what changes no bed's alarms.

    Raises KeyError or ValueError for a row that is not as `to_json` wrote it.
    """
    kind = content.get("event")
    if kind == "alarm":
        instance = read_instance(content)
        return AlarmChanged(instance.at_us, instance)
    if kind not in ("suspension", "sound-pause", "limits", "bed"):
        return None
    at_us = microseconds(content["at_s"])
    match kind:
        case "suspension":
            return SuspensionChanged(at_us, str(content["reason"]), bool(content["whole"]))
        case "sound-pause":
            until_us = microseconds_or_none(content["until_s"])
            return SoundPaused(at_us, until_us, str(content["user"]))
        case "limits":
            return LimitsChanged(
                at_us,
                Population(content["population"]),
                Limits(**content["limits"]),
                tuple(content["disabled"]),
                tuple(content["relaxed"]),
                str(content["user"]),
            )
        case _:
            return BedChanged(
                at_us,
                BedState(content["state"]),
                str(content["session"]),
                str(content["user"]),
                microseconds_or_none(content["until_s"]),
                str(content["prefix"]),
            )


def read_shown(content: Mapping[str, Any]) -> Event | None:
    """The event of a station's line as far as a screen elsewhere paints it, else None.

    A score comes without its waveforms. Raises KeyError, TypeError or ValueError for a line that is
    not as `to_json` wrote it.
    """
    kind = content.get("event")
    if kind not in ("score", "gap", "found-late", "calibration"):
        return read_logged(content)
    at_us = microseconds(content["at_s"])
    nothing = np.empty(0, dtype=np.float32)
    match kind:
        case "score":
            error = float("nan") if content["error"] is None else float(content["error"])
            threshold = content["threshold"]
            return BeatScored(
                at_us,
                int(content["sample"]),
                error,
                None if threshold is None else float(threshold),
                float(content["gauge_threshold"]),
                bool(content["abnormal"]),
                nothing,
                nothing,
            )
        case "gap":
            return Gap(
                at_us,
                int(content["from_sample"]),
                int(content["to_sample"]),
                int(content["boot_id"]),
                bool(content["new_boot"]),
            )
        case "found-late":
            found_us = microseconds(content["found_wall_s"])
            return FoundLate(at_us, str(content["code"]), str(content["text"]), found_us)
        case _:
            return CalibrationChanged(at_us, str(content["state"]), str(content["reason"]))


def microseconds(time_s: float) -> int:
    """A time of these objects in µs."""
    return round(time_s * 1e6)


def microseconds_or_none(time_s: float | None) -> int | None:
    """The same where there may be none."""
    return None if time_s is None else microseconds(time_s)


def _seconds_or_none(time_us: int | None) -> float | None:
    return None if time_us is None else _seconds(time_us)


def _seconds(time_us: int) -> float:
    return round(time_us / 1e6, 6)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), digits)

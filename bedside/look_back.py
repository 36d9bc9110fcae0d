"""Looking back at a recording, here or from elsewhere: what can be asked, and the answers.

From elsewhere a question is the action `look-back`, whose arguments say `what`, and the answer is
told with its result: JSON, deflated, in Base64. No question makes a station read, or a screen take
in, more than is bounded here.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from bedside.errors import BedsideError, LinkError
from bedside.events import Float32Array, Float64Array, Priority
from bedside.feed import LastBeat, Recording, View
from bedside.recording.archived_event import ArchivedEvent
from bedside.recording.trend import Trend

COURSE_S = 72 * 3600.0
MOST_EVENTS = 1000
LONGEST_VIEW_S = 60.0
LONGEST_PAGES_S = 120.0
MOST_BYTES = 8_000_000
"""Of an answer's JSON; what is asked for here has less than a tenth of it."""

Told = TypeVar("Told")

Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Asks a station about a bed with these arguments; returns what it told. Raises LinkError."""


def answer(recording: Recording, bed: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a bed to somebody elsewhere. Raises BedsideError in words."""
    try:
        content = _answer(recording, bed, arguments)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BedsideError(
            "this station does not understand the question: install the same version of bedside "
            "on both"
        ) from error
    text = json.dumps(content, allow_nan=False)
    return {"deflated": base64.b64encode(zlib.compress(text.encode())).decode("ascii")}


def _answer(recording: Recording, bed: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    match arguments["what"]:
        case "course":
            return _trend_json(recording.course(bed, int(arguments["to_wall_us"])))
        case "events":
            events = recording.events(bed, int(arguments["to_wall_us"]))
            return {"events": [asdict(event) for event in events]}
        case "moment":
            event = _read_event(arguments["event"] | {"bed": bed})
            return {"wall_us": recording.moment_us(event)}
        case "view":
            seconds = _at_most(float(arguments["seconds"]), LONGEST_VIEW_S)
            view = recording.view(bed, int(arguments["from_wall_us"]), seconds)
            return asdict(view) | {"samples_mv": _listed(view.samples_mv, 3)}
        case "beat":
            beat = recording.explain(bed, int(arguments["wall_us"]))
            return {"beat": None if beat is None else _beat_json(beat)}
        case "pages":
            first, stop = int(arguments["from_wall_us"]), int(arguments["to_wall_us"])
            _at_most((stop - first) / 1e6, LONGEST_PAGES_S)
            return {"pages": recording.pages(bed, first, stop)}
        case unknown:
            raise ValueError(f"{unknown!r} is no question")


class RemoteRecording:
    """The recording of a station elsewhere."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def course(self, bed: str, to_wall_us: int) -> Trend:
        """Heart rate and error of the 72 h before a moment, a value a minute."""
        return self._told(bed, "course", _read_trend, to_wall_us=to_wall_us)

    def events(self, bed: str, to_wall_us: int) -> list[ArchivedEvent]:
        """The last thousand alarms before a moment, newest first."""
        return self._told(
            bed,
            "events",
            lambda content: [_read_event(event) for event in content["events"][:MOST_EVENTS]],
            to_wall_us=to_wall_us,
        )

    def moment_us(self, event: ArchivedEvent) -> int:
        """When an event began, on the time of the recording."""
        return self._told(
            event.bed, "moment", lambda content: int(content["wall_us"]), event=asdict(event)
        )

    def view(self, bed: str, from_wall_us: int, seconds: float) -> View:
        """The trace from a moment on, at most a minute."""
        return self._told(bed, "view", _read_view, from_wall_us=from_wall_us, seconds=seconds)

    def explain(self, bed: str, wall_us: int) -> LastBeat | None:
        """The beat nearest to a moment with its reconstruction, None where there is none near."""
        return self._told(bed, "beat", lambda content: _read_beat(content["beat"]), wall_us=wall_us)

    def pages(self, bed: str, from_wall_us: int, to_wall_us: int) -> list[str]:
        """A stretch as SVG pages at true scale, at most two minutes."""
        return self._told(
            bed,
            "pages",
            lambda content: [str(page) for page in content["pages"]],
            from_wall_us=from_wall_us,
            to_wall_us=to_wall_us,
        )

    def _told(
        self, bed: str, what: str, read: Callable[[Mapping[str, Any]], Told], **arguments: object
    ) -> Told:
        told = self._ask(bed, {"what": what, **arguments})
        try:
            inflate = zlib.decompressobj()
            text = inflate.decompress(base64.b64decode(told["deflated"]), MOST_BYTES)
            return read(json.loads(text))
        except (KeyError, TypeError, ValueError, zlib.error, binascii.Error) as error:
            raise LinkError(
                "the station's answer cannot be read: install the same version of bedside on both"
            ) from error


def _at_most(seconds: float, longest_s: float) -> float:
    if not 0 < seconds <= longest_s:
        raise BedsideError(f"at most {longest_s:g} s can be looked at from elsewhere at once")
    return seconds


def _listed(values: Float32Array | Float64Array, digits: int) -> list[float | None]:
    rounded = np.round(values.astype(np.float64), digits)
    return [value if value == value else None for value in rounded.tolist()]


def _array(values: Sequence[float | None]) -> Float64Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _trend_json(trend: Trend) -> dict[str, Any]:
    return {
        "every_s": trend.every_s,
        "from_wall_us": int(trend.wall_us[0]) if len(trend.wall_us) else 0,
        "heart_rate_bpm": _listed(trend.heart_rate_bpm, 1),
        "ectopic_per_min": _listed(trend.ectopic_per_min, 1),
        "abnormal_per_min": _listed(trend.abnormal_per_min, 1),
        "error": _listed(trend.error, 3),
    }


def _read_trend(content: Mapping[str, Any]) -> Trend:
    every_s = float(content["every_s"])
    heart_rate_bpm = _array(content["heart_rate_bpm"])
    since_us = np.arange(len(heart_rate_bpm), dtype=np.int64) * round(every_s * 1e6)
    return Trend(
        every_s,
        int(content["from_wall_us"]) + since_us,
        heart_rate_bpm,
        _array(content["ectopic_per_min"]),
        _array(content["abnormal_per_min"]),
        _array(content["error"]),
    )


def _read_event(content: Mapping[str, Any]) -> ArchivedEvent:
    known = {name: content[name] for name in ArchivedEvent.__slots__ if name in content}
    return ArchivedEvent(**known | {"priority": Priority(content["priority"])})


def _read_view(content: Mapping[str, Any]) -> View:
    return View(
        int(content["from_wall_us"]),
        _array(content["samples_mv"]).astype(np.float32),
        tuple(map(int, content["marks"])),
        tuple(map(int, content["abnormal"])),
        bool(content["synthetic"]),
    )


def _beat_json(beat: LastBeat) -> dict[str, Any]:
    return asdict(beat) | {
        "window_mv": _listed(beat.window_mv, 3),
        "reconstruction_mv": _listed(beat.reconstruction_mv, 3),
    }


def _read_beat(content: Mapping[str, Any] | None) -> LastBeat | None:
    if content is None:
        return None
    return LastBeat(
        int(content["wall_us"]),
        float(content["error"]),
        float(content["threshold"]),
        bool(content["abnormal"]),
        _array(content["window_mv"]).astype(np.float32),
        _array(content["reconstruction_mv"]).astype(np.float32),
        str(content["beat_class"]),
    )

"""What a station says to its screens over MQTT, and hears from them: topics and JSON, version 1.

Below `bedside/v1/station/STATION/`, with QoS 1 but for the wave, which has 0:

    state                  up or down, beds, contacts' names; retained, and its last will
    delivery               each step of each alert
    bed/BED/state          the bed's numbers, alarms, limits and links, twice a second; retained
    bed/BED/events         each event with a number: who misses one asks for `events-since`
    bed/BED/wave           the trace, for 10 s after a screen's `want-wave` (`wave_message`)
    bed/BED/action/USER    `{version, id, action, wall_s, arguments}`, refused when older than 10 s
    bed/BED/result/USER    `{version, id, done, reason, needs_confirmation}`, and `told` where the
                           action was a question: `events-since`, or `look-back` (`look_back`)

Unknown fields are ignored; another major version is refused in words.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any

from bedside import __version__
from bedside.claims import Holding
from bedside.delivery.delivery import DeliveryStep
from bedside.errors import LinkError
from bedside.event_json import instance_json, read_instance
from bedside.events import ActionDone, BedState, Vitals
from bedside.feed import BedSnapshot, Hop, LinkState
from bedside.limits import Limits, Population
from bedside.picture import Picture

VERSION = 1
ACTION_AGE_S = 10.0
"""An action older than this is refused: what an operator wanted then may be wrong now."""

_ROOT = "bedside/v1/station"
_LIMITS = tuple(field.name for field in fields(Limits))
_ACTION = re.compile(
    rf"{_ROOT}/(?P<station>[a-z0-9-]{{1,32}})/bed/(?P<bed>[a-z0-9-]{{1,32}})"
    r"/action/(?P<user>[^/+#]{1,64})"
)

_STATE = re.compile(rf"{_ROOT}/(?P<station>[a-z0-9-]{{1,32}})/state")

_OF_BED = re.compile(
    rf"{_ROOT}/(?P<station>[a-z0-9-]{{1,32}})/bed/(?P<bed>[a-z0-9-]{{1,32}})"
    r"/(?P<what>state|events|wave|result)(/[^/+#]{1,64})?"
)


def state_topic(station: str) -> str:
    """The station itself: up or down, its beds and links (retained, last will)."""
    return f"{_ROOT}/{station}/state"


def state_message(
    holding: Holding, parts: Iterable[LinkState] = (), contacts: Sequence[str] = ()
) -> tuple[str, bytes, int, bool]:
    """Topic, payload, QoS and retained flag of the station's own state.

    `parts` are its broker, cloud, delivery, analysis, model, disk, clock and sound: who fares how.
    """
    content = {
        "version": VERSION,
        "program": __version__,
        "links": [[part.name, part.ok, part.detail] for part in parts],
        "contacts": list(contacts),
    } | holding.json()
    return state_topic(holding.station), json.dumps(content).encode(), 1, True


def station_of(topic: str) -> str:
    """The station whose state a topic is, empty for any other."""
    match = _STATE.fullmatch(topic)
    return "" if match is None else match["station"]


def metrics_topic(station: str) -> str:
    """What the station counts, every 10 s (retained): see `bedside.measures`."""
    return f"{_ROOT}/{station}/metrics"


def bed_topic(station: str, bed: str, what: str) -> str:
    """A topic of one bed: `state`, `events` or `wave`."""
    return f"{_ROOT}/{station}/bed/{bed}/{what}"


def delivery_topic(station: str) -> str:
    """Every step of every alert's delivery."""
    return f"{_ROOT}/{station}/delivery"


def delivery_json(step: DeliveryStep, wall_us: int, connected: bool | None) -> dict[str, Any]:
    """A step of a delivery; `connected` is the transport's link, None where it has none."""
    return {
        "version": VERSION,
        "alert": step.alert_id,
        "bed": step.bed,
        "instance": step.instance_id,
        "state": step.state.value,
        "contact": step.contact,
        "attempt": step.attempt,
        "reason": step.reason,
        "saved": step.saved,
        "connected": connected,
        "wall_us": wall_us,
    }


def action_topic(station: str, bed: str, user: str) -> str:
    """Where `user` asks for actions."""
    return f"{_ROOT}/{station}/bed/{bed}/action/{user}"


def result_topic(station: str, bed: str, user: str) -> str:
    """Where `user` hears what became of them."""
    return f"{_ROOT}/{station}/bed/{bed}/result/{user}"


def bed_of(topic: str, station: str) -> tuple[str, str]:
    """Bed and kind of a topic of this station.

    The kind is `state`, `events`, `wave` or `result` of a bed, or `station` or `delivery` where
    the bed is empty; empty for any other topic.
    """
    if topic == state_topic(station):
        return "", "station"
    if topic == delivery_topic(station):
        return "", "delivery"
    match = _OF_BED.fullmatch(topic)
    if match is None or match["station"] != station:
        return "", ""
    return match["bed"], match["what"]


def action_of(topic: str, station: str) -> tuple[str, str] | None:
    """Bed and user of an action's topic, None for any other."""
    match = _ACTION.fullmatch(topic)
    if match is None or match["station"] != station:
        return None
    return match["bed"], match["user"]


def bed_json(snapshot: BedSnapshot, run: int) -> dict[str, Any]:
    """The bed's retained state; `age_s` is null before its node has spoken."""
    vitals = snapshot.vitals
    return {
        "version": VERSION,
        "run": run,
        "bed": snapshot.bed,
        "title": snapshot.title,
        "wall_us": snapshot.wall_us,
        "age_s": None if math.isinf(snapshot.age_s) else round(snapshot.age_s, 3),
        "links": [[link.name, link.ok, link.detail] for link in snapshot.links],
        "gauge_threshold": snapshot.gauge_threshold,
        "state": snapshot.bed_state.value,
        "session": snapshot.session,
        "calibrated": snapshot.calibrated,
        "calibration": snapshot.calibration,
        "synthetic": snapshot.synthetic,
        "heart_rate_bpm": None if vitals is None else vitals.heart_rate_bpm,
        "ectopic_per_min": None if vitals is None else vitals.ectopic_per_min,
        "quality": None if vitals is None else vitals.quality,
        "quality_reason": "" if vitals is None else vitals.quality_reason,
        "suspended": "" if vitals is None else vitals.suspended,
        "population": snapshot.population.value,
        "limits": {name: getattr(snapshot.limits, name) for name in _LIMITS},
        "disabled": list(snapshot.disabled),
        "relaxed": list(snapshot.relaxed),
        "sound_paused_s": snapshot.sound_paused_s,
        "standby_s": snapshot.standby_s,
        "alarms": [instance_json(instance) for instance in snapshot.instances],
    }


def read_bed(content: Mapping[str, Any]) -> BedSnapshot:
    """The bed of `bed_json`, without log, strip and beats. Raises KeyError, TypeError or ValueError
    for what is none.
    """
    vitals = Vitals(
        0,
        _number(content["heart_rate_bpm"]),
        _number(content["ectopic_per_min"]),
        _number(content["quality"]),
        str(content["quality_reason"]),
        str(content["suspended"]),
    )
    return BedSnapshot(
        bed=str(content["bed"]),
        bed_state=BedState(content["state"]),
        session=str(content["session"]),
        title=str(content["title"]),
        synthetic=bool(content["synthetic"]),
        vitals=vitals,
        population=Population(content["population"]),
        limits=Limits(**content["limits"]),
        disabled=tuple(map(str, content["disabled"])),
        relaxed=tuple(map(str, content["relaxed"])),
        sound_paused_s=_number(content["sound_paused_s"]),
        standby_s=_number(content["standby_s"]),
        instances=tuple(read_instance(one) for one in content["alarms"]),
        errors=(),
        abnormal=(),
        gauge_threshold=_number(content["gauge_threshold"]),
        calibrated=str(content["calibrated"]),
        calibration=str(content["calibration"]),
        last_beat=None,
        last_abnormal=None,
        log=(),
        links=tuple(LinkState(str(name), ok, str(words)) for name, ok, words in content["links"]),
        wall_us=int(content["wall_us"]),
        age_s=math.inf if content["age_s"] is None else float(content["age_s"]),
    )


def read_hop(content: Mapping[str, Any]) -> Hop:
    """A step of a delivery as a screen shows it. Raises KeyError for what is none."""
    return Hop(
        str(content["alert"]),
        int(content["wall_us"]),
        str(content["state"]),
        int(content["contact"]),
        str(content["reason"]),
    )


def history_json(picture: Picture) -> dict[str, Any]:
    """What a screen that has just come cannot know: the log, newest first, and the strip."""
    snapshot = picture.snapshot(0, 0)
    return {
        "log": [list(astuple(line)) for line in snapshot.log],
        "errors": list(snapshot.errors),
        "abnormal": list(snapshot.abnormal),
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def action_payload(action_id: str, name: str, arguments: Mapping[str, Any]) -> bytes:
    """One action, stamped with the time at which it was wanted."""
    content = {
        "version": VERSION,
        "id": action_id,
        "action": name,
        "wall_s": time.time(),
        "arguments": dict(arguments),
    }
    return json.dumps(content).encode()


def read_action(payload: bytes, wall_s: float) -> tuple[str, str, dict[str, Any], str]:
    """Id, name and arguments of an action, and why it is refused, if it is.

    Raises ValueError for what is no action at all.
    """
    content = json.loads(payload)
    try:
        read(payload)
    except LinkError:
        words = (
            f"this station speaks version {VERSION}, not {content['version']}: install the same "
            "version of bedside on both"
        )
        return _action_id(content), "", {}, words
    action_id, name = _action_id(content), str(content["action"])
    arguments = content.get("arguments", {})
    if not isinstance(arguments, dict):
        raise ValueError("an action's arguments are an object")
    age_s = abs(wall_s - float(content["wall_s"]))
    late = "the action came too late, or a clock is wrong: ask again"
    old = "" if age_s <= ACTION_AGE_S else late
    return action_id, name, arguments, old


def _action_id(content: Mapping[str, Any]) -> str:
    action_id = str(content["id"])
    if not 1 <= len(action_id) <= 64:
        raise ValueError("an action has an id of 1 to 64 characters")
    return action_id


def result_payload(done: ActionDone) -> bytes:
    """The answer to an action."""
    content = {
        "version": VERSION,
        "id": done.action_id,
        "done": done.done,
        "reason": done.reason,
        "needs_confirmation": done.needs_confirmation,
    } | ({} if done.told is None else {"told": dict(done.told)})
    return json.dumps(content).encode()


def read_result(content: Mapping[str, Any], user: str) -> ActionDone:
    """The answer to an action. Raises KeyError for what is none."""
    return ActionDone(
        0,
        str(content["id"]),
        user,
        bool(content["done"]),
        str(content["reason"]),
        bool(content["needs_confirmation"]),
    )


def read(payload: bytes) -> dict[str, Any]:
    """A JSON object of this version. Raises ValueError; LinkError for another version."""
    content = json.loads(payload)
    if not isinstance(content, dict) or "version" not in content:
        raise ValueError("not an object with a version")
    if content["version"] != VERSION:
        raise LinkError(
            f"The station speaks version {content['version']}, this program {VERSION}: install the "
            "same version of bedside on both."
        )
    return content

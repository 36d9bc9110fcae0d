"""The alarm log as a FHIR R5 bundle: an Observation for each alarm, as it is at the end of the log.

R5 has no resource for a device's alert yet; an Observation with the alarm as its value, the time
from onset to end, and priority, state and acknowledgement as components is understood by every
server. Nothing in it names a patient.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from bedside.alarms.conditions import CONDITIONS
from bedside.alarms.export import iso_time
from bedside.alarms.log import LogRow

SYSTEM = "urn:bedside:alarm"
_UNFIT = re.compile(r"[^A-Za-z0-9.-]")


def as_fhir(rows: Iterable[LogRow], station: str) -> str:
    """The bundle as JSON; alarms that never became active are left out."""
    latest: dict[str, tuple[LogRow, int]] = {}
    for row in rows:
        if row.kind == "alarm" and row.payload["active_s"] is not None:
            instance = str(row.payload["id"])
            begun = latest[instance][1] if instance in latest else _onset_us(row)
            latest[instance] = (row, begun)
    entries = [_observation(row, begun, station) for row, begun in latest.values()]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"urn:bedside:{entry['id']}", "resource": entry} for entry in entries
        ],
    }
    return json.dumps(bundle, indent=1) + "\n"


def _observation(row: LogRow, begun_us: int, station: str) -> dict[str, Any]:
    content = row.payload
    ended = content["ended_s"] is not None
    code = str(content["code"])
    period = {"start": iso_time(begun_us)} if begun_us > 0 else {}
    if ended and row.wall_us > 0:
        period["end"] = iso_time(row.wall_us)
    components = [
        _component("priority", str(content["priority"])),
        _component("state", str(content["state"])),
    ]
    if content["acknowledged_by"]:
        components.append(_component("acknowledged-by", str(content["acknowledged_by"])))
    if content.get("value") is not None:
        value = _component("value", "")
        del value["valueString"]
        value["valueQuantity"] = {"value": content["value"]}
        components.append(value)
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "id": _UNFIT.sub("-", str(content["id"]))[-64:],
        "status": "final" if ended else "preliminary",
        "code": {
            "coding": [{"system": SYSTEM, "code": code, "display": CONDITIONS[code].title}],
            "text": CONDITIONS[code].title,
        },
        "valueString": str(content["text"]),
        "device": {"display": f"bedside {station}, bed {content.get('bed') or station}"},
        "component": components,
    }
    if period:
        observation["effectivePeriod"] = period
    return observation


def _onset_us(row: LogRow) -> int:
    """The wall time of the onset, as far before the row as it was by the station's clock."""
    if row.wall_us <= 0:
        return 0
    ago_s = float(row.payload["at_s"]) - float(row.payload["onset_s"])
    return row.wall_us - round(ago_s * 1e6)


def _component(name: str, value: str) -> dict[str, Any]:
    return {"code": {"coding": [{"system": f"{SYSTEM}-facet", "code": name}]}, "valueString": value}

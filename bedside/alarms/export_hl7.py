"""The alarm log as HL7 v2.6 messages ORU^R40 in the form of IHE PCD-04 (Report Alert).

One message for each transition of an alarm, segments ended by carriage returns, UTF-8. Nothing in
them names a patient: PID is empty and PV1 holds the bed.

MDC terms are ISO/IEEE 11073-10101's where this program knows their codes; each alarm besides has
its own code under the local system `99BEDSIDE`, which stands in the alternate triple.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from bedside.alarms.conditions import CONDITIONS
from bedside.alarms.log import LogRow

PROFILE = "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.4.4^ISO"
ALARM = "196616^MDC_EVT_ALARM^MDC"

_EVENTS = {
    "tachy": "196648^MDC_EVT_HI^MDC",
    "extreme-tachy": "196648^MDC_EVT_HI^MDC",
    "brady": "196670^MDC_EVT_LO^MDC",
    "extreme-brady": "196670^MDC_EVT_LO^MDC",
    "lead-off": "196680^MDC_EVT_LEAD_OFF^MDC",
}
_HEART_RATE = "147842^MDC_ECG_HEART_RATE^MDC"
_PER_MINUTE = "264864^MDC_DIM_BEAT_PER_MIN^MDC"
_PRIORITIES = {"high": "PH", "medium": "PM", "low": "PL"}
_ESCAPES = {"\\": "E", "|": "F", "^": "S", "~": "R", "&": "T"}


def as_hl7(rows: Iterable[LogRow], station: str) -> Iterator[str]:
    """A message for each row that is a transition of an alarm; what is only pending is none."""
    begun: set[str] = set()
    for row in rows:
        content = row.payload
        if (
            row.kind == "alarm"
            and content["state"] != "pending"
            and content["active_s"] is not None
        ):
            first = content["id"] not in begun
            begun.add(content["id"])
            yield _message(row, station, first)


def _message(row: LogRow, station: str, first: bool) -> str:
    content = row.payload
    when = _time(row.wall_us)
    code, instance = str(content["code"]), _text(str(content["id"]))
    ended, seen = content["ended_s"] is not None, bool(content["acknowledged_by"])
    latched = ended and not seen and content["priority"] == "high"
    event = f"{_EVENTS.get(code, ALARM)}^{_text(code)}^{_text(CONDITIONS[code].title)}^99BEDSIDE"
    technical = CONDITIONS[code].technical
    filler = f"{instance}-{row.number}^BEDSIDE^{_eui64(station)}^EUI-64"
    value = content.get("value")
    rate = value is not None and code in _EVENTS and not technical
    source = (
        f"OBX|2|NM|{_HEART_RATE}|1.1.1.1.2|{value:g}|{_PER_MINUTE}|||||R"
        if rate
        else "OBX|2|ST|68480^MDC_ATTR_ALERT_SOURCE^MDC|1.1.1.1.2|ECG||||||R"
    )
    phase = "end" if ended and not latched else "start" if first else "continue"
    state = "latched" if latched else "inactive" if ended else "active"
    kind = "ST" if technical else "SP"
    priority = _PRIORITIES[str(content["priority"])]
    parent = "" if first else f"{'|' * 20}^{instance}&BEDSIDE&{_eui64(station)}&EUI-64"
    segments = [
        f"MSH|^~\\&|BEDSIDE^{_eui64(station)}^EUI-64|{_text(station)}|||{when}||ORU^R40^ORU_R40|"
        f"{_text(station)}-{row.number}|P|2.6|||AL|NE||UNICODE UTF-8|||{PROFILE}",
        "PID|||^^^^PI||^^^^^^U",
        f"PV1||U|^^{_text(str(content.get('bed') or station))}",
        f"OBR|1||{filler}|{ALARM}|||{when}||{parent}",
        f"OBX|1|CWE|{ALARM}|1.1.1.1.1|{event}|||{priority}~{kind}|||R|||{when}",
        source,
        f"OBX|3|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.1.1.1.3|{phase}||||||R",
        f"OBX|4|ST|68482^MDC_ATTR_ALARM_STATE^MDC|1.1.1.1.4|{state}||||||R",
        "OBX|5|ST|68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC|1.1.1.1.5|"
        f"{'alert-acknowledged' if seen else 'enabled'}||||||R",
        f"OBX|6|ST|68484^MDC_ATTR_ALARM_PRIORITY^MDC|1.1.1.1.6|{priority}||||||R",
        f"OBX|7|ST|68485^MDC_ATTR_ALERT_TYPE^MDC|1.1.1.1.7|{kind}||||||R",
        f"OBX|8|ST|68546^MDC_ATTR_ALERT_TEXT^MDC|1.1.1.1.8|{_text(str(content['text']))}||||||R",
    ]
    return "\r".join(segments) + "\r"


def _eui64(station: str) -> str:
    """A number for the station in the form of an EUI-64, with the bit of local administration."""
    number = bytearray(hashlib.sha256(station.encode()).digest()[:8])
    number[0] = number[0] & 0xFC | 0x02
    return number.hex().upper()


def _time(wall_us: int) -> str:
    if wall_us <= 0:
        return ""
    when = datetime.fromtimestamp(wall_us / 1e6, UTC)
    return f"{when:%Y%m%d%H%M%S}.{when.microsecond // 1000:03d}+0000"


def _text(text: str) -> str:
    """Text with HL7's own letters escaped, on one line."""
    escaped = (f"\\{_ESCAPES[each]}\\" if each in _ESCAPES else each for each in text)
    return " ".join("".join(escaped).split())

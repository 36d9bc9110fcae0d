"""An alert: what leaves the building when an alarm does.

It holds priority, code, bed code, time, heart rate and a short id; never a name.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from bedside.events import Instance, Priority

MESSAGE_CHARACTERS = 160
"""One SMS in the GSM 7-bit alphabet (3GPP TS 23.038)."""

_ID_CHARACTERS = 8
_GSM_7 = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_SPELLED = str.maketrans(
    {"≥": ">=", "≤": "<=", "–": "-", "—": "-", "µ": "u", "×": "x", "·": "-", "…": "...", "’": "'"}
    | {"[": "(", "]": ")", "{": "(", "}": ")", "\\": "/", "|": "/", "^": "'", "~": "-", "`": "'"}
)


@dataclass(frozen=True, slots=True)
class Alert:
    """One message about one alarm instance; `alert_id` is the same on every attempt.

    `text` is the alarm in words, `wall_us` the Unix time in µs at which it became active (0 while
    the clock is not set). `contact` counts the contacts of the escalation from 1, `round` how often
    their turn has come. `still_active` is set on a late attempt, `test` on a test. A digest stands
    for the alerts `members`.
    """

    alert_id: str
    priority: Priority
    code: str
    text: str
    bed: str
    wall_us: int
    heart_rate_bpm: float | None
    instance_id: str
    test: bool = False
    still_active: bool = False
    contact: int = 1
    round: int = 1
    members: tuple[str, ...] = ()

    def message(self) -> str:
        """The alert as one SMS: at most 160 characters of the GSM 7-bit alphabet.

        Time is local. A text that is too long is cut; bed, time and id never are.
        """
        when = _local_time(self.wall_us)
        rate = "--" if self.heart_rate_bpm is None else f"{self.heart_rate_bpm:.0f}"
        since = "still active since " if self.still_active else ""
        kind = f"{self.priority.mark} {self.priority.value.upper()}"
        head = "TEST, no alarm: " if self.test else f"{kind}: "
        tail = gsm_7(f". Bed {self.bed[:32]}, {since}{when}, HR {rate}/min. Id {self.alert_id}")
        words = gsm_7(self.text or self.code.replace("-", " "))
        return head + words[: MESSAGE_CHARACTERS - len(head) - len(tail)] + tail


def alert_of(instance: Instance, bed: str, wall_us: int, heart_rate_bpm: float | None) -> Alert:
    """The alert for an alarm instance that became active at `wall_us`.

    The id follows from bed, instance and time, so that building it again gives the same one.
    """
    source = f"{bed}/{instance.instance_id}/{wall_us}"
    return Alert(
        alert_id=hashlib.sha256(source.encode()).hexdigest()[:_ID_CHARACTERS],
        priority=instance.priority,
        code=instance.code,
        text=instance.text,
        bed=bed,
        wall_us=wall_us,
        heart_rate_bpm=heart_rate_bpm,
        instance_id=instance.instance_id,
    )


def test_id(action_id: str) -> str:
    """The id of the test that an operator's action asks for."""
    return hashlib.sha256(action_id.encode()).hexdigest()[:_ID_CHARACTERS]


def test_alert(alert_id: str, bed: str, wall_us: int, contact: int) -> Alert:
    """A test for one contact, counted from 1."""
    return Alert(
        alert_id=alert_id,
        priority=Priority.MEDIUM,
        code="test",
        text="this only shows that alerts arrive",
        bed=bed,
        wall_us=wall_us,
        heart_rate_bpm=None,
        instance_id="",
        test=True,
        contact=contact,
    )


def gsm_7(text: str) -> str:
    """`text` in the GSM 7-bit basic alphabet, one septet a character; the rest becomes `?`."""
    letters = []
    for letter in " ".join(text.translate(_SPELLED).split()):
        plain = letter if letter in _GSM_7 else unicodedata.normalize("NFKD", letter)[:1].strip()
        letters.append(plain if plain in _GSM_7 else "?")
    return "".join(letters)


def _local_time(wall_us: int) -> str:
    if wall_us <= 0:
        return "time unknown"
    return f"{datetime.fromtimestamp(wall_us / 1e6).astimezone():%d %b %H:%M:%S}"

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.alarms.conditions import CONDITIONS
from bedside.delivery import iot_topics
from bedside.delivery.alert import Alert, alert_of, gsm_7
from bedside.delivery.delivery import Delivery, DeliveryState
from bedside.delivery.digest import digest
from bedside.events import AlarmState, Instance, Priority

NOON_UTC_US = 1_795_435_200_000_000
"""2026-11-23 12:00:00 UTC."""

VT = Instance(
    instance_id="a1-7",
    code="vt",
    priority=Priority.HIGH,
    state=AlarmState.ACTIVE,
    onset_us=1,
    at_us=2,
    text="ventricular tachycardia 184/min",
    active_us=2,
)


@pytest.fixture(autouse=True)
def _in_utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def test_a_message_tells_priority_words_bed_local_time_rate_and_id() -> None:
    alert = alert_of(VT, "icu-3", NOON_UTC_US, 184.4)
    assert alert.message() == (
        "*** HIGH: ventricular tachycardia 184/min. Bed icu-3, 23 Nov 12:00:00, HR 184/min. "
        f"Id {alert.alert_id}"
    )


def test_a_late_message_says_that_the_alarm_is_still_active() -> None:
    alert = replace(alert_of(VT, "icu-3", NOON_UTC_US, None), still_active=True)
    assert "still active since 23 Nov 12:00:00, HR --/min" in alert.message()


def test_a_test_cannot_be_mistaken_for_an_alarm() -> None:
    message = replace(alert_of(VT, "icu-3", NOON_UTC_US, 184.0), test=True).message()
    assert message.startswith("TEST, no alarm: ")
    assert "HIGH" not in message
    assert "*" not in message


def test_an_unset_clock_is_said_and_not_shown_as_1970() -> None:
    assert "time unknown" in alert_of(VT, "icu-3", 0, 60.0).message()


def test_an_instance_without_words_is_told_by_its_code() -> None:
    alert = alert_of(replace(VT, code="lead-off", text=""), "icu-3", NOON_UTC_US, None)
    assert "lead off" in alert.message()


def test_an_alert_has_no_place_for_a_name() -> None:
    assert {field.name for field in fields(Alert)} == {
        "alert_id",
        "priority",
        "code",
        "text",
        "bed",
        "wall_us",
        "heart_rate_bpm",
        "instance_id",
        "test",
        "still_active",
        "contact",
        "round",
        "members",
    }


def test_building_an_alert_again_gives_its_id_and_another_onset_another_id() -> None:
    first = alert_of(VT, "icu-3", NOON_UTC_US, 184.0)
    assert alert_of(VT, "icu-3", NOON_UTC_US, 180.0).alert_id == first.alert_id
    others = [
        alert_of(VT, "icu-4", NOON_UTC_US, 184.0),
        alert_of(VT, "icu-3", NOON_UTC_US + 1, 184.0),
        alert_of(replace(VT, instance_id="a1-8"), "icu-3", NOON_UTC_US, 184.0),
    ]
    assert len({first.alert_id, *(other.alert_id for other in others)}) == 4


_SEPTETS = (
    dict.fromkeys(
        "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
        "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
        1,
    )
    # The extension table: an escape stands before each of these.
    | dict.fromkeys("^{}\\[~]|€\f", 2)
)
"""What a character costs (3GPP TS 23.038, 6.2.1); any other makes it an SMS of 70 characters."""

_WORDS = st.one_of(
    st.text(max_size=400),
    st.text("^{}\\[~]|€*@Ç\n\f", max_size=400),
    st.sampled_from([condition.title for condition in CONDITIONS.values()]),
)


def septets(message: str) -> int:
    return sum(_SEPTETS[letter] for letter in message)


@given(
    text=_WORDS,
    bed=_WORDS,
    rate=st.none() | st.floats(0, 999),
    test=st.booleans(),
    late=st.booleans(),
    code=st.sampled_from(sorted(CONDITIONS)),
    priority=st.sampled_from(Priority),
)
def test_any_message_fits_one_sms_and_keeps_its_id(
    text: str,
    bed: str,
    rate: float | None,
    test: bool,
    late: bool,
    code: str,
    priority: Priority,
) -> None:
    instance = replace(VT, code=code, text=text, priority=priority)
    alert = replace(alert_of(instance, bed, NOON_UTC_US, rate), test=test, still_active=late)
    message = alert.message()
    assert septets(message) <= 160
    assert message.endswith(f"Id {alert.alert_id}")
    assert "12:00:00" in message


@given(
    codes=st.lists(st.sampled_from(sorted(CONDITIONS)), min_size=2, max_size=60),
    beds=st.lists(_WORDS, min_size=60, max_size=60),
    ended=st.booleans(),
)
def test_any_digest_fits_one_sms(codes: list[str], beds: list[str], ended: bool) -> None:
    deliveries = [
        Delivery(
            number,
            alert_of(replace(VT, code=code, instance_id=f"i{number}"), bed, NOON_UTC_US, None),
            DeliveryState.QUEUED,
            0.0,
        )
        for number, (code, bed) in enumerate(zip(codes, beds, strict=False))
    ]
    message = digest(deliveries, 100, ended=ended)[0].alert.message()
    assert septets(message) <= 160
    assert f"{len(codes)} " in message


def test_the_last_will_fits_one_sms() -> None:
    will = json.loads(iot_topics.state("b" * 32, "down"))
    assert septets(will["sms"]) <= 160


def test_letters_outside_the_sms_alphabet_are_spelled_or_marked() -> None:
    assert gsm_7("≥ 5 [beats] – Zoë 心\n\tok") == ">= 5 (beats) - Zoe ? ok"

"""An alert that nobody acknowledges goes on to the next contact; a storm becomes a digest."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from bedside.delivery.delivery import DeliveryState, DeliveryStep
from bedside.delivery.outbox import Outbox
from bedside.events import Priority
from tests.delivery.wire import Wire, an_alert, states, the_instance_of


def told(wire: Wire) -> list[tuple[str, int]]:
    return [(alert.alert_id, alert.contact) for alert in wire.taken]


# ── contacts ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("priority", "wait_s"), [(Priority.HIGH, 60.0), (Priority.MEDIUM, 180.0)])
def test_each_contact_has_its_time_and_then_the_next_one_is_told(
    outbox: Outbox, wire: Wire, priority: Priority, wait_s: float
) -> None:
    outbox.commit(an_alert("a", priority), 0.0)
    outbox.drain(0.0)
    outbox.drain(wait_s - 0.1)
    assert told(wire) == [("a", 1)]
    outbox.drain(wait_s)
    outbox.drain(2 * wait_s - 0.1)
    assert told(wire) == [("a", 1), ("a", 2)]
    outbox.drain(2 * wait_s)
    assert told(wire) == [("a", 1), ("a", 2), ("a", 3)]
    assert [alert.still_active for alert in wire.taken] == [False, True, True]


def test_after_the_last_contact_the_first_is_told_again_less_often_while_the_alarm_lasts(
    outbox: Outbox, wire: Wire
) -> None:
    alert = an_alert("a", Priority.HIGH)
    outbox.commit(alert, 0.0)
    told_s = []
    for second in range(7200):
        told_s += [second for _ in outbox.drain(float(second))]
    waits_s = [later - earlier for earlier, later in pairwise(told_s)]
    assert waits_s[:14] == [*[60] * 3, *[120] * 3, *[240] * 3, *[480] * 3, *[900] * 2]
    assert [alert.contact for alert in wire.taken[:7]] == [1, 2, 3, 1, 2, 3, 1]
    assert [alert.round for alert in wire.taken[:7]] == [1, 1, 1, 2, 2, 2, 3]
    outbox.follow("icu-3", the_instance_of(alert, acknowledged=True))
    assert outbox.drain(100_000.0) == []


def test_an_alarm_that_is_over_is_not_told_in_a_second_round(outbox: Outbox, wire: Wire) -> None:
    alert = an_alert("a", Priority.HIGH)
    outbox.commit(alert, 0.0)
    outbox.drain(0.0)
    outbox.follow("icu-3", the_instance_of(alert, ended=True))
    for second in range(0, 7200, 60):
        outbox.drain(float(second))
    assert told(wire) == [("a", 1), ("a", 2), ("a", 3)]


def test_without_contacts_an_alert_leaves_once(path: Path, wire: Wire) -> None:
    with contextlib.closing(Outbox(path, wire)) as outbox:
        outbox.commit(an_alert("a", Priority.HIGH), 0.0)
        outbox.drain(0.0)
        outbox.drain(7200.0)
    assert told(wire) == [("a", 1)]


def test_nobody_further_is_told_of_a_patient_who_has_left(outbox: Outbox, wire: Wire) -> None:
    latched, other = an_alert("latched", Priority.HIGH), replace(an_alert("other"), bed="icu-4")
    for alert in (latched, other):
        outbox.commit(alert, 0.0)
    outbox.drain(0.0)
    outbox.follow("icu-3", the_instance_of(latched, ended=True))
    outbox.patient_left("icu-3")
    outbox.drain(180.0)
    assert told(wire) == [("latched", 1), ("other", 1), ("other", 2)]


def test_an_alert_that_waits_still_leaves_once_when_the_patient_has_left(
    outbox: Outbox, wire: Wire
) -> None:
    outbox.commit(an_alert("a", Priority.HIGH), 0.0)
    outbox.patient_left("icu-3")
    outbox.drain(0.0)
    outbox.drain(7200.0)
    assert told(wire) == [("a", 1)]


def test_a_contacts_time_begins_when_the_message_was_taken(outbox: Outbox, wire: Wire) -> None:
    wire.up = False
    outbox.commit(an_alert("a", Priority.HIGH), 0.0)
    outbox.drain(0.0)
    wire.up = True
    outbox.drain(100.0)
    outbox.drain(159.9)
    assert told(wire) == [("a", 1)]
    outbox.drain(160.0)
    assert told(wire) == [("a", 1), ("a", 2)]


def test_an_acknowledgement_ends_the_escalation(outbox: Outbox, wire: Wire) -> None:
    alert = an_alert("a", Priority.HIGH)
    outbox.commit(alert, 0.0)
    outbox.drain(0.0)
    outbox.follow("icu-3", the_instance_of(alert, acknowledged=True))
    outbox.drain(1000.0)
    assert told(wire) == [("a", 1)]


def test_medium_ends_with_its_cause_and_high_does_not(outbox: Outbox, wire: Wire) -> None:
    medium, high = an_alert("medium"), an_alert("high", Priority.HIGH)
    for alert in (medium, high):
        outbox.commit(alert, 0.0)
    outbox.drain(0.0)
    for alert in (medium, high):
        outbox.follow("icu-3", the_instance_of(alert, ended=True))
    outbox.drain(1000.0)
    assert told(wire) == [("high", 1), ("medium", 1), ("high", 2)]
    assert wire.taken[-1].still_active is False


def test_a_later_contact_is_not_told_what_was_acknowledged_while_the_link_was_away(
    outbox: Outbox, wire: Wire
) -> None:
    alert = an_alert("a", Priority.HIGH)
    outbox.commit(alert, 0.0)
    outbox.drain(0.0)
    wire.up = False
    outbox.drain(60.0)
    assert len(outbox.waiting(0.0)) == 1
    outbox.follow("icu-3", the_instance_of(alert, acknowledged=True))
    assert len(outbox.waiting(0.0)) == 0
    wire.up = True
    outbox.drain(100.0)
    assert told(wire) == [("a", 1)]
    assert states(outbox) == {"a": "acknowledged"}


def test_a_contacts_time_goes_on_through_a_restart(outbox: Outbox, wire: Wire, path: Path) -> None:
    outbox.commit(an_alert("a", Priority.HIGH), 0.0)
    outbox.drain(0.0)
    outbox.close()
    with contextlib.closing(Outbox(path, wire, contacts=3)) as again:
        again.drain(59.9)
        assert told(wire) == [("a", 1)]
        again.drain(60.0)
        assert told(wire) == [("a", 1), ("a", 2)]


def test_acknowledging_the_condition_after_a_restart_ends_the_earlier_runs_escalation(
    outbox: Outbox, wire: Wire, path: Path
) -> None:
    outbox.commit(an_alert("a", Priority.HIGH, "vt"), 0.0)
    outbox.drain(0.0)
    outbox.close()
    with contextlib.closing(Outbox(path, wire, contacts=3)) as again:
        new = an_alert("b", Priority.HIGH, "vt")
        again.follow("icu-3", the_instance_of(new, acknowledged=True))
        again.drain(1000.0)
    assert told(wire) == [("a", 1)]


def test_a_test_never_escalates(outbox: Outbox, wire: Wire) -> None:
    outbox.commit(replace(an_alert("a", Priority.HIGH), test=True), 0.0)
    outbox.drain(0.0)
    outbox.drain(1000.0)
    assert told(wire) == [("a", 1)]


# ── from afar ─────────────────────────────────────────────────────────────────────────────────


def test_an_acknowledgement_from_afar_names_the_alert_and_ends_its_escalation(
    outbox: Outbox, wire: Wire, steps: list[DeliveryStep]
) -> None:
    outbox.commit(an_alert("a", Priority.HIGH), 0.0)
    outbox.drain(0.0)
    assert [alert.instance_id for alert in outbox.acknowledge("a")] == ["instance-a"]
    outbox.drain(1000.0)
    assert told(wire) == [("a", 1)]
    assert states(outbox) == {"a": "acknowledged"}
    assert [step.state.value for step in steps] == ["queued", "sent", "accepted", "acknowledged"]


def test_an_unknown_id_from_afar_does_nothing(outbox: Outbox) -> None:
    assert outbox.acknowledge("nobody") == []


# ── storms ────────────────────────────────────────────────────────────────────────────────────


def test_a_storm_becomes_a_digest_before_it_floods_a_phone(outbox: Outbox, wire: Wire) -> None:
    for number in range(100):
        outbox.commit(an_alert(f"a{number}"), 0.0)
    outbox.drain(0.0)
    assert len(wire.taken) == 10
    last = wire.taken[-1]
    assert last.members == tuple(f"a{number}" for number in range(9, 100))
    assert "91 alerts in one" in last.message()
    assert len(outbox.waiting(0.0)) == 0


def test_after_the_first_ten_ten_a_minute_leave(path: Path, wire: Wire) -> None:
    with contextlib.closing(Outbox(path, wire)) as outbox:
        for second in range(600):
            outbox.commit(an_alert(f"a{second}"), float(second))
            outbox.drain(float(second))
        outbox.drain(620.0)
    assert 100 <= len(wire.taken) <= 10 + 10 * 620 / 60
    carried = [name for alert in wire.taken for name in (alert.members or (alert.alert_id,))]
    assert sorted(carried) == sorted(f"a{second}" for second in range(600))


def test_a_storm_of_others_holds_up_no_active_high_alert(outbox: Outbox, wire: Wire) -> None:
    for number in range(100):
        outbox.commit(an_alert(f"a{number}"), 0.0)
    outbox.drain(0.0)
    outbox.commit(an_alert("again"), 0.1)
    outbox.commit(an_alert("high", Priority.HIGH), 0.1)
    outbox.drain(0.1)
    assert wire.ids[-1] == "high"
    assert len(outbox.waiting(0.0)) == 1


def test_a_digest_escalates_until_all_that_it_stands_for_is_acknowledged(
    outbox: Outbox, wire: Wire
) -> None:
    alerts = [an_alert(f"a{number}", Priority.HIGH) for number in range(12)]
    for alert in alerts:
        outbox.commit(alert, 0.0)
    outbox.drain(0.0)
    digest = wire.taken[-1]
    in_it = [alert for alert in alerts if alert.alert_id in digest.members]
    assert len(in_it) == 3
    for alert in alerts:
        if alert is not in_it[0]:
            outbox.follow("icu-3", the_instance_of(alert, acknowledged=True))
    outbox.drain(60.0)
    assert told(wire)[-1] == (digest.alert_id, 2)
    assert len(wire.taken) == 11
    outbox.follow("icu-3", the_instance_of(in_it[0], acknowledged=True))
    outbox.drain(1000.0)
    assert len(wire.taken) == 11


def test_acknowledging_a_digest_from_afar_acknowledges_all_in_it(
    outbox: Outbox, wire: Wire, path: Path
) -> None:
    for number in range(20):
        outbox.commit(an_alert(f"a{number}", Priority.HIGH), 0.0)
    outbox.drain(0.0)
    digest = wire.taken[-1]
    outbox.close()
    with contextlib.closing(Outbox(path, wire, contacts=3)) as again:
        meant = {alert.alert_id for alert in again.acknowledge(digest.alert_id)}
        assert meant == set(digest.members)
        rows = {row.alert.alert_id: row for row in again.rows()}
        assert rows[digest.alert_id].state is DeliveryState.ACKNOWLEDGED
        again.drain(60.0)
        assert digest.alert_id not in wire.ids[10:]


def test_each_members_alarm_hears_that_its_digest_was_taken(
    outbox: Outbox, steps: list[DeliveryStep]
) -> None:
    for number in range(100):
        outbox.commit(an_alert(f"a{number}"), 0.0)
    outbox.drain(0.0)
    accepted = {step.instance_id for step in steps if step.state is DeliveryState.ACCEPTED}
    assert {f"instance-a{number}" for number in range(100)} <= accepted

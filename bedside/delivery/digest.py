"""A digest: one message for many alerts, when singly they would come too late or be too many."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bedside.delivery.alert import Alert
from bedside.delivery.delivery import Delivery, DeliveryState
from bedside.events import Priority

DIGEST_CODE = "summary"


def may_join(delivery: Delivery) -> bool:
    """Whether a delivery can leave in a digest.

    Only one that is on disk can: a digest that stood only in memory would take its members along.
    """
    alert = delivery.alert
    return delivery.waits and delivery.saved and not alert.test and alert.code != DIGEST_CODE


def digest(deliveries: Sequence[Delivery], number: int, *, ended: bool) -> list[Delivery]:
    """The digest's own delivery, then its members as they stand once it is saved.

    All are for one contact. `ended` says that these came too late: their instances have ended.
    """
    alert = _alert_for([each.alert for each in deliveries], ended=ended)
    queued_s = [each.queued_s for each in deliveries if each.queued_s is not None]
    own = Delivery(
        number,
        alert,
        DeliveryState.QUEUED,
        min(queued_s, default=None),
        acknowledged=all(each.acknowledged for each in deliveries),
        active=any(each.active for each in deliveries),
    )
    reason = f"in summary {alert.alert_id}"
    members = [
        replace(each, state=DeliveryState.EXPIRED, reason=reason, within=alert.alert_id)
        for each in deliveries
    ]
    return [own, *members]


def _alert_for(alerts: Sequence[Alert], *, ended: bool) -> Alert:
    urgency = list(Priority)
    by_urgency = sorted(alerts, key=lambda alert: urgency.index(alert.priority))
    # Counted in the order of urgency, so that what is cut off at the end matters least.
    counts = Counter(alert.code for alert in by_urgency)
    beds = sorted({alert.bed for alert in alerts})
    what = "ended alerts that could not leave earlier" if ended else "alerts in one"
    ids = " ".join(f"{alert.alert_id}/{alert.contact}" for alert in alerts)
    return Alert(
        alert_id=hashlib.sha256(ids.encode()).hexdigest()[:8],
        priority=by_urgency[0].priority,
        code=DIGEST_CODE,
        text=f"{len(alerts)} {what}, the first of them then: "
        + ", ".join(f"{code} {count}" for code, count in counts.items()),
        bed=beds[0] if len(beds) == 1 else "several",
        wall_us=min((alert.wall_us for alert in alerts if alert.wall_us), default=0),
        heart_rate_bpm=None,
        instance_id="",
        contact=alerts[0].contact,
        round=max(alert.round for alert in alerts),
        members=tuple(alert.alert_id for alert in alerts),
    )

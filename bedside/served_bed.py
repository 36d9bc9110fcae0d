"""All that a ward keeps of one bed."""

from __future__ import annotations

from dataclasses import dataclass, field

from bedside.alarms.notification import Notifications
from bedside.anomaly.baseline import Baseline
from bedside.broadcast import Broadcast
from bedside.late_review import LateReview
from bedside.monitor import Monitor
from bedside.node.stream import Stream
from bedside.picture import Picture
from bedside.recording.beats import BeatPairs


@dataclass(slots=True, eq=False)
class ServedBed:
    """Its monitor, and what stands before and behind it."""

    monitor: Monitor
    stream: Stream
    picture: Picture
    broadcast: Broadcast
    late: LateReview
    notifications: Notifications = field(default_factory=Notifications)
    session: str = ""
    baseline: Baseline | None = None
    clock_set: bool = True
    pairs: BeatPairs = field(default_factory=BeatPairs)

"""A bed painted by events through the real `Picture` and `LocalFeed`, on a clock tests move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bedside.events import (
    WINDOW_BEFORE_SAMPLES,
    WINDOW_SAMPLES,
    ActionDone,
    AlarmChanged,
    AlarmState,
    Beat,
    BeatClass,
    BeatScored,
    BedChanged,
    BedState,
    Flags,
    Float32Array,
    Instance,
    Priority,
    Vitals,
    Wave,
)
from bedside.feed import Hop, LinkState, Recording
from bedside.local_feed import LocalFeed
from bedside.picture import Picture

WALL_START_US = 1_700_000_000_000_000
RATE_HZ = 250
BEAT_SAMPLES = 200
PIECE_SAMPLES = 50
PIECE_S = 0.2
CONTACTS = "nurse", "registrar"
NO_FLAGS = Flags(0)


def heartbeat(ventricular: bool = False) -> Float32Array:
    """One beat of 0.8 s with its R peak at sample 80, mV at 250 Hz."""
    t = (np.arange(BEAT_SAMPLES) - WINDOW_BEFORE_SAMPLES) / RATE_HZ
    waves = (
        ((0.0, 0.045, 1.3), (0.14, 0.06, -0.6))
        if ventricular
        else (
            (-0.16, 0.02, 0.12),
            (-0.03, 0.008, -0.15),
            (0.0, 0.011, 1.1),
            (0.03, 0.009, -0.25),
            (0.22, 0.045, 0.28),
        )
    )
    beat = sum(height * np.exp(-(((t - at) / width) ** 2) / 2) for at, width, height in waves)
    return np.asarray(beat, dtype=np.float32)


@dataclass
class PaintedBed:
    """One bed: `play` lets its heart beat, `raise_alarm` raises, `asked` is what was acted.

    `refusal` and `needs_confirmation` are what the next answers say; `hops` is how far alerts are,
    `folder` where its past lies.
    """

    name: str = "12"
    now_us: int = 1_000_000
    position: int = 0
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    refusal: str = ""
    needs_confirmation: bool = False
    hops: list[Hop] = field(default_factory=list)
    folder: Path = Path("nothing-is-recorded-here")

    def __post_init__(self) -> None:
        self.picture = Picture(self.name, title="RECORD painted")
        self.feed = LocalFeed(
            {self.name: self.picture},
            self._act,
            lambda: self.now_us,
            self.wall_us,
            self.recording,
            hops=lambda alert_id: tuple(self.hops),
            contacts=CONTACTS,
        )
        self.picture.set_links(
            (
                *(LinkState(name, True) for name in ("node", "broker", "analysis", "disk")),
                LinkState("cloud", None, "not configured"),
            )
        )
        self.picture.apply(
            BedChanged(self.now_us, BedState.ADMITTED, "session", "test"), self.wall_us()
        )

    def wall_us(self) -> int:
        """The wall time that belongs to the clock."""
        return WALL_START_US + self.now_us

    def recording(self) -> Recording:
        """What lies in `folder`."""
        from bedside.review import Review

        return Review(self.folder)

    def play(self, seconds: float, flags: Flags = NO_FLAGS) -> None:
        """Let the heart beat; every seventh beat is ventricular and abnormal."""
        for _ in range(round(seconds / PIECE_S)):
            self._piece(flags)

    def wait(self, seconds: float) -> None:
        """Let time pass without a sample."""
        self.now_us += round(seconds * 1e6)

    def _piece(self, flags: Flags) -> None:
        beat, start = divmod(self.position, BEAT_SAMPLES)
        ventricular = beat % 7 == 6
        whole = heartbeat(ventricular)
        self.now_us += round(PIECE_S * 1e6)
        end = start + PIECE_SAMPLES
        done = end == BEAT_SAMPLES
        peak = self.position - start + WINDOW_BEFORE_SAMPLES
        marks = (peak,) if done else ()
        wave = Wave(self.now_us, self.position, whole[start:end], flags, marks)
        self.picture.apply(wave, self.wall_us())
        self.position += PIECE_SAMPLES
        if done:
            self._beat(peak, ventricular, whole[:WINDOW_SAMPLES])

    def _beat(self, peak: int, ventricular: bool, window: Float32Array) -> None:
        kind = BeatClass.VENTRICULAR if ventricular else BeatClass.NORMAL
        error = 1.6 if ventricular else 0.3 + 0.1 * (peak // BEAT_SAMPLES % 3)
        rebuilt = heartbeat()[:WINDOW_SAMPLES]
        at_us = self.now_us
        for event in (
            Beat(at_us, peak, at_us, 0.8, kind, 1.0, 75.0, False),
            BeatScored(at_us, peak, error, 1.0, 1.0, ventricular, window, rebuilt),
            Vitals(at_us, 75.0, 4.0, 0.95),
        ):
            self.picture.apply(event, self.wall_us())

    def raise_alarm(
        self, code: str, priority: Priority, text: str, instance_id: str = "i1"
    ) -> Instance:
        """An instance becomes active now."""
        instance = Instance(
            instance_id,
            code,
            priority,
            AlarmState.ACTIVE,
            self.now_us,
            self.now_us,
            text,
            active_us=self.now_us,
        )
        self.picture.apply(AlarmChanged(self.now_us, instance), self.wall_us())
        return instance

    def _act(
        self,
        bed: str,
        action_id: str,
        user: str,
        name: str,
        arguments: Mapping[str, Any],
        answer: Callable[[ActionDone], None],
    ) -> None:
        self.asked.append((bed, name, dict(arguments)))
        confirm = self.needs_confirmation and not arguments.get("confirmed")
        done = not (self.refusal or confirm)
        reason = self.refusal or ("this would alarm later: confirm it" if confirm else "")
        answer(ActionDone(self.now_us, action_id, user, done, reason, confirm))

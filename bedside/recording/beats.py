"""The beats of a bed on their way to the disk: each one with its score."""

from __future__ import annotations

from dataclasses import dataclass

from bedside.events import Beat, BeatClass, BeatScored, Event, Gap

PATIENCE_US = 10_000_000
"""A beat whose score does not come for this long is recorded without it."""


@dataclass(frozen=True, slots=True)
class RecordedBeat:
    """A beat as it was found live; `error` is in units of its threshold's scale, None: no score.

    `sample` is the R peak's index at the source, since the boot `boot_id` of its node.
    """

    boot_id: int
    sample: int
    beat_class: BeatClass
    error: float | None = None
    abnormal: bool = False


@dataclass(frozen=True, slots=True)
class BeatNote:
    """A beat of a node, for the recorder."""

    node: str
    beat: RecordedBeat


@dataclass(frozen=True, slots=True)
class StripNote:
    """Something alarmed at a node, for the recorder: the strip around it is kept.

    `sample` is the newest one of the boot `boot_id` when it alarmed, `since_s` after its onset.
    """

    node: str
    boot_id: int
    sample: int
    since_s: float


class BeatPairs:
    """Joins the beats of one bed with the scores that follow them."""

    def __init__(self) -> None:
        self._boot_id: int | None = None
        self._waiting: dict[int, tuple[int, RecordedBeat]] = {}

    def heard_of(self, boot_id: int) -> None:
        """A batch of this boot came; only the first one tells anything, then gaps do."""
        if self._boot_id is None:
            self._boot_id = boot_id

    def take(self, event: Event) -> list[RecordedBeat]:
        """An event of the bed's monitor; the beats that are complete with it, oldest first."""
        match event:
            case Gap(new_boot=True):
                done = self._older_than(event.at_us + 1)
                self._boot_id = event.boot_id
                return done
            case Beat() if self._boot_id is not None:
                late = self._older_than(event.at_us - PATIENCE_US)
                beat = RecordedBeat(self._boot_id, event.sample, event.beat_class)
                self._waiting[event.sample] = event.at_us, beat
                return late
            case BeatScored() if event.sample in self._waiting:
                beat = self._waiting.pop(event.sample)[1]
                return [
                    RecordedBeat(
                        beat.boot_id, beat.sample, beat.beat_class, event.error, event.abnormal
                    )
                ]
            case _:
                return []

    def _older_than(self, at_us: int) -> list[RecordedBeat]:
        old = [sample for sample, (found_us, _) in self._waiting.items() if found_us < at_us]
        return [self._waiting.pop(sample)[1] for sample in old]

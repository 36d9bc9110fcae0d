"""What became of each batch of one node: order, gaps, duplicates and the acknowledgement.

No input or output here: batches go in, verdicts come out, and an `Ack` can be had at any time.
Sequence numbers are unwrapped into plain integers per boot, so that wrap-around at 2³² needs no
special case anywhere else; they wrap again only on their way into an `Ack`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from bedside.events import Batch, Flags
from bedside.node.wire import MAX_MISSING_RANGES, SEQUENCE_MODULUS, Ack
from bedside.ranges import Ranges

MAX_BOOTS = 64
"""Boots whose batches are told from duplicates; older ones are forgotten."""

MAX_RANGES = 10_000
"""Ranges remembered of a boot. Beyond that the oldest holes count as lost, to bound memory."""


class ArrivalKind(StrEnum):
    """What to do with a batch: analyse and record it, only record it, or drop it."""

    LIVE = "live"
    LATE = "late"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Lost:
    """What lies between a live batch and the live batch before it, of one boot.

    The batches `first_sequence` to `last_sequence` did not come in time, or `None` for both where
    the node itself skipped samples between two consecutive batches. The samples are
    `from_sample` up to but not including `to_sample`. They may still come as late batches.
    """

    from_sample: int
    to_sample: int
    first_sequence: int | None = None
    last_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """The verdict on one batch.

    `gap` is what is missing before a live batch; `new_boot` says that this is the first live batch
    of a boot, before which nothing of the signal can be joined on.
    """

    kind: ArrivalKind
    gap: Lost | None = None
    new_boot: bool = False


@dataclass(slots=True)
class _Boot:
    """One boot's ledger, in unwrapped sequence numbers."""

    received: Ranges
    stored: Ranges
    newest: int
    origin: int | None = None
    lowest_held: int | None = None
    live_sequence: int | None = None
    live_end_sample: int = 0
    folded: int = 0

    def unwrap(self, sequence: int) -> int:
        half = SEQUENCE_MODULUS // 2
        return self.newest + (sequence - self.newest + half) % SEQUENCE_MODULUS - half


@dataclass(slots=True)
class Stream:
    """The order of one node's batches, over all its boots and ours.

    `restored` is what the recording holds already: `{boot_id: [(first, last), …]}` in sequence
    numbers as they were on the wire, the most recent boot last. Two nodes under one name show as
    one boot that is `late` for good; a node that repeats its boot id shows as duplicates.
    """

    node: str
    restored: Mapping[int, Iterable[tuple[int, int]]] = field(default_factory=dict)
    duplicates: int = 0
    late: int = 0
    _boots: dict[int, _Boot] = field(default_factory=dict)
    _current: int | None = None

    def __post_init__(self) -> None:
        for boot_id, ranges in list(self.restored.items())[-MAX_BOOTS:]:
            unwrapped = _unwrapped(list(ranges))
            if unwrapped:
                stored = Ranges(unwrapped)
                self._boots[boot_id] = _Boot(Ranges(unwrapped), stored, newest=stored.last)
        self.restored = {}

    @property
    def boot_id(self) -> int | None:
        """The boot that the node is in, None before its first batch."""
        return self._current

    @property
    def lost_batches(self) -> int:
        """Batches that the node no longer holds and that never came; a reset empties its store."""
        if self._current is None:
            return 0
        return sum(
            boot.folded
            + _holes(boot, _held_from(boot) - 1 if boot_id == self._current else boot.newest)
            for boot_id, boot in self._boots.items()
        )

    @property
    def missing_batches(self) -> int:
        """Batches of the present boot that the node still holds and that did not come yet."""
        boot = self._present()
        return 0 if boot is None else sum(last - first + 1 for first, last in _missing(boot))

    def accept(self, batch: Batch) -> Arrival:
        """Judge a batch of this node and remember it."""
        boot = self._boots.get(batch.boot_id)
        if boot is None:
            boot = self._begin(batch)
        elif self._current is None:
            self._current = batch.boot_id
        sequence = boot.unwrap(batch.sequence)
        self._note_store(boot, batch, sequence)
        if sequence in boot.received:
            self.duplicates += 1
            return Arrival(ArrivalKind.DUPLICATE)
        boot.received.add(sequence, sequence)
        boot.newest = max(boot.newest, sequence)
        _fold(boot)
        if not self._is_live(boot, batch, sequence):
            self.late += 1
            return Arrival(ArrivalKind.LATE)
        arrival = _live_arrival(boot, batch, sequence)
        boot.live_sequence = sequence
        boot.live_end_sample = batch.end_sample
        return arrival

    def stored(self, boot_id: int, first: int, last: int) -> None:
        """The recording holds `first` to `last` (as on the wire) on disk, synced."""
        boot = self._boots.get(boot_id)
        if boot is not None:
            span = _unwrapped_range(boot, first, last)
            boot.received.add(*span)
            boot.stored.add(*span)

    def not_stored(self, boot_id: int, first: int, last: int) -> None:
        """`first` to `last` were accepted but could not be recorded: ask for them again."""
        boot = self._boots.get(boot_id)
        if boot is not None:
            for hole in list(boot.stored.holes(*_unwrapped_range(boot, first, last))):
                boot.received.remove(*hole)

    def acknowledgement(self) -> Ack | None:
        """What the present boot's node may forget and must send again; None when nothing is known.

        Only stored batches are acknowledged. The cumulative number stops before the first batch
        that came but is not stored yet, and before the 17th missing range.
        """
        boot, boot_id = self._present(), self._current
        if boot is None or boot_id is None or boot.origin is None:
            return None
        missing: list[tuple[int, int]] = []
        cumulative = boot.newest
        held_from = _held_from(boot)
        for first, last in boot.stored.holes(held_from, boot.newest):
            if len(missing) == MAX_MISSING_RANGES:
                cumulative = first - 1
                break
            came = _first_within(boot.received, first, last)
            if came is None:
                missing.append((first, last))
                continue
            if came > first:
                missing.append((first, came - 1))
            cumulative = came - 1
            break
        if cumulative < held_from:
            return None
        return Ack(
            boot_id,
            cumulative % SEQUENCE_MODULUS,
            tuple((a % SEQUENCE_MODULUS, b % SEQUENCE_MODULUS) for a, b in missing),
        )

    def _present(self) -> _Boot | None:
        return None if self._current is None else self._boots[self._current]

    def _begin(self, batch: Batch) -> _Boot:
        boot = _Boot(Ranges(), Ranges(), newest=batch.sequence)
        self._boots[batch.boot_id] = boot
        self._current = batch.boot_id
        while len(self._boots) > MAX_BOOTS:
            del self._boots[next(iter(self._boots))]
        return boot

    def _note_store(self, boot: _Boot, batch: Batch, sequence: int) -> None:
        age = (batch.sequence - batch.lowest_held) % SEQUENCE_MODULUS
        held = sequence - age if age < SEQUENCE_MODULUS // 2 else sequence
        if boot.lowest_held is None or held > boot.lowest_held:
            boot.lowest_held = held
        if boot.origin is None:
            recorded_from = boot.stored.first if len(boot.stored) else held
            # What the node dropped before we ever heard of this boot is lost; what it does not
            # hold for another reason was acknowledged by a station before this one.
            heard_from = held - batch.dropped
            boot.origin = min(recorded_from, heard_from)

    def _is_live(self, boot: _Boot, batch: Batch, sequence: int) -> bool:
        if batch.flags.has(Flags.REPLAYED) or self._present() is not boot:
            return False
        if boot.live_sequence is None:
            return sequence >= boot.newest
        return sequence > boot.live_sequence and batch.first_sample >= boot.live_end_sample


def _live_arrival(boot: _Boot, batch: Batch, sequence: int) -> Arrival:
    if boot.live_sequence is None:
        return Arrival(ArrivalKind.LIVE, new_boot=True)
    skipped = sequence > boot.live_sequence + 1
    if not skipped and batch.first_sample == boot.live_end_sample:
        return Arrival(ArrivalKind.LIVE)
    return Arrival(
        ArrivalKind.LIVE,
        Lost(
            from_sample=boot.live_end_sample,
            to_sample=batch.first_sample,
            first_sequence=(boot.live_sequence + 1) % SEQUENCE_MODULUS if skipped else None,
            last_sequence=(sequence - 1) % SEQUENCE_MODULUS if skipped else None,
        ),
    )


def _held_from(boot: _Boot) -> int:
    """The first number that may still be asked for."""
    assert boot.origin is not None
    return boot.origin if boot.lowest_held is None else max(boot.origin, boot.lowest_held)


def _missing(boot: _Boot) -> Iterable[tuple[int, int]]:
    if boot.origin is None:
        return ()
    return boot.received.holes(_held_from(boot), boot.newest)


def _holes(boot: _Boot, last: int) -> int:
    """How many numbers up to `last` never came."""
    first = boot.received.first if boot.origin is None else boot.origin
    return sum(b - a + 1 for a, b in boot.received.holes(first, last))


def _first_within(numbers: Ranges, first: int, last: int) -> int | None:
    """The smallest number of the set inside `first` to `last`."""
    before = next(iter(numbers.holes(first, last)), None)
    if before is None or before[0] > first:
        return first
    return before[1] + 1 if before[1] < last else None


def _fold(boot: _Boot) -> None:
    """Give up the oldest hole when there are too many to remember."""
    if len(boot.received) > MAX_RANGES:
        (_, hole_from), (hole_to, _) = _first_two(boot.received)
        boot.folded += hole_to - hole_from - 1
        boot.received.add(hole_from + 1, hole_to - 1)
        boot.stored.add(hole_from + 1, hole_to - 1)


def _first_two(numbers: Ranges) -> tuple[tuple[int, int], tuple[int, int]]:
    return next(pairwise(numbers))


def _unwrapped_range(boot: _Boot, first: int, last: int) -> tuple[int, int]:
    start = boot.unwrap(first)
    return start, start + (last - first) % SEQUENCE_MODULUS


def _unwrapped(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of numbers on a circle, as plain integers from their true beginning.

    The beginning is after the widest arc without a number: a boot's numbers are dense, and the
    rest of the circle is empty.
    """
    if not ranges:
        return []
    ordered = sorted(ranges)
    following = [*ordered[1:], (ordered[0][0] + SEQUENCE_MODULUS, 0)]
    arcs = [after[0] - each[1] for each, after in zip(ordered, following, strict=True)]
    start = (arcs.index(max(arcs)) + 1) % len(ordered)
    return [
        (first + turn, first + turn + (last - first) % SEQUENCE_MODULUS)
        for part, turn in ((ordered[start:], 0), (ordered[:start], SEQUENCE_MODULUS))
        for first, last in part
    ]

"""What a node keeps, sends and sends again: the firmware's policy, without input or output.

A batch is kept until the bedside acknowledges it; a PUBACK only says that the broker has it in
memory. Time comes in as seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, replace

from bedside.events import Batch, Flags
from bedside.node.wire import SEQUENCE_MODULUS, Ack, encode_batch
from bedside.simulator.batcher import Cut

REPLAYED_AFTER_S = 2.0
"""A batch sent later than this after its sampling says so."""

REPEATED_AFTER_S = 5.0
"""Where nothing newer was sampled and the newest batch is not acknowledged, it is sent again this
often: the bedside cannot miss a batch of which it never heard a later one."""

_BURST = 4.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One publish that is due now."""

    sequence: int
    payload: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Held:
    batch: Batch
    sampled_s: float


class Uplink:
    """One boot's store and what of it is to be sent, live first, the rest oldest first.

    The store holds `store_batches`; when it is full the oldest is dropped and counted. At most
    `resend_per_s` batches leave in a second, unless the live ones alone are more.
    """

    def __init__(
        self,
        node: str,
        boot_id: int,
        rate_mhz: int,
        nv_per_lsb: int,
        *,
        store_batches: int,
        resend_per_s: float = 20.0,
        first_sequence: int = 0,
    ) -> None:
        self.boot_id = boot_id
        self.dropped = 0
        self._node, self._rate_mhz, self._nv_per_lsb = node, rate_mhz, nv_per_lsb
        self._store_batches = store_batches
        self._resend_per_s = resend_per_s
        self._next = first_sequence
        self._store: OrderedDict[int, _Held] = OrderedDict()
        self._live: deque[int] = deque()
        self._wanted: set[int] = set()
        self._in_flight: dict[int, int] = {}
        self._allowance = _BURST
        self._allowed_at_s: float | None = None
        self._repeated_at_s: float | None = None

    @property
    def backlog_batches(self) -> int:
        """Batches that the bedside has not acknowledged."""
        return len(self._store)

    def backlog_s(self, now_s: float) -> float:
        """How old the oldest batch is that the bedside has not acknowledged."""
        return now_s - next(iter(self._store.values())).sampled_s if self._store else 0.0

    def keep(self, batch: Cut, wall_us: int, sampled_s: float) -> None:
        """Take a batch that was just sampled; `wall_us` is 0 while the clock is not synced."""
        if len(self._store) >= self._store_batches:
            oldest, _ = self._store.popitem(last=False)
            self._wanted.discard(oldest)
            self.dropped += 1
        self._store[self._next] = _Held(
            Batch(
                node=self._node,
                flags=batch.flags | (Flags.CLOCK_SYNCED if wall_us else Flags(0)),
                boot_id=self.boot_id,
                sequence=self._next % SEQUENCE_MODULUS,
                first_sample=batch.first_sample,
                wall_us=wall_us,
                rate_mhz=self._rate_mhz,
                nv_per_lsb=self._nv_per_lsb,
                dropped=0,
                lowest_held=0,
                samples=batch.samples,
            ),
            sampled_s,
        )
        self._live.append(self._next)
        self._next += 1

    def outgoing(self, now_s: float) -> list[Outgoing]:
        """What is to be published now, over a connection that is up; nothing is given twice."""
        if self._allowed_at_s is not None:
            earned = (now_s - self._allowed_at_s) * self._resend_per_s
            self._allowance = min(_BURST, self._allowance + earned)
        self._allowed_at_s = now_s
        fresh = []
        while self._live:
            sequence = self._live.popleft()
            held = self._store.get(sequence)
            if held is None:
                continue
            if now_s - held.sampled_s > REPLAYED_AFTER_S:
                self._wanted.add(sequence)
            else:
                fresh.append(sequence)
        if not fresh:
            self._repeat_newest(now_s)
        self._allowance = max(self._allowance - len(fresh), -_BURST)
        again = sorted(self._wanted)[: max(int(self._allowance), 0)]
        self._allowance -= len(again)
        self._wanted.difference_update(again)
        return [self._encoded(sequence, now_s) for sequence in (*fresh, *again)]

    def sent(self, sequence: int, token: int | None) -> None:
        """A publish left under this token, or could not leave (None)."""
        if token is not None:
            self._in_flight[token] = sequence
        elif sequence in self._store:
            self._wanted.add(sequence)

    def published(self, token: int) -> None:
        """The broker has it (PUBACK)."""
        self._in_flight.pop(token, None)

    def disconnected(self) -> None:
        """What was not PUBACKed is sent again over the next connection."""
        self._wanted.update(each for each in self._in_flight.values() if each in self._store)
        self._in_flight.clear()

    def acknowledged(self, ack: Ack) -> None:
        """Forget what the bedside has on disk, and send again what it misses.

        An acknowledgement of another boot, or of what was never sent, changes nothing.
        """
        ahead = (self._next - 1 - ack.cumulative) % SEQUENCE_MODULUS
        if ack.boot_id != self.boot_id or ahead >= min(self._next, SEQUENCE_MODULUS // 2):
            return
        cumulative = self._next - 1 - ahead
        missing = [
            (
                cumulative - (ack.cumulative - first) % SEQUENCE_MODULUS,
                cumulative - (ack.cumulative - last) % SEQUENCE_MODULUS,
            )
            for first, last in ack.missing
        ]
        waiting = {*self._in_flight.values(), *self._live}
        for sequence in [each for each in self._store if each <= cumulative]:
            if any(first <= sequence <= last for first, last in missing):
                if sequence not in waiting:
                    self._wanted.add(sequence)
            else:
                del self._store[sequence]
                self._wanted.discard(sequence)

    def _repeat_newest(self, now_s: float) -> None:
        if self._wanted or self._in_flight or not self._store:
            return
        newest, held = next(reversed(self._store.items()))
        if now_s - held.sampled_s > REPEATED_AFTER_S and (
            self._repeated_at_s is None or now_s - self._repeated_at_s > REPEATED_AFTER_S
        ):
            self._repeated_at_s = now_s
            self._wanted.add(newest)

    def _encoded(self, sequence: int, now_s: float) -> Outgoing:
        held = self._store[sequence]
        replayed = now_s - held.sampled_s > REPLAYED_AFTER_S
        batch = replace(
            held.batch,
            flags=held.batch.flags | (Flags.REPLAYED if replayed else Flags(0)),
            dropped=self.dropped % SEQUENCE_MODULUS,
            lowest_held=next(iter(self._store)) % SEQUENCE_MODULUS,
        )
        return Outgoing(sequence, encode_batch(batch), replayed)

"""The firmware's core and the Python program make the same of everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.events import Batch, Flags
from bedside.node import wire
from bedside.node.stream import Stream
from bedside.node.wire import Ack, WireError
from bedside.simulator.batcher import Cut
from bedside.simulator.uplink import Uplink
from tests.firmware.core_library import CoreLibrary, CoreUplink

BOOT = 77
U32 = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="session")
def core(firmware_build: Path) -> CoreLibrary:
    return CoreLibrary(firmware_build / "libbedside_core.so")


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    samples = draw(st.lists(st.integers(-32768, 32767), min_size=1, max_size=250))
    return Batch(
        node="bed-1",
        flags=Flags(draw(st.integers(0, 127))),
        boot_id=draw(U32),
        sequence=draw(U32),
        first_sample=draw(st.integers(0, 2**64 - 1)),
        wall_us=draw(st.integers(-(2**63), 2**63 - 1)),
        rate_mhz=draw(st.integers(wire.MIN_RATE_MHZ, wire.MAX_RATE_MHZ)),
        nv_per_lsb=draw(st.integers(1, 2**32 - 1)),
        dropped=draw(U32),
        lowest_held=draw(U32),
        samples=np.array(samples, dtype=np.int16),
        at_us=0,
    )


def python_makes_of_batch(payload: bytes) -> tuple[str, list[int]]:
    try:
        return "", wire.decode_batch(payload, "bed-1", 0).samples.tolist()
    except WireError as error:
        return error.reason, []


def python_makes_of_ack(payload: bytes) -> tuple[str, Ack | None]:
    try:
        return "", wire.decode_ack(payload)
    except WireError as error:
        return error.reason, None


@given(batches())
def test_both_write_a_batch_as_the_same_bytes(core: CoreLibrary, batch: Batch) -> None:
    payload = wire.encode_batch(batch)
    assert core.encode_batch(batch) == payload
    reason, header, samples = core.decode_batch(payload)
    assert (reason, samples) == ("", batch.samples.tolist())
    for name in ("boot_id", "sequence", "first_sample", "wall_us", "rate_mhz", "nv_per_lsb"):
        assert header[name] == getattr(batch, name)


@given(batches(), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_never_reads_as_the_same_batch(
    core: CoreLibrary, batch: Batch, place: int, change: int
) -> None:
    payload = bytearray(wire.encode_batch(batch))
    payload[place % len(payload)] ^= change
    assert core.decode_batch(bytes(payload))[0] != ""


@given(batches(), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=4), U32)
def test_both_refuse_a_damaged_batch_for_the_same_reason(
    core: CoreLibrary, batch: Batch, damages: list[tuple[int, int]], cut: int
) -> None:
    payload = bytearray(wire.encode_batch(batch))
    for place, value in damages:
        payload[place % len(payload)] = value
    for damaged in (bytes(payload), bytes(payload[: cut % len(payload)])):
        reason, _, samples = core.decode_batch(damaged)
        assert (reason, samples if not reason else []) == python_makes_of_batch(damaged)


@given(st.binary(max_size=200), st.sampled_from([b"BE\x01\x34", b"BA\x01\x01", b""]))
def test_both_make_the_same_of_any_bytes(core: CoreLibrary, tail: bytes, head: bytes) -> None:
    payload = head + tail
    assert core.decode_batch(payload)[0] == python_makes_of_batch(payload)[0]
    assert core.decode_ack(payload)[0] == python_makes_of_ack(payload)[0]


@given(U32, U32, st.lists(st.tuples(st.integers(0, 2**31), st.integers(-5, 100)), max_size=16))
def test_both_read_and_write_an_acknowledgement_alike(
    core: CoreLibrary, boot_id: int, cumulative: int, ages: list[tuple[int, int]]
) -> None:
    ranges = tuple(((cumulative - a) % 2**32, (cumulative - a + n) % 2**32) for a, n in ages)
    ack = Ack(boot_id, cumulative, ranges)
    payload = wire.encode_ack(ack)
    assert core.encode_ack(ack) == payload
    reason, read = core.decode_ack(payload)
    expected_reason, expected = python_makes_of_ack(payload)
    assert reason == expected_reason
    assert expected is None or read == expected


EIGHTH_MS = 125


class Pair:
    """The Python uplink and the core's, through the same night."""

    def __init__(self, core: CoreLibrary, store_batches: int) -> None:
        self.python = Uplink("bed-1", BOOT, 250_000, 5000, store_batches=store_batches)
        self.core: CoreUplink = core.uplink(BOOT, store_batches, 4096)
        self.stream = Stream("bed-1")
        self.eighths = 0
        self.kept = 0
        self.next_token = 1
        self.open_tokens: list[int] = []

    def sample(self) -> None:
        samples = np.full(50, self.kept % 1000, dtype=np.int16)
        wall_us = 0 if self.kept % 3 else 1_795_406_400_000_000 + self.kept
        first = 50 * self.kept
        self.python.keep(Cut(first, samples, Flags(0)), wall_us, self.eighths / 8)
        self.core.keep(first, samples, wall_us, self.eighths * EIGHTH_MS)
        self.kept += 1

    def send(self, arrives: bool) -> None:
        outgoing = self.python.outgoing(self.eighths / 8)
        tokens = range(self.next_token, self.next_token + len(outgoing) + 1)
        assert self.core.round(self.eighths * EIGHTH_MS, tokens) == [o.payload for o in outgoing]
        for token, each in zip(tokens, outgoing, strict=False):
            self.python.sent(each.sequence, token)
            self.open_tokens.append(token)
            if arrives:
                batch = wire.decode_batch(each.payload, "bed-1", 0)
                self.stream.accept(batch)
                self.stream.stored(BOOT, batch.sequence, batch.sequence)
        self.next_token += len(outgoing)

    def confirm(self) -> None:
        for token in self.open_tokens:
            self.python.published(token)
            self.core.published(token)
        self.open_tokens.clear()

    def disconnect(self) -> None:
        self.python.disconnected()
        self.core.disconnected()
        self.open_tokens.clear()

    def acknowledge(self) -> None:
        ack = self.stream.acknowledgement()
        if ack is not None:
            self.python.acknowledged(ack)
            self.core.acknowledged(ack)


STEPS = st.sampled_from(
    [
        *("sample", "sample", "sample", "wait", "rest", "send", "vanish"),
        *("confirm", "disconnect", "acknowledge"),
    ]
)


@settings(max_examples=200)
@given(st.integers(1, 40), st.lists(STEPS, max_size=150))
def test_both_uplinks_send_the_same_bytes_whatever_happens(
    core: CoreLibrary, store_batches: int, steps: list[str]
) -> None:
    pair = Pair(core, store_batches)
    for step in steps:
        match step:
            case "sample":
                pair.sample()
            case "wait":
                pair.eighths += 3
            case "rest":
                pair.eighths += 50
            case "send" | "vanish":
                pair.send(arrives=step == "send")
            case "confirm":
                pair.confirm()
            case "disconnect":
                pair.disconnect()
            case _:
                pair.acknowledge()
        assert pair.core.backlog == pair.python.backlog_batches
        assert pair.core.dropped == pair.python.dropped


def test_a_bad_link_costs_nothing_where_the_store_suffices(core: CoreLibrary) -> None:
    pair = Pair(core, 400)
    random = np.random.default_rng(3)
    for _ in range(300):
        pair.sample()
        pair.eighths += 2
        pair.send(arrives=bool(random.random() < 0.6))
        pair.confirm()
        if random.random() < 0.1:
            pair.disconnect()
        pair.acknowledge()
    for _ in range(200):
        pair.sample()
        pair.eighths += 8
        pair.send(arrives=True)
        pair.confirm()
        pair.acknowledge()
    assert pair.core.dropped == 0
    assert pair.stream.lost_batches == 0
    assert pair.stream.missing_batches == 0
    assert pair.core.backlog == 0

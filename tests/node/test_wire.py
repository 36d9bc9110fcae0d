"""Bytes and batches: the same bytes for every implementation, and nothing else let in."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.events import Batch, Flags
from bedside.node import wire
from bedside.node.wire import Ack, WireError
from tests.wire_vectors import generate

VECTORS = json.loads(generate.VECTORS.read_text())
VALID = [each for each in VECTORS if "error" not in each]
REFUSED = [each for each in VECTORS if "error" in each]
FIELDS = [
    "flags",
    "boot_id",
    "sequence",
    "first_sample",
    "wall_us",
    "rate_mhz",
    "nv_per_lsb",
    "dropped",
    "lowest_held",
]

u32 = st.integers(0, 2**32 - 1)
batches = st.builds(
    Batch,
    node=st.just("bed-1"),
    flags=st.integers(0, 2**16 - 1).map(Flags),
    boot_id=u32,
    sequence=u32,
    first_sample=st.integers(0, 2**64 - 1),
    wall_us=st.integers(-(2**63), 2**63 - 1),
    rate_mhz=st.integers(100_000, 1_000_000),
    nv_per_lsb=st.integers(1, 2**32 - 1),
    dropped=u32,
    lowest_held=u32,
    samples=st.lists(st.integers(-32768, 32767), min_size=1, max_size=250).map(
        lambda values: np.array(values, dtype=np.int16)
    ),
    at_us=st.just(17),
)


def fields_of(batch: Batch) -> dict[str, Any]:
    return {name: int(getattr(batch, name)) for name in FIELDS} | {
        "samples": batch.samples.tolist()
    }


def decode(vector: dict[str, Any]) -> dict[str, Any]:
    payload = bytes.fromhex(vector["payload"])
    if vector["kind"] == "batch":
        return fields_of(wire.decode_batch(payload, "bed-1", 0))
    ack = asdict(wire.decode_ack(payload))
    return ack | {"missing": [list(each) for each in ack["missing"]]}


def encode(kind: str, fields: dict[str, Any]) -> bytes:
    if kind == "ack":
        missing = tuple((first, last) for first, last in fields["missing"])
        return wire.encode_ack(Ack(fields["boot_id"], fields["cumulative"], missing))
    values = fields | {"samples": np.array(fields["samples"], dtype=np.int16)}
    return wire.encode_batch(Batch(**values | {"node": "bed-1", "flags": Flags(fields["flags"])}))


@pytest.mark.parametrize("vector", VALID, ids=lambda each: each["name"])
def test_a_valid_vector_is_read_as_it_says(vector: dict[str, Any]) -> None:
    assert decode(vector) == vector["fields"]


@pytest.mark.parametrize(
    "vector", [each for each in VALID if each.get("canonical", True)], ids=lambda each: each["name"]
)
def test_the_fields_of_a_vector_are_written_as_its_bytes(vector: dict[str, Any]) -> None:
    assert encode(vector["kind"], vector["fields"]).hex() == vector["payload"]


@pytest.mark.parametrize("vector", REFUSED, ids=lambda each: f"{each['kind']}: {each['name']}")
def test_an_invalid_vector_is_refused_for_its_reason(vector: dict[str, Any]) -> None:
    with pytest.raises(WireError) as caught:
        decode(vector)
    assert caught.value.reason == vector["error"]


def test_every_reason_for_refusing_has_a_vector() -> None:
    assert {each["error"] for each in REFUSED} == {
        "magic",
        "version",
        "length",
        "encoding",
        "count",
        "crc",
        "rate",
        "scale",
        "range",
    }


def test_generating_the_vectors_again_yields_the_same_bytes() -> None:
    assert generate.text() == generate.VECTORS.read_text()


@given(batches)
def test_a_batch_survives_encoding_and_decoding(batch: Batch) -> None:
    again = wire.decode_batch(wire.encode_batch(batch), "bed-1", 17)
    assert fields_of(again) == fields_of(batch)
    assert (again.node, again.at_us, again.samples.dtype) == ("bed-1", 17, np.int16)


@given(st.binary(max_size=600) | st.binary(max_size=600).map(lambda tail: b"BE\x01\x34" + tail))
def test_arbitrary_bytes_are_refused_with_a_reason(payload: bytes) -> None:
    for read in (lambda: wire.decode_batch(payload, "bed-1", 0), lambda: wire.decode_ack(payload)):
        with pytest.raises(WireError):
            read()


@given(batches, st.data())
def test_no_single_changed_byte_gets_past_the_checksum(batch: Batch, data: st.DataObject) -> None:
    payload = bytearray(wire.encode_batch(batch))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WireError):
        wire.decode_batch(bytes(payload), "bed-1", 0)


@given(u32, st.sets(st.integers(0, 5000), min_size=1, max_size=32))
def test_an_acknowledgement_survives_encoding_and_decoding(cumulative: int, ages: set[int]) -> None:
    edges = sorted(ages, reverse=True)
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    missing = tuple(((cumulative - a) % 2**32, (cumulative - b) % 2**32) for a, b in pairs)
    ack = Ack(5, cumulative, missing)
    assert wire.decode_ack(wire.encode_ack(ack)) == ack


def test_what_a_reader_would_refuse_is_not_written() -> None:
    batch = wire.decode_batch(bytes.fromhex(VALID[0]["payload"]), "bed-1", 0)
    for change, reason in (
        ({"samples": np.zeros(251, dtype=np.int16)}, "count"),
        ({"rate_mhz": 1}, "rate"),
        ({"nv_per_lsb": 0}, "scale"),
    ):
        with pytest.raises(WireError, match=reason):
            wire.encode_batch(replace(batch, **change))
    with pytest.raises(WireError, match="count"):
        wire.encode_ack(Ack(1, 99, tuple((2 * n, 2 * n) for n in range(17))))


def test_a_topic_tells_its_node_and_kind() -> None:
    assert wire.ecg_topic("bed-1") == "bedside/v1/bed-1/ecg"
    for topic in (wire.ecg_topic, wire.meta_topic, wire.status_topic, wire.ack_topic):
        assert wire.node_of(topic("bed-1")) == ("bed-1", topic("bed-1").rpartition("/")[2])
    assert wire.node_of(wire.cmd_topic("icu-07")) == ("icu-07", "cmd")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "bedside/v1/bed-1",
        "bedside/v1/bed-1/other",
        "bedside/v1/Bed/ecg",
        "bedside/v1//ecg",
        "bedside/v1/bed-1/ecg/more",
        "x/bedside/v1/bed-1/ecg",
        "bedside/v1/station/s/state",
        f"bedside/v1/{'n' * 33}/ecg",
    ],
)
def test_a_foreign_topic_has_no_node(topic: str) -> None:
    assert wire.node_of(topic) is None


@pytest.mark.parametrize("name", ["", "Bed", "bed_1", "bed/1", "bed 1", "bed\n", "n" * 33, "#"])
def test_a_bad_node_name_gets_no_topic(name: str) -> None:
    assert not wire.is_node_name(name)
    with pytest.raises(ValueError, match="node name"):
        wire.ecg_topic(name)

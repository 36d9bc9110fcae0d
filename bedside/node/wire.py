"""Bytes on MQTT ↔ `Batch` and `Ack`: the node's wire format, version 1, little-endian.

Topics, under `bedside/v1/{node}/`, the name of `a-z`, `0-9` and `-`: `ecg` (batches, QoS 1), `meta`
and `status` (JSON, retained; `status` is also the last will), `ack` and `cmd` (to the node). What
comes on `cmd` is a JSON string: `identify`, `reboot`, `update` (new firmware, where a node takes
any), and `idle` and `resume`, which switch the front end off between patients and on again, while
sampling goes on, flagged as lead-off. The status is `state`, `boot_id`, `free_heap` in bytes,
`backlog_s`, and what a node counts since boot: batches `dropped` by a full store, publishes
`expired` in its MQTT client, `missed_ticks` of its sampling timer; and `rssi` in dBm. What it does
not know is null.

    batch   0  2 bytes  magic `BE`              acknowledgement
            2  u8       version, 1              0  2 bytes  magic `BA`
            3  u8       header length, 52       2  u8       version, 1
            4  u16      flags                   3  u8       n missing ranges, 0 to 16
            6  u16      samples, 1 to 250       4  u32      boot id
            8  u32      boot id                 8  u32      stored up to here, but for the ranges
           12  u32      sequence number        12  n × (u32, u32)  first and last of each range
           16  u64      index of first sample end  u32      CRC-32 of all before it
           24  i64      Unix time of it in µs, 0: not synced
           32  u32      sampling rate in mHz
           36  u32      nV per LSB, input-referred
           40  u32      batches dropped since boot
           44  u8       encoding, 0: int16
           45  3 bytes  zero
           48  u32      lowest sequence number still held
           52  i16 ×    samples
          end  u32      CRC-32 (zlib's) of all before it

A payload is either decoded whole or refused with a `WireError` whose `reason` is a short code to
count. The checks run in one fixed order, so that every implementation refuses a payload for the
same reason: magic, version, header length, encoding, count, length, CRC, rate, scale.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from bedside.events import Batch, Flags

VERSION = 1
HEADER_BYTES = 52
MAX_SAMPLES = 250
MAX_MISSING_RANGES = 16
MIN_RATE_MHZ = 100_000
MAX_RATE_MHZ = 1_000_000
SEQUENCE_MODULUS = 1 << 32

TOPIC_ROOT = "bedside/v1"

_BATCH_MAGIC = b"BE"
_ACK_MAGIC = b"BA"
_CRC = struct.Struct("<I")
_HEADER = struct.Struct("<2sBBHHIIQqIIIB3xI")
_ACK_HEADER = struct.Struct("<2sBBII")
_RANGE = struct.Struct("<II")
_ENCODING_INT16 = 0
_NODE_NAME = re.compile(r"[a-z0-9-]{1,32}")


class WireError(ValueError):
    """A payload that is not a valid batch or acknowledgement.

    `reason` is one of `magic`, `version`, `length`, `encoding`, `count`, `crc`, `rate`, `scale`,
    `range`.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ack:
    """What the bedside has on disk of one boot of a node.

    Every batch up to and including `cumulative` is stored, apart from the `missing` ranges (first
    and last sequence number of each, oldest first, at most 16). There is no number for "nothing
    is stored": a missing batch 0 alone is `cumulative=0, missing=((0, 0),)`, and where not even
    that can be said no acknowledgement is sent. Sequence numbers wrap at 2³²: a range may run
    across zero, and "up to" is meant in that order.
    """

    boot_id: int
    cumulative: int
    missing: tuple[tuple[int, int], ...] = ()


def encode_batch(batch: Batch) -> bytes:
    """The payload for a batch.

    Raises WireError where a reader would refuse it, and struct.error where a field does not fit
    its width.
    """
    count = len(batch.samples)
    _require_count(count)
    _require_rate(batch.rate_mhz)
    _require_scale(batch.nv_per_lsb)
    header = _HEADER.pack(
        _BATCH_MAGIC,
        VERSION,
        HEADER_BYTES,
        int(batch.flags),
        count,
        batch.boot_id,
        batch.sequence,
        batch.first_sample,
        batch.wall_us,
        batch.rate_mhz,
        batch.nv_per_lsb,
        batch.dropped,
        _ENCODING_INT16,
        batch.lowest_held,
    )
    return _with_crc(header + batch.samples.astype("<i2").tobytes())


def decode_batch(payload: bytes, node: str, at_us: int) -> Batch:
    """The batch in a payload that `node` published, stamped with the time it came in.

    A header longer than this version's is skipped by its own length; unknown flag bits are kept.

    Raises WireError for anything that is not a valid batch.
    """
    _require_magic(payload, _BATCH_MAGIC)
    if len(payload) < HEADER_BYTES:
        raise WireError("length", f"{len(payload)} bytes hold no header")
    (
        _,
        version,
        header_bytes,
        flags,
        count,
        boot_id,
        sequence,
        first_sample,
        wall_us,
        rate_mhz,
        nv_per_lsb,
        dropped,
        encoding,
        lowest_held,
    ) = _HEADER.unpack_from(payload)
    _require_version(version)
    if header_bytes < HEADER_BYTES:
        raise WireError("length", f"header of {header_bytes} bytes, needs {HEADER_BYTES}")
    if encoding != _ENCODING_INT16:
        raise WireError("encoding", f"unknown encoding {encoding}")
    _require_count(count)
    if len(payload) != header_bytes + 2 * count + _CRC.size:
        raise WireError("length", f"{len(payload)} bytes do not fit {count} samples")
    _require_crc(payload)
    _require_rate(rate_mhz)
    _require_scale(nv_per_lsb)
    samples = np.frombuffer(payload, dtype="<i2", count=count, offset=header_bytes)
    return Batch(
        node=node,
        flags=Flags(flags),
        boot_id=boot_id,
        sequence=sequence,
        first_sample=first_sample,
        wall_us=wall_us,
        rate_mhz=rate_mhz,
        nv_per_lsb=nv_per_lsb,
        dropped=dropped,
        lowest_held=lowest_held,
        samples=samples.astype(np.int16),
        at_us=at_us,
    )


def encode_ack(ack: Ack) -> bytes:
    """The payload for an acknowledgement; raises WireError for more than 16 ranges."""
    if len(ack.missing) > MAX_MISSING_RANGES:
        raise WireError("count", f"{len(ack.missing)} missing ranges, at most {MAX_MISSING_RANGES}")
    header = _ACK_HEADER.pack(_ACK_MAGIC, VERSION, len(ack.missing), ack.boot_id, ack.cumulative)
    return _with_crc(header + b"".join(_RANGE.pack(*each) for each in ack.missing))


def decode_ack(payload: bytes) -> Ack:
    """The acknowledgement in a payload; raises WireError for anything else.

    A range that does not lie at or before the cumulative number is refused as `range`: a node
    that believed it would resend what nobody asked for.
    """
    _require_magic(payload, _ACK_MAGIC)
    if len(payload) < _ACK_HEADER.size + _CRC.size:
        raise WireError("length", f"{len(payload)} bytes hold no acknowledgement")
    _, version, count, boot_id, cumulative = _ACK_HEADER.unpack_from(payload)
    _require_version(version)
    if count > MAX_MISSING_RANGES:
        raise WireError("count", f"{count} missing ranges, at most {MAX_MISSING_RANGES}")
    if len(payload) != _ACK_HEADER.size + count * _RANGE.size + _CRC.size:
        raise WireError("length", f"{len(payload)} bytes do not fit {count} missing ranges")
    _require_crc(payload)
    missing = tuple(
        _RANGE.unpack_from(payload, _ACK_HEADER.size + index * _RANGE.size)
        for index in range(count)
    )
    for first, last in missing:
        age_first = (cumulative - first) % SEQUENCE_MODULUS
        age_last = (cumulative - last) % SEQUENCE_MODULUS
        if not age_last <= age_first < SEQUENCE_MODULUS // 2:
            raise WireError("range", f"missing {first} to {last} is not before {cumulative}")
    return Ack(boot_id, cumulative, missing)


def is_node_name(name: str) -> bool:
    """Whether a name can stand in a topic: 1 to 32 of `a-z`, `0-9` and `-`."""
    return _NODE_NAME.fullmatch(name) is not None


def ecg_topic(node: str) -> str:
    """Where a node publishes its batches."""
    return _topic(node, "ecg")


def meta_topic(node: str) -> str:
    """Where a node describes itself (JSON, retained)."""
    return _topic(node, "meta")


def status_topic(node: str) -> str:
    """Where a node says how it fares (JSON, retained, also its last will)."""
    return _topic(node, "status")


def ack_topic(node: str) -> str:
    """Where the bedside acknowledges what it has on disk."""
    return _topic(node, "ack")


def cmd_topic(node: str) -> str:
    """Where the bedside commands a node (JSON)."""
    return _topic(node, "cmd")


def node_of(topic: str) -> tuple[str, str] | None:
    """The node's name and the last level of one of its topics, or None for any other topic."""
    root, slash, rest = topic.partition(f"{TOPIC_ROOT}/")
    name, _, kind = rest.partition("/")
    known = kind in ("ecg", "meta", "status", "ack", "cmd")
    if root or not slash or not known or not is_node_name(name):
        return None
    return name, kind


def _topic(node: str, kind: str) -> str:
    if node != "+" and not is_node_name(node):
        raise ValueError(f"node name {node!r} needs 1 to 32 of a-z, 0-9 and -")
    return f"{TOPIC_ROOT}/{node}/{kind}"


def _with_crc(body: bytes) -> bytes:
    return body + _CRC.pack(zlib.crc32(body))


def _require_magic(payload: bytes, magic: bytes) -> None:
    if payload[:2] != magic:
        raise WireError("magic", f"starts with {payload[:2]!r}, not {magic!r}")


def _require_version(version: int) -> None:
    if version != VERSION:
        raise WireError("version", f"version {version}, this program reads {VERSION}")


def _require_count(count: int) -> None:
    if not 1 <= count <= MAX_SAMPLES:
        raise WireError("count", f"{count} samples, needs 1 to {MAX_SAMPLES}")


def _require_crc(payload: bytes) -> None:
    if zlib.crc32(payload[: -_CRC.size]) != _CRC.unpack_from(payload, len(payload) - _CRC.size)[0]:
        raise WireError("crc", "the checksum does not match")


def _require_rate(rate_mhz: int) -> None:
    if not MIN_RATE_MHZ <= rate_mhz <= MAX_RATE_MHZ:
        raise WireError("rate", f"{rate_mhz / 1000} Hz, needs 100 to 1000 Hz")


def _require_scale(nv_per_lsb: int) -> None:
    if nv_per_lsb == 0:
        raise WireError("scale", "0 nV per LSB would turn any signal into a flat line")

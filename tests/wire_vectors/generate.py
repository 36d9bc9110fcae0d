"""Write `vectors.json`: payloads of the wire format with what a reader makes of each.

    python tests/wire_vectors/generate.py

Built from the format's description with `struct` and `zlib` alone, so that no implementation
is the judge of itself. One JSON object per line inside one array; every object has

    name      what the payload shows
    kind      "batch" or "ack"
    payload   the bytes, in hexadecimal
    error     the reason for refusing it, absent when it is valid
    fields    what a reader finds in it, absent when it is refused
    canonical false where a writer of version 1 would not produce these bytes (absent otherwise)
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).with_name("vectors.json")
LAYOUT = ("header_bytes", "reserved", "extra")

PLAIN: dict[str, Any] = {
    "flags": 0,
    "boot_id": 0x1234ABCD,
    "sequence": 7,
    "first_sample": 350,
    "wall_us": 0,
    "rate_mhz": 250_000,
    "nv_per_lsb": 5000,
    "dropped": 0,
    "lowest_held": 3,
    "samples": [0, 1, -1, 200, -200],
}


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def batch_body(
    fields: dict[str, Any],
    *,
    magic: bytes = b"BE",
    version: int = 1,
    header_bytes: int = 52,
    count: int | None = None,
    encoding: int = 0,
    reserved: bytes = b"\0\0\0",
    extra: bytes = b"",
) -> bytes:
    samples = fields["samples"]
    header = magic + struct.pack(
        "<BBHHIIQqIIIB",
        version,
        header_bytes,
        fields["flags"],
        len(samples) if count is None else count,
        fields["boot_id"],
        fields["sequence"],
        fields["first_sample"],
        fields["wall_us"],
        fields["rate_mhz"],
        fields["nv_per_lsb"],
        fields["dropped"],
        encoding,
    )
    header += reserved + struct.pack("<I", fields["lowest_held"]) + extra
    return header + struct.pack(f"<{len(samples)}h", *samples)


def ack_body(
    fields: dict[str, Any], *, magic: bytes = b"BA", version: int = 1, count: int | None = None
) -> bytes:
    missing = fields["missing"]
    body = magic + struct.pack(
        "<BBII",
        version,
        len(missing) if count is None else count,
        fields["boot_id"],
        fields["cumulative"],
    )
    return body + b"".join(struct.pack("<II", first, last) for first, last in missing)


def good_batch(name: str, *, canonical: bool = True, **changes: Any) -> dict[str, Any]:
    layout = {key: changes.pop(key) for key in LAYOUT if key in changes}
    fields = PLAIN | changes
    vector = {"name": name, "kind": "batch", "payload": sealed(batch_body(fields, **layout)).hex()}
    return vector | {"fields": fields} | ({} if canonical else {"canonical": False})


def good_ack(name: str, cumulative: int, *missing: tuple[int, int]) -> dict[str, Any]:
    ranges = [list(each) for each in missing]
    fields = {"boot_id": 0x1234ABCD, "cumulative": cumulative, "missing": ranges}
    payload = sealed(ack_body(fields))
    return {"name": name, "kind": "ack", "payload": payload.hex(), "fields": fields}


def refused(kind: str, name: str, error: str, payload: bytes) -> dict[str, Any]:
    return {"name": name, "kind": kind, "payload": payload.hex(), "error": error}


def batches() -> list[dict[str, Any]]:
    wave = [round(1000 * (-1) ** n * (n % 50) / 50) for n in range(50)]
    return [
        good_batch("five samples"),
        good_batch("a normal batch of 50 samples", samples=wave),
        good_batch("one sample", samples=[-32768]),
        good_batch("250 samples", samples=[n - 125 for n in range(250)]),
        good_batch("the extremes of int16", samples=[-32768, -1, 0, 1, 32767]),
        good_batch("sequence at its end", sequence=0xFFFFFFFF, lowest_held=0xFFFFFFF0),
        good_batch("sequence just after wrap-around", sequence=0, lowest_held=0xFFFFFFFF),
        good_batch(
            "every counter at its end",
            boot_id=0xFFFFFFFF,
            dropped=0xFFFFFFFF,
            first_sample=2**64 - 1,
            nv_per_lsb=0xFFFFFFFF,
        ),
        good_batch("clock synced", flags=4, wall_us=1_795_406_400_000_000),
        good_batch("a wall time before 1970", flags=4, wall_us=-1),
        good_batch("both electrodes off, replayed, saturated", flags=1 | 2 | 8 | 16),
        good_batch("synthetic and settling", flags=32 | 64),
        good_batch("flag bits of a later version are kept", flags=0x8000),
        good_batch("the slowest rate", rate_mhz=100_000),
        good_batch("the fastest rate", rate_mhz=1_000_000),
        good_batch(
            "a longer header is skipped by its length",
            canonical=False,
            header_bytes=60,
            extra=b"\x01\x02\x03\x04\x05\x06\x07\x08",
        ),
        good_batch("reserved bytes are not looked at", canonical=False, reserved=b"\1\2\3"),
    ]


def bad_batches() -> list[dict[str, Any]]:
    good = sealed(batch_body(PLAIN))
    flipped = bytearray(good)
    flipped[54] ^= 1
    wrong_crc = good[:-1] + bytes([good[-1] ^ 0x80])

    def variant(name: str, error: str, fields: dict[str, Any] = PLAIN, **layout: Any):
        return refused("batch", name, error, sealed(batch_body(fields, **layout)))

    return [
        refused("batch", "nothing", "magic", b""),
        refused("batch", "text", "magic", b"hello"),
        variant("an acknowledgement's magic", "magic", magic=b"BA"),
        refused("batch", "the magic alone", "length", b"BE"),
        refused("batch", "a header cut short", "length", good[:51]),
        variant("version 0", "version", version=0),
        variant("version 2", "version", version=2),
        variant("a header length below 52", "length", header_bytes=51),
        variant("a header length beyond the payload", "length", header_bytes=255),
        variant("another encoding", "encoding", encoding=1),
        variant("no samples", "count", PLAIN | {"samples": []}),
        variant("251 samples", "count", PLAIN | {"samples": [0] * 251}),
        variant("a count above the samples", "length", count=6),
        variant("a count below the samples", "length", count=4),
        refused("batch", "samples cut short", "length", good[:-5]),
        refused("batch", "a byte too many", "length", good + b"\0"),
        refused("batch", "a sample's bit flipped", "crc", bytes(flipped)),
        refused("batch", "the checksum's bit flipped", "crc", wrong_crc),
        variant("99.999 Hz", "rate", PLAIN | {"rate_mhz": 99_999}),
        variant("1000.001 Hz", "rate", PLAIN | {"rate_mhz": 1_000_001}),
        variant("0 nV per LSB", "scale", PLAIN | {"nv_per_lsb": 0}),
    ]


def acks() -> list[dict[str, Any]]:
    good = sealed(ack_body({"boot_id": 1, "cumulative": 9, "missing": [(2, 3)]}))

    def variant(name: str, error: str, missing: list[tuple[int, int]], **layout: Any):
        fields = {"boot_id": 1, "cumulative": 40, "missing": missing}
        return refused("ack", name, error, sealed(ack_body(fields, **layout)))

    return [
        good_ack("everything up to 41", 41),
        good_ack("batch 0 alone is missing, nothing is stored", 0, (0, 0)),
        good_ack("two ranges missing", 100, (10, 19), (50, 50)),
        good_ack("sixteen ranges missing", 100, *((6 * n, 6 * n + 2) for n in range(16))),
        good_ack("a range across wrap-around", 5, (0xFFFFFFFE, 1)),
        good_ack("cumulative at its end", 0xFFFFFFFF, (0xFFFFFFF0, 0xFFFFFFF1)),
        refused("ack", "nothing", "magic", b""),
        refused("ack", "a batch", "magic", sealed(batch_body(PLAIN))),
        refused("ack", "the magic alone", "length", b"BA"),
        variant("version 2", "version", [], version=2),
        variant("seventeen ranges", "count", [(2 * n, 2 * n) for n in range(17)]),
        variant("fewer ranges than it says", "length", [(1, 2)], count=2),
        variant("more ranges than it says", "length", [(1, 2)], count=0),
        refused("ack", "a bit flipped", "crc", bytes([*good[:8], good[8] ^ 1, *good[9:]])),
        variant("a range after the cumulative number", "range", [(41, 41)]),
        variant("a range reversed", "range", [(9, 8)]),
    ]


def text() -> str:
    """The whole file, as text that never changes from one run to the next."""
    lines = (json.dumps(each) for each in [*batches(), *bad_batches(), *acks()])
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    VECTORS.write_text(text())

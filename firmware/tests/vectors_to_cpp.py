"""The golden vectors as C++: `python vectors_to_cpp.py vectors.json vectors.inc`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def literal(values: list[int]) -> str:
    """A list of numbers as an initialiser."""
    return "{" + ", ".join(map(str, values)) + "}"


def of_batch(number: int, vector: dict[str, Any]) -> str:
    """The header and samples that a reader finds in a batch."""
    fields = vector["fields"]
    header = ", ".join(
        [
            f"{fields['flags']}",
            f"{len(fields['samples'])}",
            *(f"{fields[name]}U" for name in ("boot_id", "sequence")),
            f"{fields['first_sample']}ULL",
            f"{fields['wall_us']}LL",
            *(f"{fields[name]}U" for name in ("rate_mhz", "nv_per_lsb", "dropped", "lowest_held")),
        ]
    )
    return (
        f"constexpr int16_t kSamples{number}[] = {literal(fields['samples'])};\n"
        f"constexpr bedside::BatchHeader kBatch{number} = {{{header}}};\n"
    )


def of_ack(number: int, vector: dict[str, Any]) -> str:
    """What a reader finds in an acknowledgement."""
    fields = vector["fields"]
    ranges = ", ".join(f"{{{first}U, {last}U}}" for first, last in fields["missing"])
    return (
        f"constexpr bedside::Ack kAck{number} = {{{fields['boot_id']}U, "
        f"{fields['cumulative']}U, {len(fields['missing'])}, {{{ranges}}}}};\n"
    )


def text(vectors: list[dict[str, Any]]) -> str:
    """The whole file: the payloads, and a table `kVectors` of them."""
    parts = []
    rows = []
    for number, vector in enumerate(vectors):
        payload = list(bytes.fromhex(vector["payload"]))
        parts.append(f"constexpr uint8_t kPayload{number}[] = {literal(payload or [0])};\n")
        batch = samples = ack = "nullptr"
        if "fields" in vector and vector["kind"] == "batch":
            parts.append(of_batch(number, vector))
            batch, samples = f"&kBatch{number}", f"kSamples{number}"
        elif "fields" in vector:
            parts.append(of_ack(number, vector))
            ack = f"&kAck{number}"
        refusal = "k" + vector.get("error", "none").capitalize()
        canonical = "false" if vector.get("canonical") is False else "true"
        is_batch = "true" if vector["kind"] == "batch" else "false"
        rows.append(
            f"    {{{json.dumps(vector['name'])}, {is_batch}, kPayload{number}, {len(payload)}, "
            f"bedside::Refusal::{refusal}, {batch}, {samples}, {ack}, {canonical}}},\n"
        )
    return "".join(parts) + "constexpr Vector kVectors[] = {\n" + "".join(rows) + "};\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(text(json.loads(Path(sys.argv[1]).read_text())))

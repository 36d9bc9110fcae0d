"""FHIR R4: a Bundle with one Observation a piece, the signal as SampledData.

After HL7's example of an ECG (Observation/ekg): codes of ISO/IEEE 11073-10101, `data` as decimal
steps of `factor` mV, `E` where a sample is missing. The bed is the device; no patient is named.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bedside.recording.export.piece import Piece
from bedside.recording.runs import INVALID_SAMPLE

MDC = "urn:oid:2.16.840.1.113883.6.24"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
UCUM = "http://unitsofmeasure.org"


def write(piece: Piece, folder: Path) -> list[Path]:
    """The file of a piece. Raises OSError."""
    path = folder / f"{piece.name}.fhir.json"
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": observation(piece)}],
    }
    path.write_text(json.dumps(bundle), encoding="utf-8")
    return [path]


def observation(piece: Piece) -> dict[str, Any]:
    """The Observation of a piece, as JSON."""
    units = piece.units().tolist()
    end = piece.start + timedelta(seconds=len(units) / piece.rate_hz)
    notes = [f"{seconds:.2f} s: {words}" for seconds, words in piece.marks()]
    if piece.stretch.span.synthetic:
        notes.append("synthetic: parts of this signal were simulated")
    content: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "procedure"}]}],
        "code": {
            "coding": [{"system": MDC, "code": "131328", "display": "MDC ECG ELEC POTL"}],
            "text": "ECG, one lead",
        },
        "device": {"display": f"bed {piece.bed}"},
        "effectivePeriod": {"start": _instant(piece.start), "end": _instant(end)},
        "component": [
            {
                "code": {
                    "coding": [{"system": MDC, "code": "131328", "display": "MDC ECG ELEC POTL"}]
                },
                "valueSampledData": {
                    "origin": {"value": 0, "unit": "mV", "system": UCUM, "code": "mV"},
                    "period": round(1000 / piece.rate_hz, 9),
                    "factor": round(piece.nv_per_lsb * 1e-6, 9),
                    "dimensions": 1,
                    "data": " ".join("E" if u == INVALID_SAMPLE else str(u) for u in units),
                },
            }
        ],
    }
    if notes:
        content["note"] = [{"text": note} for note in notes]
    return content


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")

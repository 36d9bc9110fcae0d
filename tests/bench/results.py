"""What the benches measured last: `results.json` beside this file, of which the README tells."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_suffix(".json")


def keep(what: str, **measured: Any) -> None:
    """Note a measurement in the place of the last one, with the load of the machine at its end."""
    results = kept()
    results[what] = measured | {"load": round(os.getloadavg()[0], 1)}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def kept() -> dict[str, dict[str, Any]]:
    """By what was measured, the numbers."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}

"""What a restart must know of a bed: its patient's session and baseline, in one small file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedside.errors import RecordError
from bedside.events import BedState
from bedside.private_file import write_private


@dataclass(frozen=True, slots=True)
class BedFile:
    """The bed as it was left. `baseline` is the JSON object of the patient's baseline, or None."""

    state: BedState
    session: str
    baseline: dict[str, Any] | None = None


def load(path: Path) -> BedFile | None:
    """The bed in a file, None where there is none. Raises RecordError for a damaged one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return BedFile(BedState(content["state"]), str(content["session"]), content["baseline"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"The bed's state in {path} is damaged: remove the file and admit the patient again."
        ) from error


def save(path: Path, bed: BedFile) -> None:
    """Replace the file by one rename, synced, readable by its owner alone. Raises RecordError."""
    content = {"state": bed.state.value, "session": bed.session, "baseline": bed.baseline}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, json.dumps(content).encode())
    except OSError as error:
        raise RecordError(
            f"The bed's state cannot be written to {path} ({error.strerror}): free space on the "
            "disk."
        ) from error

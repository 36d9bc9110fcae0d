"""The formats by their names on the command line."""

from __future__ import annotations

from pathlib import Path

from bedside.errors import RecordError
from bedside.recording.export.piece import Piece

FORMATS = ("wfdb", "edf", "csv", "fhir")


def write(form: str, piece: Piece, folder: Path) -> list[Path]:
    """Write a piece into a folder, made where it is missing. Raises RecordError."""
    # Each format is imported when it is wanted: EDF's library has no business in a station.
    if form == "wfdb":
        from bedside.recording.export.wfdb import write as write_piece
    elif form == "edf":
        from bedside.recording.export.edf import write as write_piece
    elif form == "csv":
        from bedside.recording.export.csv_table import write as write_piece
    else:
        from bedside.recording.export.fhir import write as write_piece
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return write_piece(piece, folder)
    except OSError as error:
        raise RecordError(
            f"The export cannot be written to {folder} ({error.strerror}): choose another folder "
            "with --out."
        ) from error

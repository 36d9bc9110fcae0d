"""WFDB: `NAME.hea`, `NAME.dat` in format 16, the beats as `NAME.bed`.

Rate, gain and samples are the node's own, nothing is resampled; a missing sample is −32768, which
readers of WFDB know. Alarms stand as comments in the header.
"""

from __future__ import annotations

from pathlib import Path

from bedside.recording.annotations import write_beats
from bedside.recording.export.piece import Piece


def write(piece: Piece, folder: Path) -> list[Path]:
    """The three files of a piece. Raises OSError and RecordError."""
    base = folder / piece.name
    units = piece.units()
    start = piece.start
    gain = 1e6 / piece.nv_per_lsb
    lines = [
        f"{piece.name} 1 {piece.rate_hz:.10g} {len(units)} {start:%H:%M:%S.%f %d/%m/%Y}",
        f"{piece.name}.dat 16 {gain:.10g}(0)/mV 16 0 0 0 0 ECG",
        f"# bed: {piece.bed}",
        f"# start: {start:%Y-%m-%dT%H:%M:%S.%fZ}",
    ]
    if piece.stretch.span.synthetic:
        lines.append("# synthetic: parts of this signal were simulated")
    lines += [f"# {seconds:.2f} s: {words}" for seconds, words in piece.marks()]
    header, samples = base.with_name(f"{piece.name}.hea"), base.with_name(f"{piece.name}.dat")
    samples.write_bytes(units.astype("<i2").tobytes())
    header.write_text("\n".join(lines) + "\n", encoding="utf-8")
    beats = base.with_name(f"{piece.name}.bed")
    first = piece.stretch.first_sample
    write_beats(beats, [(beat.sample - first, beat.beat_class) for beat in piece.stretch.beats])
    return [header, samples, beats]

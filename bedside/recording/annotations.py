"""Beat annotations in the MIT format, which `wfdb` and PhysioNet's tools read.

Format: PhysioNet's WFDB Applications Guide, "annot(5)": 16-bit little-endian words, the annotation
code in the upper six bits and the time since the one before in the lower ten.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from bedside.errors import RecordError
from bedside.events import BeatClass

_CODES = {
    BeatClass.NORMAL: 1,
    BeatClass.VENTRICULAR: 5,
    BeatClass.SUPRAVENTRICULAR: 9,
    BeatClass.UNKNOWN: 13,
}
_SKIP = 59
_LONGEST_STEP = 1023


def write_beats(path: Path, beats: Iterable[tuple[int, BeatClass]]) -> None:
    """Write R peaks (sample index, class) in order of sample. Raises RecordError.

    Symbols in the file are `N`, `S`, `V` and `Q`.
    """
    words = bytearray()
    before = 0
    for sample, beat_class in beats:
        step = sample - before
        if not 0 <= step <= _LONGEST_STEP:
            words += struct.pack("<HHH", _SKIP << 10, (step >> 16) & 0xFFFF, step & 0xFFFF)
            step = 0
        words += struct.pack("<H", _CODES[beat_class] << 10 | step)
        before = sample
    words += struct.pack("<H", 0)
    try:
        path.write_bytes(words)
    except OSError as error:
        raise RecordError(
            f"The annotations cannot be written to {path} ({error.strerror}): choose another "
            "folder with --out."
        ) from error

"""Cut a source's pieces into batches: full ones, closed early where the flags change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bedside.events import Flags, Int16Array
from bedside.simulator.source import Piece


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The samples of one batch, shape (n,), and their place since the source began."""

    first_sample: int
    samples: Int16Array
    flags: Flags

    @property
    def end_sample(self) -> int:
        """The index just after the last sample."""
        return self.first_sample + len(self.samples)


def cut(pieces: Iterable[Piece], length: int) -> Iterator[Cut]:
    """Batches of `length` samples; a shorter one ends where the flags change or samples lack."""
    first = 0
    held = np.zeros(0, dtype=np.int16)
    flags = Flags(0)
    for piece in pieces:
        if len(held) and (piece.flags != flags or piece.skipped):
            yield Cut(first, held, flags)
            first, held = first + len(held), held[:0]
        first += piece.skipped
        flags = piece.flags
        held = np.concatenate([held, piece.samples])
        while len(held) >= length:
            yield Cut(first, held[:length], flags)
            first, held = first + length, held[length:]
    if len(held):
        yield Cut(first, held, flags)

"""A heart whose every sample and every arrest is known, at a node whose resets are known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bedside.events import Int16Array
from bedside.simulator.heart import RhythmKind
from bedside.simulator.patient import Rhythm, SyntheticPatient
from bedside.simulator.source import Episode, PatientSource, Piece
from bedside.simulator.virtual_node import VirtualNode

RATE_HZ = 250
SINUS_S = 14.0
ARREST_S = 10.0
STORE_BATCHES = 100_000
"""More than a slow machine keeps a station away for: what no store holds is no station's loss."""


class KnownSource:
    """Sinus rhythm and arrests in turn, until it is told to end with the next sinus rhythm."""

    rate_mhz = RATE_HZ * 1000

    def __init__(self, seed: int = 0) -> None:
        self._source = PatientSource(SyntheticPatient(RATE_HZ, seed=seed), tuple(self._episodes()))
        self.nv_per_lsb = self._source.nv_per_lsb
        self._patient = self._source.patient
        self._ending = threading.Event()
        self._pieces: list[Int16Array] = []

    @staticmethod
    def _episodes() -> Iterator[Episode]:
        yield Episode(Rhythm(), SINUS_S)
        yield Episode(Rhythm(RhythmKind.ASYSTOLE), ARREST_S)

    def end(self) -> None:
        self._ending.set()

    def pieces(self) -> Iterator[Piece]:
        while not self._ending.is_set():
            for piece in self._source.pieces():
                self._pieces.append(piece.samples)
                yield piece
        # What follows the last arrest: it is over.
        for piece in PatientSource(self._patient, (Episode(Rhythm(), SINUS_S),)).pieces():
            self._pieces.append(piece.samples)
            yield piece

    def samples(self) -> Int16Array:
        return np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)

    def arrests(self) -> list[tuple[int, int]]:
        """First sample of each arrest that there was, and the one after its last."""
        period = round((SINUS_S + ARREST_S) * RATE_HZ)
        sinus = round(SINUS_S * RATE_HZ)
        end = len(self.samples())
        return [(at + sinus, at + period) for at in range(0, end - period + 1, period)]


@dataclass(frozen=True)
class Boot:
    """A boot of the node: its first sample in the signal's count."""

    boot_id: int
    first_sample: int


class KnownNode(VirtualNode):
    """Remembers its boots, and what each reset took from its store."""

    def __init__(self, source: KnownSource, name: str, port: int, speed: float) -> None:
        self.boots: list[Boot] = []
        self.held_at_reset: list[tuple[int, int]] = []
        self.signal = source
        self.began_wall_s = 0.0
        super().__init__(source, name, "127.0.0.1", port, speed=speed, store_batches=STORE_BATCHES)
        self.boots.append(Boot(self._uplink.boot_id, 0))

    def start(self) -> None:
        self.began_wall_s = time.time()
        super().start()

    def _reboot(self) -> None:
        for held in self._uplink._store.values():
            first = held.batch.first_sample + self._boot_first_sample
            self.held_at_reset.append((first, first + len(held.batch.samples)))
        super()._reboot()
        self.boots.append(Boot(self._uplink.boot_id, self._boot_first_sample))

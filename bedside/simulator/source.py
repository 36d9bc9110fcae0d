"""Where a node's samples come from: a record, a synthetic patient, or the demo's script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from bedside.errors import RecordError, SettingsError
from bedside.events import Flags, Float64Array, Int16Array
from bedside.node.wire import MAX_RATE_MHZ, MIN_RATE_MHZ
from bedside.recording.record_reader import Record, read_record
from bedside.simulator.disturbance import Disturbance, SignalFault
from bedside.simulator.heart import RhythmKind
from bedside.simulator.patient import Rhythm, SyntheticPatient

BUNDLED_RECORD = Path(__file__).parent / "records" / "208"

NO_FLAGS = Flags(0)
NV_PER_LSB = 1000
PIECE_S = 0.2
SETTLING_S = 2.0
SPLICE_S = 1.0

_RAIL_MV = 1.5
_SETTLING_TIME_CONSTANT_S = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Consecutive samples with one set of flags, after `skipped` samples that nobody has.

    `samples` has shape (n,), n may be 0.
    """

    samples: Int16Array
    flags: Flags = NO_FLAGS
    skipped: int = 0


class Source(Protocol):
    """What a node samples: its rate, its scale and its signal, piece by piece."""

    @property
    def rate_mhz(self) -> int:
        """Samples in 1000 s."""

    @property
    def nv_per_lsb(self) -> int:
        """Nanovolts of one unit of a sample."""

    def pieces(self) -> Iterator[Piece]:
        """The signal from its beginning."""


class RecordSource:
    """A WFDB record as a node would sample it; where its samples are invalid, nothing is sent.

    Plays `seconds` (all that there is where None) from `start_s` on, again and again with `loop`,
    a second missing between the turns.
    """

    def __init__(
        self,
        path: Path,
        channel: int = 0,
        *,
        start_s: float = 0.0,
        seconds: float | None = None,
        loop: bool = False,
    ) -> None:
        """Raises RecordError for a record that cannot be read or played."""
        record = read_record(path, channel)
        self.rate_mhz = _rate_mhz(record)
        self.nv_per_lsb = _scale(record)
        self._loop = loop
        first = round(start_s * record.rate_hz)
        end = len(record.samples_mv)
        if seconds is not None:
            end = min(end, first + round(seconds * record.rate_hz))
        if not 0 <= first < end:
            raise RecordError(
                f"{path} lasts {record.duration_s:.0f} s: choose a part that begins within it."
            )
        self._samples_mv = record.samples_mv[first:end]

    def pieces(self) -> Iterator[Piece]:
        """The part of the record that was chosen."""
        splice = round(SPLICE_S * self.rate_mhz / 1000)
        while True:
            yield from _pieces(self._samples_mv, self.rate_mhz, self.nv_per_lsb)
            if not self._loop:
                return
            yield Piece(np.zeros(0, np.int16), skipped=splice)


@dataclass(frozen=True, slots=True)
class Episode:
    """A rhythm and for how long; None is for ever.

    `amplitude` multiplies the patient's, `noise_mv` replaces it, `fault` disturbs the signal.
    """

    rhythm: Rhythm
    seconds: float | None = None
    amplitude: float = 1.0
    noise_mv: float | None = None
    fault: SignalFault = SignalFault.NONE


def parse_episodes(text: str) -> tuple[Episode, ...]:
    """`sinus:75/60,vt:180/12,lead-off/8,sinus`: rhythms with their seconds, the last one for ever.

    Raises SettingsError.
    """
    episodes = []
    for part in text.split(","):
        rhythm, slash, seconds = part.partition("/")
        try:
            length = float(seconds) if slash else None
        except ValueError:
            length = 0.0
        if length is not None and not 0 < length < 1e7:
            raise SettingsError(
                f"{seconds!r} is no length for {rhythm.strip()!r}: give seconds, such as vt/12."
            )
        episodes.append(Episode(Rhythm.parse(rhythm), length))
    return tuple(episodes)


@dataclass(slots=True)
class PatientSource:
    """A synthetic patient through a list of episodes, flagged as synthetic."""

    patient: SyntheticPatient
    episodes: Sequence[Episode] = field(default_factory=lambda: (Episode(Rhythm()),))
    nv_per_lsb: int = NV_PER_LSB
    clock_ppm: float = 0.0

    @property
    def rate_mhz(self) -> int:
        """Samples in 1000 s, as the node's clock, `clock_ppm` too fast, measures them."""
        return round(self.patient.rate_hz * 1000 * (1 - self.clock_ppm * 1e-6))

    def pieces(self) -> Iterator[Piece]:
        """Episode after episode; the electrodes settle for 2 s after a lead-off."""
        was_off = False
        usual_mv, usual_noise_mv = self.patient.amplitude_mv, self.patient.noise_mv
        for episode in self.episodes:
            self.patient.change(episode.rhythm)
            self.patient.amplitude_mv = usual_mv * episode.amplitude
            self.patient.noise_mv = usual_noise_mv if episode.noise_mv is None else episode.noise_mv
            is_off = episode.rhythm.kind is RhythmKind.LEAD_OFF
            yield from self._play(episode, is_off, was_off and not is_off)
            was_off = is_off
        self.patient.amplitude_mv, self.patient.noise_mv = usual_mv, usual_noise_mv

    def _play(self, episode: Episode, is_off: bool, settles: bool) -> Iterator[Piece]:
        rate_hz, seconds = self.patient.rate_hz, episode.seconds
        disturbance = Disturbance(episode.fault, rate_hz)
        left = None if seconds is None else round(seconds * rate_hz)
        settling = round(SETTLING_S * rate_hz) if settles else 0
        position = 0
        while left is None or position < left:
            count = round(PIECE_S * rate_hz)
            for border in (left, settling):
                if border is not None and position < border:
                    count = min(count, border - position)
            flags, samples_mv = Flags.SYNTHETIC, self.patient.take(count)
            if is_off:
                flags |= Flags.LEAD_OFF_PLUS
                samples_mv = np.full(count, _RAIL_MV)
            elif position < settling:
                flags |= Flags.SETTLING
                since_s = (position + np.arange(count)) / rate_hz
                samples_mv += _RAIL_MV * np.exp(-since_s / _SETTLING_TIME_CONSTANT_S)
            samples_mv = disturbance.add(samples_mv)
            if episode.fault is SignalFault.SATURATION:
                flags |= Flags.SATURATED
            yield Piece(_quantised(samples_mv, self.nv_per_lsb), flags)
            position += count


class DemoSource:
    """The demo's script, for ever: 40 s of a record, a synthetic VT of 12 s, 8 s of lead-off.

    The electrodes settle for 2 s, then the record goes on where it was, all the way round to where
    it began. What is not the record's is flagged as synthetic.
    """

    RECORD_S = 40.0
    VT_S = 12.0
    LEAD_OFF_S = 8.0

    def __init__(
        self,
        path: Path = BUNDLED_RECORD,
        channel: int = 0,
        *,
        start_s: float = 160.0,
        seed: int = 0,
    ) -> None:
        """Raises RecordError; a record shorter than `start_s` begins at its beginning."""
        record = read_record(path, channel)
        self.rate_mhz = _rate_mhz(record)
        self.nv_per_lsb = _scale(record)
        self._samples_mv = record.samples_mv
        self._rate_hz = record.rate_hz
        self._first = round(start_s * record.rate_hz)
        if self._first >= len(self._samples_mv):
            self._first = 0
        self._seed = seed

    def pieces(self) -> Iterator[Piece]:
        """The script from its beginning."""
        patient = SyntheticPatient(self._rate_hz, seed=self._seed, amplitude_mv=1.2)
        script = PatientSource(
            patient,
            (
                Episode(Rhythm(RhythmKind.VT, 180.0), self.VT_S),
                Episode(Rhythm(RhythmKind.LEAD_OFF), self.LEAD_OFF_S),
                Episode(Rhythm(), SETTLING_S),
            ),
            self.nv_per_lsb,
        )
        total = len(self._samples_mv)
        opening = round(self.RECORD_S * self._rate_hz)
        while True:
            yield from self._ring(self._first, opening)
            yield from script.pieces()
            yield from self._ring(self._first + opening, -opening % total)

    def _ring(self, first: int, count: int) -> Iterator[Piece]:
        """`count` samples from `first` on, a second missing where the record begins again."""
        while count:
            first %= len(self._samples_mv)
            stretch_mv = self._samples_mv[first : first + count]
            yield from self._stretch(stretch_mv)
            first, count = first + len(stretch_mv), count - len(stretch_mv)
            if first == len(self._samples_mv):
                yield Piece(np.zeros(0, np.int16), skipped=round(SPLICE_S * self._rate_hz))

    def _stretch(self, signal_mv: Float64Array) -> Iterator[Piece]:
        return _pieces(signal_mv, self.rate_mhz, self.nv_per_lsb)


def _rate_mhz(record: Record) -> int:
    rate_mhz = round(record.rate_hz * 1000)
    if not MIN_RATE_MHZ <= rate_mhz <= MAX_RATE_MHZ:
        raise RecordError(
            f"record {record.name} was sampled at {record.rate_hz:g} Hz: choose one between "
            f"{MIN_RATE_MHZ // 1000} and {MAX_RATE_MHZ // 1000} Hz."
        )
    return rate_mhz


def _scale(record: Record) -> int:
    """The record's own unit in nV where that is a whole number, else 1 µV; wider to fit int16."""
    own_nv = 1e6 / abs(record.gain_per_mv)
    exact = own_nv >= 1 and abs(own_nv - round(own_nv)) < 1e-6 * own_nv
    nv_per_lsb = round(own_nv) if exact else NV_PER_LSB
    peak_mv = float(np.nanmax(np.abs(record.samples_mv), initial=0.0))
    while peak_mv * 1e6 > 32767 * nv_per_lsb:
        nv_per_lsb *= 2
    return nv_per_lsb


def _quantised(samples_mv: Float64Array, nv_per_lsb: int) -> Int16Array:
    return np.clip(np.round(samples_mv * (1e6 / nv_per_lsb)), -32768, 32767).astype(np.int16)


def _pieces(signal_mv: Float64Array, rate_mhz: int, nv_per_lsb: int) -> Iterator[Piece]:
    """A signal in pieces of 0.2 s; stretches of NaN become skipped samples."""
    length = round(PIECE_S * rate_mhz / 1000)
    changes = np.flatnonzero(np.diff(np.isnan(signal_mv))) + 1
    skipped = 0
    for run in np.split(signal_mv, changes):
        if len(run) and np.isnan(run[0]):
            skipped = len(run)
            continue
        for start in range(0, len(run), length):
            yield Piece(_quantised(run[start : start + length], nv_per_lsb), skipped=skipped)
            skipped = 0
    if skipped:
        yield Piece(np.zeros(0, np.int16), skipped=skipped)

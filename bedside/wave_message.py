"""The trace as a station sends it to screens elsewhere: bytes on `bed/{bed}/wave`, little-endian.

    0  2 bytes  magic `BW`
    2  u8       version, 1
    3  u8       header length, 28; a reader skips by it
    4  u16      flags, as in a node's batch
    6  u16      samples, 0 to 625, at 125 Hz
    8  u32      run: another number is another station, or one that has started anew
   12  u64      position of the first sample, in the bed's count of 250 Hz samples; even
   20  u32      nV per LSB
   24  u8       marks
   25  u8       scored beats
   26  2 bytes  zero
   28  i16 ×    samples; −32768: nothing was received, or an electrode is off
       u64 ×    marks: positions of R peaks
       beat ×   i64 Unix time in µs, f32 error, f32 threshold, u8 abnormal, 1 byte class,
                2 bytes zero, i16 × 192 window, i16 × 192 reconstruction (250 Hz)
  end  u32      CRC-32 (zlib's) of all before it

A piece is half of the monitor's samples: its band ends at 40 Hz. Nothing is interpolated over what
was not received.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from bedside.events import WINDOW_SAMPLES, Flags, Float32Array, Int16Array
from bedside.feed import LastBeat

VERSION = 1
HEADER_BYTES = 28
NV_PER_LSB = 1000
MAX_SAMPLES = 625
MISSING = -32768

_MAGIC = b"BW"
_HEADER = struct.Struct("<2sBBHHIQIBB2x")
_BEAT = struct.Struct("<qffBc2x")
_MARK = struct.Struct("<Q")
_CRC = struct.Struct("<I")


class WaveMessageError(ValueError):
    """A payload that is no piece of a trace."""


@dataclass(frozen=True, slots=True, eq=False)
class WavePiece:
    """A piece of a bed's trace: every second sample from an even `position` on, in mV.

    `samples_mv` has shape (n,), NaN where nothing was received or an electrode is off. `beats` are
    those scored since the piece before.
    """

    run: int
    position: int
    flags: Flags
    samples_mv: Float32Array
    marks: tuple[int, ...] = ()
    beats: tuple[LastBeat, ...] = ()

    def whole(self) -> Float32Array:
        """The samples at 250 Hz, shape (2 n,): between two that are there lies their mean."""
        samples = np.empty(2 * len(self.samples_mv), dtype=np.float32)
        samples[0::2] = self.samples_mv
        samples[1:-1:2] = (self.samples_mv[:-1] + self.samples_mv[1:]) / 2
        samples[-1:] = self.samples_mv[-1:]
        return samples


def halved(position: int, samples_mv: Float32Array) -> tuple[int, Float32Array]:
    """Every second sample, of even position, and the position of the first one."""
    odd = position % 2
    return position + odd, samples_mv[odd::2]


def encode(piece: WavePiece) -> bytes:
    """The payload for a piece."""
    header = _HEADER.pack(
        _MAGIC,
        VERSION,
        HEADER_BYTES,
        int(piece.flags),
        len(piece.samples_mv),
        piece.run,
        piece.position,
        NV_PER_LSB,
        len(piece.marks),
        len(piece.beats),
    )
    parts = [header, _counts(piece.samples_mv).tobytes()]
    parts += [_MARK.pack(mark) for mark in piece.marks]
    for beat in piece.beats:
        letter = (beat.beat_class or " ").encode("ascii", "replace")[:1]
        parts.append(
            _BEAT.pack(beat.wall_us, beat.error, beat.threshold, int(beat.abnormal), letter)
        )
        parts += [_counts(beat.window_mv).tobytes(), _counts(beat.reconstruction_mv).tobytes()]
    body = b"".join(parts)
    return body + _CRC.pack(zlib.crc32(body))


def decode(payload: bytes) -> WavePiece:
    """The piece of a payload. Raises WaveMessageError for a damaged one, or another version's."""
    if len(payload) < HEADER_BYTES + _CRC.size or payload[:2] != _MAGIC:
        raise WaveMessageError("no piece of a trace")
    if payload[2] != VERSION:
        raise WaveMessageError(f"version {payload[2]} of the trace, not {VERSION}")
    if zlib.crc32(payload[: -_CRC.size]) != _CRC.unpack(payload[-_CRC.size :])[0]:
        raise WaveMessageError("damaged on its way")
    _, _, header_bytes, flags, count, run, position, nv, marks, beats = _HEADER.unpack_from(payload)
    per_beat = _BEAT.size + 4 * WINDOW_SAMPLES
    needed = header_bytes + 2 * count + _MARK.size * marks + per_beat * beats + _CRC.size
    if header_bytes < HEADER_BYTES or len(payload) != needed or count > MAX_SAMPLES or not nv:
        raise WaveMessageError("lengths that do not fit")
    at = header_bytes
    samples = _millivolts(payload, at, count, nv)
    at += 2 * count
    found = tuple(_MARK.unpack_from(payload, at + 8 * each)[0] for each in range(marks))
    at += _MARK.size * marks
    scored = []
    for _ in range(beats):
        wall_us, error, threshold, abnormal, letter = _BEAT.unpack_from(payload, at)
        at += _BEAT.size
        window = _millivolts(payload, at, WINDOW_SAMPLES, nv)
        rebuilt = _millivolts(payload, at + 2 * WINDOW_SAMPLES, WINDOW_SAMPLES, nv)
        at += 4 * WINDOW_SAMPLES
        word = letter.decode("ascii", "replace").strip()
        scored.append(LastBeat(wall_us, error, threshold, bool(abnormal), window, rebuilt, word))
    return WavePiece(run, position, Flags(flags), samples, found, tuple(scored))


def _counts(values_mv: Float32Array) -> Int16Array:
    scaled = np.rint(values_mv.astype(np.float64) * (1e6 / NV_PER_LSB))
    missing = np.isnan(scaled)
    counts = np.where(missing, MISSING, np.clip(scaled, MISSING + 1, -MISSING - 1))
    return counts.astype("<i2")


def _millivolts(payload: bytes, at: int, count: int, nv_per_lsb: int) -> Float32Array:
    counts = np.frombuffer(payload, dtype="<i2", count=count, offset=at)
    values = counts.astype(np.float32) * np.float32(nv_per_lsb * 1e-6)
    values[counts == MISSING] = np.nan
    return values

"""The firmware's core as a shared library, spoken to through its C interface."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bedside.events import Batch
from bedside.node.wire import MAX_SAMPLES, Ack

MAX_BATCH_BYTES = 52 + 2 * MAX_SAMPLES + 4


class _Batch(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint16),
        ("count", ctypes.c_uint16),
        ("boot_id", ctypes.c_uint32),
        ("sequence", ctypes.c_uint32),
        ("first_sample", ctypes.c_uint64),
        ("wall_us", ctypes.c_int64),
        ("rate_mhz", ctypes.c_uint32),
        ("nv_per_lsb", ctypes.c_uint32),
        ("dropped", ctypes.c_uint32),
        ("lowest_held", ctypes.c_uint32),
    )


class _Ack(ctypes.Structure):
    _fields_ = (
        ("boot_id", ctypes.c_uint32),
        ("cumulative", ctypes.c_uint32),
        ("missing_count", ctypes.c_uint8),
        ("missing", (ctypes.c_uint32 * 2) * 16),
    )

    @classmethod
    def of(cls, ack: Ack) -> _Ack:
        ranges = ((ctypes.c_uint32 * 2) * 16)(*((ctypes.c_uint32 * 2)(*r) for r in ack.missing))
        return cls(ack.boot_id, ack.cumulative, len(ack.missing), ranges)


def _buffer(payload: bytes) -> ctypes.Array[ctypes.c_uint8]:
    return (ctypes.c_uint8 * max(len(payload), 1)).from_buffer_copy(payload or b"\0")


class CoreLibrary:
    """Encoders and decoders of the core, with Python's types."""

    def __init__(self, path: Path) -> None:
        self._c = ctypes.CDLL(str(path))
        for name in ("bedside_encode_batch", "bedside_encode_ack", "bedside_uplink_bytes"):
            getattr(self._c, name).restype = ctypes.c_size_t
        for name in ("bedside_uplink_next", "bedside_uplink_backlog"):
            getattr(self._c, name).restype = ctypes.c_size_t
        for name in ("bedside_decode_batch", "bedside_decode_ack"):
            getattr(self._c, name).restype = ctypes.c_char_p
        self._c.bedside_uplink_start.restype = ctypes.c_void_p

    def encode_batch(self, batch: Batch) -> bytes:
        """Empty where the core refuses it."""
        fields = _Batch(
            int(batch.flags),
            len(batch.samples),
            *(batch.boot_id, batch.sequence, batch.first_sample, batch.wall_us),
            *(batch.rate_mhz, batch.nv_per_lsb, batch.dropped, batch.lowest_held),
        )
        out = (ctypes.c_uint8 * MAX_BATCH_BYTES)()
        samples = batch.samples.ctypes.data_as(ctypes.POINTER(ctypes.c_int16))
        size = self._c.bedside_encode_batch(
            ctypes.byref(fields), samples, out, ctypes.c_size_t(len(out))
        )
        return bytes(out[:size])

    def decode_batch(self, payload: bytes) -> tuple[str, dict[str, int], list[int]]:
        """The reason for refusing it or "", the header's fields, and the samples."""
        fields = _Batch()
        samples = (ctypes.c_int16 * MAX_SAMPLES)()
        reason = self._c.bedside_decode_batch(
            _buffer(payload), ctypes.c_size_t(len(payload)), ctypes.byref(fields), samples
        )
        header = {name: getattr(fields, name) for name, _ in _Batch._fields_}
        return reason.decode(), header, list(samples[: fields.count])

    def encode_ack(self, ack: Ack) -> bytes:
        out = (ctypes.c_uint8 * 144)()
        fields = _Ack.of(ack)
        size = self._c.bedside_encode_ack(ctypes.byref(fields), out, ctypes.c_size_t(len(out)))
        return bytes(out[:size])

    def decode_ack(self, payload: bytes) -> tuple[str, Ack]:
        fields = _Ack()
        reason = self._c.bedside_decode_ack(
            _buffer(payload), ctypes.c_size_t(len(payload)), ctypes.byref(fields)
        )
        ranges = tuple((r[0], r[1]) for r in list(fields.missing)[: fields.missing_count])
        return reason.decode(), Ack(fields.boot_id, fields.cumulative, ranges)

    def uplink(self, boot_id: int, batches: int, in_flight: int) -> CoreUplink:
        return CoreUplink(self._c, boot_id, batches, in_flight)


class CoreUplink:
    """The core's uplink, with times in milliseconds."""

    def __init__(self, library: ctypes.CDLL, boot_id: int, batches: int, in_flight: int) -> None:
        self._c = library
        size = library.bedside_uplink_bytes(ctypes.c_size_t(batches), ctypes.c_size_t(in_flight))
        self._memory = (ctypes.c_uint64 * (size // 8 + 1))()
        self._at = ctypes.c_void_p(
            library.bedside_uplink_start(
                self._memory,
                ctypes.c_size_t(batches),
                ctypes.c_size_t(in_flight),
                ctypes.c_uint32(boot_id),
                ctypes.c_uint32(0),
                ctypes.c_uint16(20),
            )
        )

    def keep(self, first_sample: int, samples: np.ndarray, wall_us: int, sampled_ms: int) -> None:
        done = self._c.bedside_uplink_keep(
            self._at,
            ctypes.c_uint64(first_sample),
            ctypes.c_uint16(0),
            ctypes.c_uint16(len(samples)),
            samples.ctypes.data_as(ctypes.POINTER(ctypes.c_int16)),
            ctypes.c_int64(wall_us),
            ctypes.c_uint32(250_000),
            ctypes.c_uint32(5000),
            ctypes.c_uint32(sampled_ms),
        )
        assert done == 1

    def round(self, now_ms: int, tokens: Sequence[int]) -> list[bytes]:
        """Everything that is due, each sent under the next of these tokens."""
        self._c.bedside_uplink_begin_round(self._at, ctypes.c_uint32(now_ms))
        payloads = []
        out = (ctypes.c_uint8 * MAX_BATCH_BYTES)()
        while size := self._c.bedside_uplink_next(self._at, out, ctypes.c_size_t(len(out))):
            token = ctypes.c_int32(tokens[len(payloads)])
            self._c.bedside_uplink_answer(self._at, token)
            payloads.append(bytes(out[:size]))
        return payloads

    def published(self, token: int) -> None:
        self._c.bedside_uplink_published(self._at, ctypes.c_int32(token))

    def disconnected(self) -> None:
        self._c.bedside_uplink_disconnected(self._at)

    def acknowledged(self, ack: Ack) -> None:
        self._c.bedside_uplink_acknowledged(self._at, ctypes.byref(_Ack.of(ack)))

    @property
    def backlog(self) -> int:
        return int(self._c.bedside_uplink_backlog(self._at))

    @property
    def dropped(self) -> int:
        return int(self._c.bedside_uplink_dropped(self._at))

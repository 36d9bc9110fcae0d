"""Read one signal of a WFDB record: header and samples, formats 16 and 212, one segment.

Enough for every PhysioNet database that a bedside monitor is tried on, without the `wfdb` package.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bedside.errors import RecordError
from bedside.events import Float64Array

DEFAULT_RATE_HZ = 250.0
DEFAULT_GAIN_PER_MV = 200.0
INVALID = {16: -32768, 212: -2048}
MV_PER_UNIT = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}

_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?")
_GAIN = re.compile(r"([-+0-9.eE]+)(?:\((-?\d+)\))?(?:/(\S+))?")


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One signal of a record.

    `samples_mv` has shape (n,), NaN where the record says that no sample is valid. `gain_per_mv`
    is the record's units per mV. `base_time` is None where the header has none.
    """

    name: str
    rate_hz: float
    lead: str
    channel: int
    samples_mv: Float64Array
    gain_per_mv: float
    comments: tuple[str, ...]
    base_time: datetime | None = None

    @property
    def duration_s(self) -> float:
        """How long the record is."""
        return len(self.samples_mv) / self.rate_hz


@dataclass(frozen=True, slots=True)
class _Signal:
    """One signal's line of a header."""

    file: str
    storage_format: int
    skip_bytes: int
    gain: float
    baseline: int
    unit: str
    lead: str


@dataclass(frozen=True, slots=True)
class _Header:
    rate_hz: float
    sample_count: int | None
    base_time: datetime | None
    signals: tuple[_Signal, ...]
    comments: tuple[str, ...]


def read_record(path: Path, channel: int = 0) -> Record:
    """Read signal `channel` (from 0) of the record at `path`, with or without `.hea` or `.dat`.

    Raises RecordError, in one sentence, when it is missing, damaged, of several segments, in
    another storage format, or not measured in volts.
    """
    base = path.with_suffix("") if path.suffix in (".hea", ".dat") else path
    header_path = base.with_name(base.name + ".hea")
    text = _read_header_text(header_path)
    try:
        header = _parse(text)
    except (ValueError, IndexError) as error:
        raise RecordError(
            f"{header_path} is not a WFDB header ({error}): give the path of a record's .hea file."
        ) from error
    if not 0 <= channel < len(header.signals):
        raise RecordError(
            f"{base} has {len(header.signals)} signals: choose a channel from 0 to "
            f"{len(header.signals) - 1}, not {channel}."
        )
    signal = header.signals[channel]
    mv_per_unit = MV_PER_UNIT.get(signal.unit.lower())
    if mv_per_unit is None:
        raise RecordError(
            f"channel {channel} of {base} ({signal.lead or 'unnamed'}) is measured in "
            f"{signal.unit}, not in volts: choose a channel with an ECG."
        )
    units = _read_units(base, header, channel)
    samples_mv = (units.astype(np.float64) - signal.baseline) * (mv_per_unit / signal.gain)
    samples_mv[units == INVALID[signal.storage_format]] = np.nan
    return Record(
        name=base.name,
        rate_hz=header.rate_hz,
        lead=signal.lead,
        channel=channel,
        samples_mv=samples_mv,
        gain_per_mv=signal.gain / mv_per_unit,
        comments=header.comments,
        base_time=header.base_time,
    )


def _read_header_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise RecordError(
            f"there is no record at {path.with_suffix('')}: give the path of a WFDB record, "
            f"without extension, next to which {path.name} lies."
        ) from error
    except OSError as error:
        raise RecordError(
            f"{path} cannot be read ({error.strerror}): check the path and its permissions."
        ) from error


def _parse(text: str) -> _Header:
    """Raises ValueError or IndexError where the text is no header."""
    lines = [line.strip() for line in text.splitlines()]
    comments = tuple(line[1:].strip() for line in lines if line.startswith("#"))
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise ValueError("it is empty")
    fields = lines[0].split()
    if "/" in fields[0]:
        raise RecordError(
            f"record {fields[0].split('/')[0]} has several segments: give the path of one of them."
        )
    signal_count = int(fields[1])
    if signal_count < 1 or len(lines) <= signal_count:
        raise ValueError(f"it promises {signal_count} signals and describes {len(lines) - 1}")
    rate_hz = float(fields[2].split("/")[0]) if len(fields) > 2 else DEFAULT_RATE_HZ
    if not 0 < rate_hz < 1e6:
        raise ValueError(f"a rate of {rate_hz:g} Hz")
    sample_count = int(fields[3]) if len(fields) > 3 else 0
    if sample_count < 0:
        raise ValueError(f"{sample_count} samples")
    return _Header(
        rate_hz=rate_hz,
        sample_count=sample_count or None,
        base_time=_base_time(fields[4:6]),
        signals=tuple(_parse_signal(line) for line in lines[1 : signal_count + 1]),
        comments=comments,
    )


def _parse_signal(line: str) -> _Signal:
    fields = line.split(maxsplit=8)
    storage = _FORMAT.fullmatch(fields[1])
    if storage is None:
        raise ValueError(f"storage format {fields[1]!r}")
    number, per_frame, skew, skip_bytes = (int(group or 0) for group in storage.groups())
    if number not in INVALID or per_frame > 1 or skew:
        raise RecordError(
            f"{fields[0]} is stored in WFDB format {fields[1]}, and only 16 and 212 with one "
            "sample per frame and no skew can be read: convert it with wfdb's xform."
        )
    if Path(fields[0]).name != fields[0] or "\0" in fields[0]:
        raise ValueError(f"a signal file outside its folder, {fields[0]!r}")
    gain = _GAIN.fullmatch(fields[2] if len(fields) > 2 else "0")
    if gain is None:
        raise ValueError(f"gain {fields[2]!r}")
    zero = int(fields[4]) if len(fields) > 4 else 0
    units_per_unit = float(gain[1])
    if not np.isfinite(units_per_unit):
        raise ValueError(f"gain {fields[2]!r}")
    return _Signal(
        file=fields[0],
        storage_format=number,
        skip_bytes=skip_bytes,
        gain=units_per_unit or DEFAULT_GAIN_PER_MV,
        baseline=int(gain[2]) if gain[2] else zero,
        unit=gain[3] or "mV",
        lead=fields[8] if len(fields) > 8 else "",
    )


def _base_time(fields: list[str]) -> datetime | None:
    """The header's time of day and date, where it has both."""
    for pattern in ("%H:%M:%S.%f %d/%m/%Y", "%H:%M:%S %d/%m/%Y"):
        try:
            return datetime.strptime(" ".join(fields), pattern)
        except ValueError:
            continue
    return None


def _read_units(base: Path, header: _Header, channel: int) -> NDArray[np.int16]:
    """The signal's samples as stored, shape (n,). Signals of one file are interleaved."""
    signal = header.signals[channel]
    together = [n for n, each in enumerate(header.signals) if each.file == signal.file]
    path = base.with_name(signal.file)
    try:
        raw = np.frombuffer(path.read_bytes(), dtype=np.uint8)[signal.skip_bytes :]
    except OSError as error:
        raise RecordError(
            f"{path}, the signal file of record {base}, cannot be read ({error.strerror}): "
            "put it beside the header."
        ) from error
    units = _unpack_212(raw) if signal.storage_format == 212 else _unpack_16(raw)
    frames = len(units) // len(together)
    if header.sample_count is not None:
        if frames < header.sample_count:
            raise RecordError(
                f"{path} ends after {frames} of {header.sample_count} samples: "
                "fetch the record again."
            )
        frames = header.sample_count
    return units[: frames * len(together)].reshape(frames, len(together))[
        :, together.index(channel)
    ]


def _unpack_16(raw: NDArray[np.uint8]) -> NDArray[np.int16]:
    return raw[: len(raw) // 2 * 2].view("<i2").astype(np.int16)


def _unpack_212(raw: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Two samples of 12 bits in three bytes, two's complement."""
    pairs = -(-len(raw) // 3)
    padded = np.zeros((pairs, 3), dtype=np.int16)
    padded.reshape(-1)[: len(raw)] = raw
    units = np.empty((pairs, 2), dtype=np.int16)
    units[:, 0] = padded[:, 0] | ((padded[:, 1] & 0x0F) << 8)
    units[:, 1] = padded[:, 2] | ((padded[:, 1] & 0xF0) << 4)
    units[units > 2047] -= 4096
    return units.reshape(-1)[: len(raw) * 2 // 3]

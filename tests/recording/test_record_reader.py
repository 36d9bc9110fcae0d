"""A WFDB record is read as the wfdb package reads it, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from bedside.errors import RecordError
from bedside.recording.record_reader import read_record

BUNDLED = Path(__file__).parents[2] / "bedside" / "simulator" / "records" / "208"


def reference_mv(path: Path, channel: int) -> np.ndarray:
    return wfdb.rdrecord(str(path), channels=[channel]).p_signal[:, 0]


@pytest.mark.parametrize(
    ("record", "channel"),
    [
        ("mitdb/208", 0),
        ("mitdb/114", 1),
        ("vfdb/418", 1),
        ("cudb/cu01", 0),
        ("nstdb/118e_6", 0),
        ("nsrdb/16265", 0),
    ],
)
def test_a_physionet_record_is_read_as_wfdb_reads_it(
    ecg_data: Path, record: str, channel: int
) -> None:
    read = read_record(ecg_data / record, channel)
    reference = wfdb.rdheader(str(ecg_data / record))
    assert (read.rate_hz, read.lead) == (reference.fs, reference.sig_name[channel])
    np.testing.assert_allclose(read.samples_mv, reference_mv(ecg_data / record, channel), atol=1e-9)


def write(folder: Path, header: str, data: bytes = b"") -> Path:
    (folder / "r.hea").write_text(header)
    (folder / "r.dat").write_bytes(data)
    return folder / "r"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("fmt", ["16", "212"])
@pytest.mark.parametrize("signals", [1, 2])
def test_what_wfdb_writes_is_read_back_with_invalid_samples_as_nan(
    tmp_path: Path, fmt: str, count: int, signals: int
) -> None:
    low = {"16": -32768, "212": -2048}[fmt]
    units = np.linspace(low + 1, -low - 1, count * signals).astype(np.int64).reshape(count, signals)
    units[0, 0] = low
    wfdb.wrsamp(
        "r",
        fs=360,
        units=["mV"] * signals,
        sig_name=[f"lead {n}" for n in range(signals)],
        d_signal=units,
        fmt=[fmt] * signals,
        adc_gain=[200.0] * signals,
        baseline=[12] * signals,
        write_dir=str(tmp_path),
    )
    for channel in range(signals):
        record = read_record(tmp_path / "r", channel)
        expected = (units[:, channel] - 12) / 200
        expected[units[:, channel] == low] = np.nan
        np.testing.assert_allclose(record.samples_mv, expected)
        assert record.lead == f"lead {channel}"


def test_a_record_that_still_grows_has_the_length_of_its_file(tmp_path: Path) -> None:
    path = write(tmp_path, "r 1 250\nr.dat 16 200/mV\n", np.array([200, 400], "<i2").tobytes())
    assert read_record(path).samples_mv.tolist() == [1.0, 2.0]


def test_a_header_or_signal_file_names_its_record_too(tmp_path: Path) -> None:
    path = write(tmp_path, "r 1 250 1\nr.dat 16 200\n", b"\xc8\x00")
    for name in ("r", "r.hea", "r.dat"):
        assert read_record(path.with_name(name)).samples_mv.tolist() == [1.0]


@pytest.mark.parametrize(("unit", "expected_mv"), [("mV", 1.0), ("uV", 0.001), ("V", 1000.0)])
def test_volts_of_any_size_become_millivolts(tmp_path: Path, unit: str, expected_mv: float) -> None:
    path = write(tmp_path, f"r 1 250 1\nr.dat 16 200(0)/{unit}\n", b"\xc8\x00")
    record = read_record(path)
    assert record.samples_mv[0] == pytest.approx(expected_mv)
    assert record.gain_per_mv == pytest.approx(200 / expected_mv)


def test_the_base_time_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "r 1 250 1 12:30:00 23/11/2026\nr.dat 16\n# bed 7\n", b"\0\0")
    record = read_record(path)
    assert str(record.base_time) == "2026-11-23 12:30:00"
    assert record.comments == ("bed 7",)


def test_the_bundled_record_is_five_minutes_of_208(ecg_data: Path) -> None:
    record = read_record(BUNDLED)
    assert (record.rate_hz, record.duration_s, record.lead) == (250, 300, "MLII")
    np.testing.assert_allclose(record.samples_mv, reference_mv(BUNDLED, 0), atol=1e-9)
    original = read_record(ecg_data / "mitdb" / "208").samples_mv[422820:][: 300 * 360]
    at_250_hz = np.interp(np.arange(75000) / 250, np.arange(108000) / 360, original)
    assert np.corrcoef(record.samples_mv, at_250_hz)[0, 1] > 0.999


@pytest.mark.parametrize(
    ("header", "data", "says"),
    [
        ("", b"", "not a WFDB header"),
        ("\0\1\2 binary", b"", "not a WFDB header"),
        ("r", b"", "not a WFDB header"),
        ("r one 250", b"", "not a WFDB header"),
        ("r 2 250 1\nr.dat 16 200\n", b"", "not a WFDB header"),
        ("r 1 0 1\nr.dat 16 200\n", b"", "not a WFDB header"),
        ("r 1 250 -5\nr.dat 16 200\n", b"\0\0", "not a WFDB header"),
        ("r 1 nan 1\nr.dat 16 200\n", b"", "not a WFDB header"),
        ("r 1 250 1\nr.dat\n", b"", "not a WFDB header"),
        ("r 1 250 1\nr.dat 16 loud\n", b"", "not a WFDB header"),
        ("r 1 250 1\n../r.dat 16 200\n", b"", "not a WFDB header"),
        ("r/2 1 250 10\na 5\nb 5\n", b"", "several segments"),
        ("r 1 250 1\nr.dat 310 200\n", b"", "format 310"),
        ("r 1 250 1\nr.dat 16x4 200\n", b"", "format 16x4"),
        ("r 1 250 2\nr.dat 16 200\n", b"\0\0", "ends after 1 of 2"),
        ("r 1 250 1\nother.dat 16 200\n", b"", "beside the header"),
        ("r 1 250 1\nr.dat 16 200/mmHg 16 0 0 0 0 ABP\n", b"\0\0", "mmHg"),
    ],
)
def test_an_unusable_record_is_refused_in_one_sentence(
    tmp_path: Path, header: str, data: bytes, says: str
) -> None:
    path = write(tmp_path, header, data)
    with pytest.raises(RecordError, match=says) as caught:
        read_record(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_missing_record_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"there is no record at .*: give the path"):
        read_record(tmp_path / "nothing")


def test_a_folder_is_not_a_record(tmp_path: Path) -> None:
    (tmp_path / "r.hea").mkdir()
    with pytest.raises(RecordError, match="cannot be read"):
        read_record(tmp_path / "r")


def test_a_channel_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "r 1 250 1\nr.dat 16 200\n", b"\0\0")
    with pytest.raises(RecordError, match="choose a channel from 0 to 0"):
        read_record(path, 1)

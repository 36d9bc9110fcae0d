"""A source gives a node the signal and the truth about it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st

from bedside.errors import RecordError, SettingsError
from bedside.events import Flags
from bedside.recording.record_reader import read_record
from bedside.simulator.batcher import Cut, cut
from bedside.simulator.heart import RhythmKind
from bedside.simulator.patient import Rhythm, SyntheticPatient
from bedside.simulator.source import (
    BUNDLED_RECORD,
    DemoSource,
    Episode,
    PatientSource,
    Piece,
    RecordSource,
    Source,
    parse_episodes,
)


def placed(source: Source, seconds: float) -> Iterator[tuple[int, Piece]]:
    """The pieces of the first seconds, each with the index of its first sample."""
    position = 0
    for piece in source.pieces():
        position += piece.skipped
        if position >= seconds * source.rate_mhz / 1000:
            return
        yield position, piece
        position += len(piece.samples)


def flags_at(source: Source, second: float) -> Flags:
    at = second * source.rate_mhz / 1000
    return next(p.flags for start, p in placed(source, 200) if start <= at < start + len(p.samples))


def write_record(folder: Path, samples_mv: np.ndarray, rate_hz: float = 250) -> Path:
    wfdb.wrsamp(
        "r",
        fs=rate_hz,
        units=["mV"],
        sig_name=["II"],
        p_signal=samples_mv[:, None],
        fmt=["16"],
        adc_gain=[200.0],
        baseline=[0],
        write_dir=str(folder),
    )
    return folder / "r"


def test_a_record_comes_out_sample_for_sample() -> None:
    source = RecordSource(BUNDLED_RECORD)
    samples = np.concatenate([piece.samples for piece in source.pieces()])
    record = read_record(BUNDLED_RECORD)
    assert (source.rate_mhz, source.nv_per_lsb) == (250_000, 5000)
    np.testing.assert_allclose(samples * 0.005, record.samples_mv, atol=1e-12)


def test_a_part_of_a_record_loops_with_a_second_missing_between() -> None:
    source = RecordSource(BUNDLED_RECORD, start_s=10, seconds=1, loop=True)
    pieces = list(islice(source.pieces(), 12))
    assert [piece.skipped for piece in pieces] == [0] * 5 + [250] + [0] * 5 + [250]
    np.testing.assert_array_equal(pieces[0].samples, pieces[6].samples)
    record = read_record(BUNDLED_RECORD).samples_mv[2500:2550]
    np.testing.assert_allclose(pieces[0].samples * 0.005, record, atol=1e-12)


def test_invalid_samples_are_skipped_and_never_made_up(tmp_path: Path) -> None:
    samples_mv = np.linspace(-1, 1, 500)
    samples_mv[120:230] = np.nan
    samples_mv[490:] = np.nan
    source = RecordSource(write_record(tmp_path, samples_mv))
    seen = np.full(500, np.nan)
    for start, piece in placed(source, 2):
        seen[start : start + len(piece.samples)] = piece.samples * (source.nv_per_lsb * 1e-6)
    np.testing.assert_allclose(seen, samples_mv, atol=0.0051)


def test_a_signal_beyond_int16_gets_a_coarser_unit(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.with_suffix(".hea").write_text("r 1 250 2\nr.dat 16 32000(-30000)/V\n")
    path.with_suffix(".dat").write_bytes(np.array([32000, -30000], "<i2").tobytes())
    source = RecordSource(path)
    samples = next(iter(source.pieces())).samples.astype(float)
    expected_mv = read_record(path).samples_mv
    np.testing.assert_allclose(samples * (source.nv_per_lsb * 1e-6), expected_mv, rtol=1e-4)


def test_a_rate_that_no_node_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="between 100 and 1000 Hz"):
        RecordSource(write_record(tmp_path, np.zeros(100), rate_hz=50))


def test_a_start_beyond_the_end_is_refused() -> None:
    with pytest.raises(RecordError, match="lasts 300 s"):
        RecordSource(BUNDLED_RECORD, start_s=300)


def test_the_demo_plays_a_record_then_a_tachycardia_then_a_lead_off() -> None:
    demo = DemoSource()
    synthetic, off = Flags.SYNTHETIC, Flags.SYNTHETIC | Flags.LEAD_OFF_PLUS
    expected = {0: Flags(0), 39.9: Flags(0), 40.1: synthetic, 51.9: synthetic, 52.1: off}
    expected |= {59.9: off, 60.1: synthetic | Flags.SETTLING, 61.9: synthetic | Flags.SETTLING}
    expected |= {62.1: Flags(0), 150.0: Flags(0)}
    assert {second: flags_at(DemoSource(), second) for second in expected} == expected
    first = next(iter(demo.pieces())).samples
    record = read_record(BUNDLED_RECORD).samples_mv
    np.testing.assert_allclose(first * 0.005, record[40000:40050], atol=1e-12)


def test_the_demo_goes_once_round_the_record_before_it_repeats() -> None:
    pieces = list(placed(DemoSource(), 362))
    assert sum(piece.skipped for _, piece in pieces) == 250
    real = np.concatenate([piece.samples for _, piece in pieces if not piece.flags])
    record = np.round(read_record(BUNDLED_RECORD).samples_mv * 200)
    np.testing.assert_array_equal(real[:75000], np.roll(record, -40000)[: len(real)])


def test_a_short_record_can_be_the_demo_too(tmp_path: Path) -> None:
    path = write_record(tmp_path, np.linspace(-1, 1, 1000))
    demo = DemoSource(path)
    opening = []
    for piece in demo.pieces():
        if piece.flags:
            break
        opening.append(piece)
    assert sum(len(piece.samples) for piece in opening) == 10_000
    assert sum(piece.skipped for piece in opening) == 10 * 250


def test_a_synthetic_patient_says_so_in_every_sample() -> None:
    script = parse_episodes("sinus:75/1,lead-off/1,sinus:75/3")
    source = PatientSource(SyntheticPatient(250.0), script)
    pieces = list(placed(source, 10))
    assert all(piece.flags & Flags.SYNTHETIC for _, piece in pieces)
    off = [start for start, piece in pieces if piece.flags & Flags.LEAD_OFF_PLUS]
    settling = [start for start, piece in pieces if piece.flags & Flags.SETTLING]
    assert (min(off), max(off)) == (250, 450)
    assert (min(settling), max(settling)) == (500, 950)


def test_episodes_are_read_from_one_line() -> None:
    assert parse_episodes("vt:180/12, lead-off/8,sinus") == (
        Episode(Rhythm(RhythmKind.VT, 180.0), 12.0),
        Episode(Rhythm(RhythmKind.LEAD_OFF), 8.0),
        Episode(Rhythm(RhythmKind.SINUS, 75.0), None),
    )


@pytest.mark.parametrize("text", ["sinus/x", "sinus/0", "sinus/-1", "sinus/nan", "sinus/inf", ",,"])
def test_a_script_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_episodes(text)


pieces_of_any_kind = st.lists(
    st.builds(
        Piece,
        samples=st.integers(0, 130).map(lambda n: np.arange(n, dtype=np.int16)),
        flags=st.sampled_from([Flags(0), Flags.SYNTHETIC]),
        skipped=st.sampled_from([0, 0, 0, 7]),
    )
)


@given(pieces_of_any_kind)
def test_batches_hold_every_sample_once_at_its_place_under_its_flags(pieces: list[Piece]) -> None:
    def spread(parts: list[tuple[int, np.ndarray, Flags]]) -> list[tuple[int, int, Flags]]:
        return [
            (first + n, int(value), flags)
            for first, samples, flags in parts
            for n, value in enumerate(samples)
        ]

    position, expected = 0, []
    for piece in pieces:
        position += piece.skipped
        expected.append((position, piece.samples, piece.flags))
        position += len(piece.samples)
    cuts: list[Cut] = list(cut(pieces, 50))
    assert spread([(c.first_sample, c.samples, c.flags) for c in cuts]) == spread(expected)
    assert all(1 <= len(c.samples) <= 50 for c in cuts)

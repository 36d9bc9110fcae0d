"""What is exported, read back by the reference programs of each format."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import edfio
import numpy as np
import pytest
import wfdb
from fhir.resources.R4B.bundle import Bundle
from typer.testing import CliRunner

from bedside.alarms.log import AlarmLog
from bedside.cli.main import app
from bedside.errors import BedsideError
from bedside.event_json import instance_json
from bedside.events import AlarmState, BeatClass, Flags, Instance, Priority
from bedside.recording.archive import Archive
from bedside.recording.beats import BeatNote, RecordedBeat
from bedside.recording.export import formats
from bedside.recording.export.piece import Piece, pieces
from bedside.recording.recorder import Recorder
from bedside.recording.strips import band_passed, pages
from tests.recording.batches import BOOT, WALL_US, a_batch

RATE_MHZ = 249_870
LSB_MV = 0.0125
HOLE = slice(1000, 1050)
EVENT = "s-1"
BEATS = ((250, BeatClass.NORMAL), (600, BeatClass.VENTRICULAR))


def the_signal() -> np.ndarray:
    """What was sent, in steps of 12.5 µV: slow waves, both limits, and no more than int16 holds."""
    units = np.round(100 * np.sin(np.arange(3000) / 40)).astype(np.int16)
    units[[10, 11]] = 32767, -32767
    return units


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """12 s of a bed with one hole of 0.2 s, two beats and an alarm at 8 s."""
    recorder = Recorder(tmp_path / "recordings")
    units = the_signal()
    for sequence, first in enumerate(range(0, 3000, 50)):
        if first == HOLE.start:
            continue
        recorder.write(
            a_batch(
                sequence,
                first,
                units[first : first + 50],
                rate_mhz=RATE_MHZ,
                nv_per_lsb=12_500,
                flags=Flags.CLOCK_SYNCED,
                wall_us=WALL_US + round(first * 1e9 / RATE_MHZ),
            )
        )
    for sample, kind in BEATS:
        beat = RecordedBeat(BOOT, sample, kind, 0.5, kind is BeatClass.VENTRICULAR)
        recorder.note(BeatNote("bed-1", beat))
    recorder.sync(0.0)
    recorder.close()
    log = AlarmLog(tmp_path / "alarms.sqlite")
    alarm = Instance(
        EVENT,
        "vt",
        Priority.HIGH,
        AlarmState.ACTIVE,
        onset_us=0,
        at_us=2_000_000,
        text="5 ventricular beats in a row",
        active_us=2_000_000,
    )
    content = instance_json(alarm) | {"bed": "bed-1", "boot_id": BOOT, "sample": 2000}
    log.append("alarm", content, WALL_US + 999_000_000, alarm.at_us)
    log.close()
    return Archive(tmp_path)


@pytest.fixture
def piece(archive: Archive) -> Piece:
    [(piece, done)] = pieces(archive, "bed-1", 0, 2**60)
    assert done == 1.0
    return piece


def expected_mv() -> np.ndarray:
    signal = the_signal() * LSB_MV
    signal[HOLE] = np.nan
    return signal


def test_wfdb_gives_samples_beats_start_and_alarm(piece: Piece, tmp_path: Path) -> None:
    header, _, _ = formats.write("wfdb", piece, tmp_path)
    base = str(header.with_suffix(""))
    record = wfdb.rdrecord(base)
    assert record.fs == pytest.approx(249.87)
    np.testing.assert_allclose(record.p_signal[:, 0], expected_mv(), atol=1e-9)
    start = datetime.fromtimestamp(WALL_US / 1e6, UTC).replace(tzinfo=None)
    assert record.base_datetime == start
    assert "8.00 s: alarm *** vt: 5 ventricular beats in a row" in record.comments
    found = wfdb.rdann(base, "bed")
    assert list(zip(found.sample, found.symbol, strict=True)) == [(250, "N"), (600, "V")]


def test_edf_gives_samples_beats_start_and_the_hole_in_words(piece: Piece, tmp_path: Path) -> None:
    [path] = formats.write("edf", piece, tmp_path)
    edf = edfio.read_edf(path)
    [signal] = edf.signals
    assert signal.sampling_frequency == pytest.approx(249.87, rel=1e-6)
    expected = expected_mv()
    there = ~np.isnan(expected)
    data_mv = signal.data[:3000] / 1000
    np.testing.assert_allclose(data_mv[there], expected[there], atol=LSB_MV / 2)
    assert (signal.digital[:3000][~there] == -32768).all()
    np.testing.assert_array_equal(signal.digital[:3000][there], the_signal()[there])
    start = datetime.fromtimestamp(WALL_US / 1e6, UTC)
    assert (edf.startdate, edf.starttime) == (start.date(), start.time())
    words = {(round(a.onset, 2), a.text): a.duration for a in edf.annotations}
    assert words[4.0, "no signal"] == pytest.approx(0.2, abs=1e-3)
    assert {(1.0, "N"), (2.4, "V"), (8.0, "alarm *** vt: 5 ventricular beats in a row")} <= set(
        words
    )


def test_csv_gives_a_line_a_sample(piece: Piece, tmp_path: Path) -> None:
    [path] = formats.write("csv", piece, tmp_path)
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    values = [float(line["ecg_mv"]) if line["ecg_mv"] else np.nan for line in lines]
    np.testing.assert_allclose(values, expected_mv(), atol=1e-9)
    assert {n: line["beat"] for n, line in enumerate(lines) if line["beat"]} == {
        250: "N",
        600: "V",
    }
    assert [n for n, line in enumerate(lines) if line["alarm"] == "vt"] == [2000]
    first, last = (datetime.fromisoformat(lines[n]["time"]) for n in (0, -1))
    assert first.timestamp() == pytest.approx(WALL_US / 1e6, abs=1e-6)
    assert (last - first).total_seconds() == pytest.approx(2999 / 249.87, abs=1e-5)


def test_fhir_is_a_valid_observation_with_sampled_data(piece: Piece, tmp_path: Path) -> None:
    [path] = formats.write("fhir", piece, tmp_path)
    bundle = Bundle.model_validate(json.loads(path.read_text()))
    [entry] = bundle.entry
    observation = entry.resource
    sampled = observation.component[0].valueSampledData
    factor, zero = float(sampled.factor), float(sampled.origin.value)
    values = [np.nan if x == "E" else zero + factor * int(x) for x in sampled.data.split()]
    np.testing.assert_allclose(values, expected_mv(), atol=1e-9)
    assert float(sampled.period) == pytest.approx(1000 / 249.87)
    assert observation.effectivePeriod.start.timestamp() == pytest.approx(WALL_US / 1e6, abs=1e-3)


SVG = "{http://www.w3.org/2000/svg}"


def test_a_page_is_25_mm_a_second_and_10_mm_a_millivolt(piece: Piece) -> None:
    [page] = pages(piece, filtered=False)
    root = ET.fromstring(page)
    assert (root.get("width"), root.get("height")) == ("297mm", "210mm")
    assert root.get("viewBox") == "0 0 297 210"
    rows = [
        np.array([[float(v) for v in point.split(",")] for point in line.get("points").split()])
        for line in root.iter(f"{SVG}polyline")
    ]
    first = rows[0]
    assert first[250, 0] - first[0, 0] == pytest.approx(25 * 250 / 249.87, abs=0.02)
    expected = expected_mv()
    assert first[100, 1] - first[200, 1] == pytest.approx(
        -10 * (expected[100] - expected[200]), abs=0.02
    )
    [pulse, *_] = [p.get("d") for p in root.iter(f"{SVG}path") if "calibration" in p.get("class")]
    assert "v-10h5v10" in pulse
    words = " ".join(text.text for text in root.iter(f"{SVG}text"))
    for said in (
        "Bed bed-1",
        "25 mm/s",
        "10 mm/mV",
        "not a medical device",
        "no filter",
        "V*",
        "CUT at ±1.5 mV",
    ):
        assert said in words
    assert "*** 5 ventricular beats in a row" in words


def test_the_filter_of_a_strip_takes_the_baseline_and_leaves_the_holes() -> None:
    rate_hz, time_s = 250.0, np.arange(5000) / 250
    drift, wave = np.sin(2 * np.pi * 0.05 * time_s), np.sin(2 * np.pi * 8 * time_s)
    signal = drift + wave
    signal[2500:2600] = np.nan
    filtered = band_passed(signal, rate_hz)
    assert np.isnan(filtered[2500:2600]).all()
    np.testing.assert_allclose(filtered[500:2000], wave[500:2000], atol=0.05)


# ── the command ───────────────────────────────────────────────────────────────────────────────


def said(archive: Archive, tmp_path: Path, *arguments: str, answer: str = "") -> str:
    result = CliRunner().invoke(
        app,
        ["records", *arguments],
        input=answer,
        env={"BEDSIDE_STATION__DATA_DIR": str(tmp_path)},
    )
    if isinstance(result.exception, BedsideError):
        raise result.exception
    return result.output


def test_the_list_tells_spans_and_alarms(archive: Archive, tmp_path: Path) -> None:
    assert "0:00:12  249.87 Hz" in said(archive, tmp_path, "list")
    assert EVENT in said(archive, tmp_path, "list", "bed-1")


@pytest.mark.parametrize("form", formats.FORMATS)
def test_an_alarm_is_exported_by_its_id(archive: Archive, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    told = said(
        archive, tmp_path, "export", "bed-1", "--event", EVENT, "--format", form, "--out", str(out)
    )
    assert f"{len(list(out.iterdir()))} files" in told


def test_a_strip_is_drawn_in_the_terminal_and_as_a_page(archive: Archive, tmp_path: Path) -> None:
    drawn = said(archive, tmp_path, "strip", "bed-1", "--event", EVENT)
    assert "^ alarm *** vt" in drawn
    assert any("⠀" < sign <= "⣿" for sign in drawn)
    said(archive, tmp_path, "strip", "bed-1", "--event", EVENT, "--svg", str(tmp_path / "s.svg"))
    assert ET.parse(tmp_path / "s.svg").getroot().tag == f"{SVG}svg"


def test_what_the_disk_has_changed_since_is_found_and_said_with_an_export(
    archive: Archive, tmp_path: Path
) -> None:
    assert said(archive, tmp_path, "verify").endswith(" 0 damaged.\n")
    samples = next((tmp_path / "recordings" / "bed-1").glob("*.dat"))
    content = bytearray(samples.read_bytes())
    content[200] ^= 0x10
    samples.write_bytes(content)
    told = said(archive, tmp_path, "verify", "bed-1")
    assert "s from 2025-10-09" in told
    assert f"are not what was recorded, in {samples}" in told.replace("\n", "")
    assert "1 damaged." in told
    out = str(tmp_path / "out")
    assert "no longer what was recorded" in said(archive, tmp_path, "export", "bed-1", "--out", out)
    journal = samples.with_suffix(".idx")
    content = bytearray(journal.read_bytes())
    content[60] ^= 0x10
    journal.write_bytes(content)
    assert "has records that cannot be read" in said(archive, tmp_path, "verify")


def test_delete_asks_and_takes_no_for_an_answer(archive: Archive, tmp_path: Path) -> None:
    assert "for good?" in said(archive, tmp_path, "delete", "bed-1", answer="n\n")
    assert archive.spans("bed-1")
    said(archive, tmp_path, "delete", "bed-1", answer="y\n")
    assert archive.spans("bed-1") == []
    with pytest.raises(BedsideError, match="nothing deleted"):
        said(archive, tmp_path, "delete", "bed-1", "--yes")


def test_delete_spares_what_a_station_is_writing(archive: Archive, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recordings")
    recorder.write(a_batch(0, 0, [1] * 50, boot_id=9, flags=Flags.CLOCK_SYNCED, wall_us=WALL_US))
    recorder.sync(0.0)
    said(archive, tmp_path, "delete", "bed-1", "--yes")
    assert [span.boot_id for span in archive.spans("bed-1")] == [9]
    recorder.close()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "bed-9", "--out", "x"], "recorded are: bed-1"),
        (["export", "bed-1", "--event", "no", "--out", "x"], "has no alarm no"),
        (["export", "bed-1", "--from", "soon", "--out", "x"], "no moment"),
        (["export", "bed-1", "--to", "2001-01-01", "--out", "x"], "Nothing of bed bed-1"),
        (["strip", "bed-1"], "Name an alarm"),
        (["delete", "../bed-1", "--yes"], "no recording of bed"),
    ],
)
def test_a_mistake_is_one_sentence(
    archive: Archive, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(BedsideError, match=sentence):
        said(archive, tmp_path, *arguments)

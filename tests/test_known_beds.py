import json
from pathlib import Path

import pytest

from bedside.anomaly.baseline import Baseline
from bedside.demo import RECORDS
from bedside.errors import RecordError
from bedside.events import BedState
from bedside.known_beds import KnownBed, known_beds
from bedside.recording import bed_file
from bedside.recording.bed_file import BedFile


def found(folder: Path, model_version: str | None = None) -> list[KnownBed]:
    return list(known_beds(folder, lambda name: name.startswith("demo"), {}, model_version))


def test_a_damaged_file_matters_only_where_its_bed_is_served(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{", encoding="utf-8")
    assert found(tmp_path) == []
    (tmp_path / "demo.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecordError):
        found(tmp_path)


def test_a_baseline_comes_back_to_its_bed_patient_and_network_alone(tmp_path: Path) -> None:
    stored = json.loads((RECORDS / "demo_baseline.json").read_text(encoding="utf-8"))
    version, session = Baseline.from_json(stored).model_version, stored["session"]

    def baselines(bed: str, patient: str, network: str | None) -> list[bool]:
        bed_file.save(tmp_path / f"{bed}.json", BedFile(BedState.ADMITTED, patient, stored))
        beds = [one for one in found(tmp_path, network) if one.name == bed]
        return [one.baseline is not None for one in beds]

    assert baselines("demo", session, version) == [True]
    assert baselines("demo", session, None) == [True]
    assert baselines("demo", session, "another network") == [False]
    assert baselines("demo", "another patient", version) == [False]
    assert baselines("demo-2", session, version) == [False]

"""The program's own parts: the model and the baselines that were learned with it."""

from __future__ import annotations

from pathlib import Path

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import Baseline, BaselineError
from bedside.delivery.check import Finding
from bedside.errors import ModelError, RecordError
from bedside.recording import bed_file


def model_and_baselines(data_dir: Path) -> list[Finding]:
    """Whether the model loads, and which beds' baselines fit it."""
    try:
        version = Autoencoder.load().version
    except ModelError as error:
        return [Finding(False, str(error))]
    findings = [Finding(True, f"The model {version} is there.")]
    for path in sorted((data_dir / "beds").glob("*.json")):
        try:
            bed = bed_file.load(path)
            if bed is None or bed.baseline is None:
                continue
            baseline = Baseline.from_json(bed.baseline)
            baseline.require(bed=path.stem, session=bed.session, model_version=version)
        except (BaselineError, RecordError) as error:
            findings.append(Finding(False, f"Bed {path.stem}: {error}"))
        else:
            findings.append(Finding(True, f"Bed {path.stem} has a baseline of this patient."))
    return findings

"""The numbers of the model card: the test records, the alarms of healthy people, the cost.

Nothing here chooses anything. Every record is in every table; one that refuses calibration is
scored against its provisional normal and measured by the population threshold.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import QuantType, quantize_dynamic

from bedside.anomaly.autoencoder import Autoencoder
from training import datasets
from training.datasets import RecordBeats
from training.export import INPUTS, example_inputs
from training.metrics import alarms, auroc, beat_table, pooled, recall_at, template_errors
from training.replay import ScoredRecord, beat_windows, replay

LATENCY_BEATS = 2000


def test_parts(folder: Path) -> list[RecordBeats]:
    """The first lead of every DS2 record. Raises `DataError` when one of them trained."""
    datasets.require_no_shared_patient(datasets.TRAIN, datasets.DS2)
    return [datasets.record_beats(folder / "mitdb", record) for record in datasets.DS2]


def healthy_parts(folder: Path) -> list[RecordBeats]:
    """The measuring half of nsrdb."""
    datasets.require_no_shared_patient(datasets.NSRDB_TRAIN, datasets.NSRDB_MEASURE)
    return [datasets.record_beats(folder / "nsrdb", record) for record in datasets.NSRDB_MEASURE]


def beats_report(scored: Sequence[ScoredRecord]) -> dict[str, Any]:
    """The beat table of the model and of the plain template on the same records, and by record."""
    ours = [record.errors for record in scored]
    plain = [template_errors(record) for record in scored]
    alone = [template_errors(record, with_prematurity=False) for record in scored]
    return {
        "model": _rounded(beat_table(scored, ours)),
        "template": _rounded(beat_table(scored, plain)),
        "template_without_prematurity": _rounded(beat_table(scored, alone)),
        "by_record": {record.beats.record: _by_record(record) for record in scored},
        "refused": {r.beats.record: r.refused for r in scored if r.refused},
    }


def alarms_report(
    ventricular: Sequence[ScoredRecord], healthy: Sequence[ScoredRecord]
) -> dict[str, Any]:
    """Stretches of ventricular beats that were alarmed, and false alarms of healthy people."""
    found = {record.beats.record: alarms(record) for record in ventricular}
    calm = {record.beats.record: alarms(record) for record in healthy}
    stretches = sum(one.stretches for one in found.values())
    hours = sum(one.hours for one in calm.values())
    false = sum(one.false for one in calm.values())
    return {
        "stretches": stretches,
        "stretches_alarmed": sum(one.found for one in found.values()),
        "stretches_alarmed_share": round(
            sum(one.found for one in found.values()) / max(stretches, 1), 4
        ),
        "false_alarms": sum(one.false for one in found.values()),
        "hours": round(sum(one.hours for one in found.values()), 3),
        "healthy_hours": round(hours, 3),
        "healthy_false_alarms": false,
        "healthy_false_alarms_per_day": round(false / hours * 24.0, 3),
        "by_record": {name: asdict(one) for name, one in (found | calm).items()},
    }


def latency_us(autoencoder: Autoencoder, beats: RecordBeats) -> dict[str, float]:
    """Microseconds for one beat, alone in its batch, one thread: the session and all of `score`."""
    given = beat_windows(beats.part(np.arange(len(beats.time_s)) < LATENCY_BEATS))
    scored = replay(autoencoder, beats)
    whole = []
    for beat in given:
        start = time.perf_counter_ns()
        autoencoder.score([beat], scored.baseline)
        whole.append(time.perf_counter_ns() - start)
    median, quietest = _session_us(autoencoder)
    return {
        "session_median": median,
        "session_median_quietest_block": quietest,
        "score_median": round(float(np.median(whole)) / 1000, 1),
        "score_p99": round(float(np.quantile(whole, 0.99)) / 1000, 1),
    }


def quantised(path: Path) -> tuple[Autoencoder, int]:
    """The model at `path` with weights of int8 (dynamic quantisation), and its size in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        smaller = Path(folder) / "int8.onnx"
        quantize_dynamic(str(path), str(smaller), weight_type=QuantType.QInt8)
        return Autoencoder.load(smaller), smaller.stat().st_size


def int8(path: Path, scored: Sequence[ScoredRecord]) -> dict[str, Any]:
    """What int8 costs and loses on the records that the model at `path` has `scored`.

    `most_apart` is the largest difference of a beat's error, `changed` how many beats change sides
    of their threshold, of `beats`.
    """
    small, size = quantised(path)
    again = [replay(small, record.beats) for record in scored]
    apart = [np.abs(a.errors - b.errors).max() for a, b in zip(again, scored, strict=True)]
    return {
        "bytes": size,
        "session_median": _session_us(small)[0],
        "model": _rounded(beat_table(again, [record.errors for record in again])),
        "most_apart": float(max(apart)),
        "changed": sum(
            int((a.abnormal != b.abnormal).sum()) for a, b in zip(again, scored, strict=True)
        ),
        "beats": sum(len(record.errors) for record in scored),
    }


def _session_us(autoencoder: Autoencoder) -> tuple[float, float]:
    """Median microseconds of a run with one beat: over all runs, and in the quietest block."""
    inputs = dict(zip(INPUTS, example_inputs(1), strict=True))
    took = []
    for _ in range(LATENCY_BEATS):
        start = time.perf_counter_ns()
        autoencoder.session.run(None, inputs)
        took.append(time.perf_counter_ns() - start)
    blocks = np.median(np.array(took).reshape(-1, 100), axis=1) / 1000
    return round(float(np.median(took)) / 1000, 1), round(float(blocks.min()), 1)


def spread(tables: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over the seeds, for each number."""
    return {
        name: {
            "mean": round(float(np.mean([table[name] for table in tables])), 4),
            "sd": round(float(np.std([table[name] for table in tables], ddof=1)), 4),
        }
        for name in tables[0]
    }


def _by_record(record: ScoredRecord) -> dict[str, Any]:
    normal = pooled([record], "N", [record.errors])
    ventricular = pooled([record], "V", [record.errors])
    other = pooled([record], "VSFQ", [record.errors])
    own = recall_at(normal, ventricular) if len(normal) and len(ventricular) else float("nan")
    return {
        "normal": len(normal),
        "ventricular": len(ventricular),
        "other": len(other) - len(ventricular),
        **_rounded(
            {
                "auroc_v": auroc(normal, ventricular),
                "auroc_all": auroc(normal, other),
                "v_recall_at_1pct_own": own,
                "threshold": record.threshold,
                "normal_above_threshold": float((normal > record.threshold).mean())
                if len(normal)
                else float("nan"),
                "v_above_threshold": float((ventricular > record.threshold).mean())
                if len(ventricular)
                else float("nan"),
            }
        ),
    }


def _rounded(table: dict[str, float]) -> dict[str, float | None]:
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in table.items()}

"""The signal chain measured: `python -m training evaluate signal`.

Every record goes through the monitor as `bedside analyze` runs it. QRS complexes on all of mitdb
and on the noise-stress records, ectopic beats on DS2, heart rate, decision delay and speed, lethal
alarms on the measuring halves of vfdb and cudb, false ones on nsrdb and mitdb; then the peers. No
number here chooses anything.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import wfdb

from bedside.analysis import batches
from bedside.anomaly.scoring import ModelFacts
from bedside.ecg.resampling import Resampler
from bedside.ecg.rhythm import Rhythm
from bedside.ecg.rpeaks import RPeakDetector
from bedside.events import WINDOW_RATE_HZ, BeatClass, BedState
from bedside.monitor import Monitor
from bedside.recording.record_reader import read_record
from training import peers
from training.datasets import DS2, NSRDB_MEASURE, data_folder
from training.signal import (
    Count,
    Run,
    ectopic_counts,
    episodes,
    false_alarms,
    lethal,
    qrs_count,
    reference,
    runs,
)

REPORT = Path(__file__).parents[1] / "model" / "signal_report.json"
NOISE_STRESS = ("118", "119")
"""The records that noise was added to."""

SNR_DB = {"12": 12, "06": 6, "00": 0, "_6": -6}
"""How the noise-stress records name their signal-to-noise ratios."""

SETTLED_S = 30.0
SAMPLE_RECORDS = ("100", "105", "200", "221", "233")
"""Records of DS2 on which delay and speed are measured."""


def measure(with_peers: bool) -> dict[str, Any]:
    """The whole report."""
    folder = data_folder()
    mitdb = [folder / "mitdb" / path.stem for path in sorted((folder / "mitdb").glob("*.hea"))]
    stress = {
        str(snr_db): [folder / "nstdb" / f"{name}e{suffix}" for name in NOISE_STRESS]
        for suffix, snr_db in SNR_DB.items()
    }
    command = "python -m training evaluate signal" + ("" if with_peers else " --without-peers")
    report: dict[str, Any] = {"command": command}
    report |= _mitdb(mitdb)
    report["qrs_nstdb"] = {snr_db: _total(paths).report() for snr_db, paths in stress.items()}
    healthy = runs([folder / "nsrdb" / name for name in NSRDB_MEASURE])
    report["false_lethal_nsrdb"] = {
        name: [(at_s, code) for at_s, _, code in made.alarms]
        for name, made in zip(NSRDB_MEASURE, healthy, strict=True)
        if made.alarms
    }
    report["lethal"] = lethal(folder)
    samples = [folder / "mitdb" / name for name in SAMPLE_RECORDS]
    report["decision_delay_ms"] = decision_delay_ms(samples)
    report["speed"] = speed(samples)
    if with_peers:
        report["peers"] = peers.compare({"mitdb": mitdb} | stress)
    return report


def _mitdb(paths: list[Path]) -> dict[str, Any]:
    """QRS complexes, ectopic beats, heart rate and false lethal alarms."""
    gross, with_flutter, on_ds2 = Count(), Count(), Count()
    ectopic = {"V": Count(), "S": Count()}
    records, ectopic_records, false, errors_bpm = {}, {}, {}, []
    for path, made in zip(paths, runs(paths), strict=True):
        count = qrs_count(made, path)
        gross.add(count)
        with_flutter.add(qrs_count(made, path, exclude_flutter=False))
        records[path.name] = count.report()
        errors_bpm.append(heart_rate_errors_bpm(made, path))
        wrong = false_alarms(made, episodes(path, made.seconds, made.rate_hz))
        if wrong:
            false[path.name] = wrong
        if path.name in DS2:
            on_ds2.add(count)
            parts = ectopic_counts(made, path)
            for code, part in parts.items():
                ectopic[code].add(part)
            ectopic_records[path.name] = {code: part.report() for code, part in parts.items()}
        print(path.name, records[path.name], wrong, flush=True)
    off_bpm = np.concatenate(errors_bpm)
    return {
        "qrs_mitdb": {
            "gross": gross.report(),
            "ds2": on_ds2.report(),
            "with_flutter": with_flutter.report(),
            "records": records,
        },
        "veb_ds2": ectopic["V"].report(),
        "sveb_ds2": ectopic["S"].report(),
        "ectopic_ds2_records": ectopic_records,
        "heart_rate": {
            "mean_absolute_error_bpm": round(float(np.mean(np.abs(off_bpm))), 3),
            "within_2_bpm_percent": round(100.0 * float(np.mean(np.abs(off_bpm) <= 2.0)), 2),
            "within_5_bpm_percent": round(100.0 * float(np.mean(np.abs(off_bpm) <= 5.0)), 2),
        },
        "false_lethal_mitdb": false,
    }


def _total(paths: list[Path]) -> Count:
    total = Count()
    for path, made in zip(paths, runs(paths), strict=True):
        total.add(qrs_count(made, path))
    return total


def heart_rate_errors_bpm(made: Run, path: Path) -> Any:
    """The displayed rate at each beat against the same formula on the reference beats so far."""
    truth, _, _ = reference(path)
    rhythm, following = Rhythm(), iter(truth.tolist())
    coming = next(following, None)
    errors_bpm = []
    for sample, shown_bpm in zip(made.samples, made.rates_bpm, strict=True):
        while coming is not None and coming <= sample + 0.15 * made.rate_hz:
            rhythm.beat(round(coming * WINDOW_RATE_HZ / made.rate_hz), BeatClass.NORMAL)
            coming = next(following, None)
        true_bpm = rhythm.heart_rate_bpm
        if sample > SETTLED_S * made.rate_hz and shown_bpm and true_bpm:
            errors_bpm.append(shown_bpm - true_bpm)
    return np.array(errors_bpm)


def decision_delay_ms(paths: list[Path]) -> dict[str, float]:
    """From the R peak to its report when samples come one at a time, over a minute of each."""
    delays = []
    for path in paths:
        record = wfdb.rdrecord(str(path), channels=[0], sampto=360 * 60)
        signal_mv = Resampler(float(record.fs)).process(np.nan_to_num(record.p_signal[:, 0]))
        detector = RPeakDetector()
        for end in range(1, len(signal_mv)):
            found = detector.process(signal_mv[end - 1 : end])
            delays += [1000.0 * (end - peak.position) / WINDOW_RATE_HZ for peak in found]
    shares = dict(
        zip(("median", "p99", "longest"), np.percentile(delays, (50, 99, 100)), strict=True)
    )
    return {name: round(float(value), 1) for name, value in shares.items()}


def speed(paths: list[Path]) -> dict[str, float]:
    """The whole monitor without the autoencoder's network, batches of 0.2 s, CPU time."""
    spent_us, seconds = [], 0.0
    for path in paths:
        record = read_record(path, 0)
        monitor = Monitor(
            "record", ModelFacts("none", 1.0), state=BedState.ADMITTED, session="speed"
        )
        for batch in batches(record):
            started = time.process_time_ns()
            monitor.step(batch)
            spent_us.append((time.process_time_ns() - started) / 1000.0)
        seconds += len(record.samples_mv) / record.rate_hz
    return {
        "times_real_time": round(1e6 * seconds / sum(spent_us), 1),
        "batch_us_median": round(float(np.median(spent_us)), 1),
        "batch_us_p99": round(float(np.percentile(spent_us, 99)), 1),
    }


GOALS = {
    "QRS, 48 records of MIT-BIH, causal: Se / +P": "99.85 / 99.85 %",
    "the same on DS2 alone, which trained nothing": "",
    "QRS under electrode motion at 12, 6, 0, −6 dB: F1": "99, 95, 88, 72 %",
    "ventricular beats on DS2: Se / +P": "96 / 96 %",
    "supraventricular beats on DS2: Se / +P": "80 / 70 %",
    "VF, VT, asystole alarmed in their time": "95, 95, 98 %",
    "false lethal alarms: 24 h of MIT-BIH; 6 h of healthy people": "1; 0",
    "heart rate within 2/min of its formula on the reference beats": "",
    "from the R peak to its report, median; longest": "350 ms",
}
"""The rows of the README's table, and what each should be."""


def table(report: dict[str, Any]) -> str:
    """The README's table, in Markdown."""

    def both(counted: dict[str, float], digits: int) -> str:
        return f"{counted['se']:.{digits}f} / {counted['ppv']:.{digits}f} %"

    mitdb, noise, alarms = report["qrs_mitdb"], report["qrs_nstdb"], report["lethal"]["conditions"]
    in_time = [
        f"{round(alarms[code]['episodes'] * alarms[code]['in_time_percent'] / 100.0)} of "
        f"{alarms[code]['episodes']}"
        for code in ("vf", "vt", "asystole")
    ]
    false = [
        sum(len(wrong) for wrong in report[name].values())
        for name in ("false_lethal_mitdb", "false_lethal_nsrdb")
    ]
    delay = report["decision_delay_ms"]
    measured = (
        both(mitdb["gross"], 2),
        both(mitdb["ds2"], 2),
        ", ".join(f"{noise[snr_db]['f1']:.1f}" for snr_db in ("12", "6", "0", "-6")) + " %",
        both(report["veb_ds2"], 1),
        f"**{both(report['sveb_ds2'], 1)}**",
        ", ".join(in_time),
        f"{false[0]}; {false[1]}",
        f"{report['heart_rate']['within_2_bpm_percent']:.1f} % of beats",
        f"{delay['median']:.0f}; {delay['longest']:.0f} ms",
    )
    rows = ["| what | measured | what it should be |", "|---|---|---|"]
    rows += [
        f"| {what} | {value} | {goal} |"
        for (what, goal), value in zip(GOALS.items(), measured, strict=True)
    ]
    return "\n".join(rows)


def peers_table(report: dict[str, Any]) -> str:
    """Ours beside the peers, in Markdown: one row a detector."""
    rows = [
        "| detector | MIT-BIH Se / +P | F1 at 12, 6, 0, −6 dB | CPU s per hour of ECG |",
        "|---|---|---|---|",
    ]
    for name, row in report.get("peers", {}).items():
        clean = row["mitdb"]
        noisy = ", ".join(f"{row[snr_db]['f1']:.1f}" for snr_db in ("12", "6", "0", "-6"))
        rows.append(
            f"| {name} | {clean['se']:.2f} / {clean['ppv']:.2f} % | {noisy} | "
            f"{row['cpu_s_per_hour']:.2f} |"
        )
    return "\n".join(rows)


def write(report: dict[str, Any]) -> None:
    """Write `model/signal_report.json`."""
    REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

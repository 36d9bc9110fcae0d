"""The numbers that the program works with are the ones that were measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bedside.anomaly import budget
from bedside.anomaly.autoencoder import Autoencoder
from training.card import card

MODEL = Path(__file__).parents[2] / "model"
METRICS = json.loads((MODEL / "metrics.json").read_text(encoding="utf-8"))


def test_the_budget_is_the_one_that_cross_validation_measured() -> None:
    tail = METRICS["cross_validation"]["tail"]
    assert pytest.approx(tail["factor_at_one_a_day"], abs=0.005) == budget.FACTOR_AT_ONE_A_DAY
    assert pytest.approx(tail["exponent"], abs=0.005) == budget.TAIL_EXPONENT
    assert METRICS["cross_validation"]["recall"] == list(budget.RECALL)


def test_what_validation_writes_is_what_the_budget_reads(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    from training import validate

    recall = METRICS["cross_validation"]["recall"]
    counted = {**METRICS["cross_validation"]["tail"], "counts": ()}
    validate.write(validate.Tail(**counted), recall, tmp_path / "measured.py")
    said: dict[str, object] = {}
    exec((tmp_path / "measured.py").read_text(encoding="utf-8"), said)
    assert said["RECALL"] == budget.RECALL
    assert said["RECALL_ERRORS"] == budget.RECALL_ERRORS
    assert said["TAIL_EXPONENT"] == pytest.approx(budget.TAIL_EXPONENT, abs=0.005)


def test_the_measured_model_is_the_shipped_one() -> None:
    autoencoder = Autoencoder.load()
    assert METRICS["test"]["model"]["version"] == autoencoder.version
    assert METRICS["test"]["model"]["training_data"] == autoencoder.training_data


def test_every_number_stands_beside_the_command_that_measured_it() -> None:
    for section in METRICS.values():
        assert section["command"].startswith("python -m training ")


def test_every_test_record_is_in_the_tables() -> None:
    assert len(METRICS["test"]["beats"]["by_record"]) == 22


def test_the_model_card_says_what_was_measured() -> None:
    assert (MODEL / "MODEL_CARD.md").read_text(encoding="utf-8") == card(METRICS)


def test_the_readme_says_what_was_measured() -> None:
    beats, alarms = METRICS["test"]["beats"]["model"], METRICS["test"]["alarms"]
    signal = json.loads((MODEL / "signal_report.json").read_text(encoding="utf-8"))
    qrs, veb, sveb = signal["qrs_mitdb"]["gross"], signal["veb_ds2"], signal["sveb_ds2"]
    noise = signal["qrs_nstdb"]
    readme = (MODEL.parent / "README.md").read_text(encoding="utf-8")
    for said in (
        f"| {qrs['se']:.2f} / {qrs['ppv']:.2f} % |",
        f"| {', '.join(format(noise[snr]['f1'], '.1f') for snr in ('12', '6', '0', '-6'))} % |",
        f"| {veb['se']:.1f} / {veb['ppv']:.1f} % |",
        f"| {sveb['se']:.1f} / {sveb['ppv']:.1f} % |",
        f"V against N, AUROC | {beats['auroc_v']:.4f} |",
        f"all abnormal beats against N | {beats['auroc_all']:.4f} |",
        f"the same without record 232 | **{beats['auroc_all_without_232']:.4f}** |",
        f"| {100 * beats['v_recall_at_1pct_pooled']:.1f}; "
        f"{100 * beats['v_recall_at_1pct_own']:.1f} % |",
        f"{alarms['healthy_hours']:.1f} h of healthy people | "
        f"{alarms['stretches_alarmed_share']:.1%}; {alarms['healthy_false_alarms']} |".replace(
            "%;", " %;"
        ),
    ):
        assert said in readme


def test_the_readme_holds_the_open_detectors_beside_ours() -> None:
    pytest.importorskip("wfdb", reason="needs the extra `train`")
    from training import signal_report

    signal = json.loads((MODEL / "signal_report.json").read_text(encoding="utf-8"))
    assert len(signal["peers"]) >= 5
    readme = (MODEL.parent / "README.md").read_text(encoding="utf-8")
    assert signal_report.peers_table(signal) in readme

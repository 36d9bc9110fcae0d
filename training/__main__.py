"""`python -m training …`: fetch the data, reproduce the original, train, validate, evaluate."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.fusion import Fusion
from bedside.errors import BedsideError
from training import (
    alarms,
    attempts,
    card,
    datasets,
    demo,
    evaluate,
    fetch,
    figures,
    kaggle,
    metrics,
    original,
    recipe,
    signal_report,
    validate,
)
from training.export import disagreement, example_inputs, export
from training.patients import gather
from training.replay import fused, replay, shaped
from training.train import read_config, train

PROJECT = Path(__file__).parents[1]
MODEL = PROJECT / "model"
CONFIG = Path(__file__).with_name("config.toml")


def run_fetch(options: argparse.Namespace) -> None:
    """Download the databases from PhysioNet into DIR; set BEDSIDE_DATA to it afterwards."""
    fetch.fetch(options.dir, options.only, options.source)


def run_reproduce(options: argparse.Namespace) -> None:
    """The original protocol, with the label left in the input and with it removed."""
    sources: dict[str, kaggle.Rows] = {}
    if options.kaggle:
        parts = [
            kaggle.read_rows(options.kaggle / f"ptbdb_{n}.csv") for n in ("normal", "abnormal")
        ]
        sources["Kaggle PTB"] = kaggle.joined(parts)
        sources["Kaggle MIT-BIH"] = kaggle.read_rows(options.kaggle / "mitbih_train.csv")
    else:
        folder = datasets.data_folder()
        sources["PTB rows"] = recipe.ptb_rows(folder / "ptbdb")[0]
        parts = [recipe.mitbih_rows(folder / "mitdb", record) for record in datasets.DS1]
        sources["MIT-BIH rows"] = kaggle.joined(parts).thinned(options.most)
    runs = {}
    for source, rows in sources.items():
        for label_in in (True, False):
            name = f"{source}, label {'left in' if label_in else 'removed'}"
            runs[name] = original.reproduce(rows, label_in_input=label_in)
            slug = name.lower().replace(",", "").replace(" ", "-")
            figures.original(runs[name], name, _figures() / f"original-{slug}.png")
    print(original.table(runs))
    _record("original", {"command": _command(), "runs": original.as_json(runs)})


def run_train(options: argparse.Namespace) -> None:
    """Train on the training patients and write the model with what the runtime checks."""
    config = read_config(options.config)
    if options.seed is not None:
        config = replace(config, seed=options.seed)
    folder = datasets.data_folder()
    datasets.require_no_shared_patient(datasets.TRAIN, datasets.DS2)
    parts = validate.training_parts(folder, datasets.TRAIN)
    wander, muscle = (datasets.recorded_noise(folder, name) for name in ("bw", "ma"))
    torch.set_num_threads(options.threads)
    network = train(gather(parts), wander, muscle, config)
    export(
        network,
        options.out,
        population_threshold=validate.POPULATION_THRESHOLD,
        training_data=datasets.digest(parts),
    )
    apart = disagreement(network, options.out, example_inputs(64))
    print(f"{options.out}: torch and onnxruntime differ by at most {apart:.1e}")


def run_validate(options: argparse.Namespace) -> None:
    """Cross-validate over the training patients; thresholds and their cost come from here."""
    torch.set_num_threads(options.threads)
    held_out = validate.cross_validate(datasets.data_folder(), read_config(options.config))
    scored = [fused(record, Fusion()) for record in held_out]
    mitdb = [record for record in scored if record.beats.record in datasets.TRAIN]
    healthy = [record for record in scored if record.beats.record in datasets.NSRDB_TRAIN]
    tail, recall = validate.tail(healthy), validate.recall_curve(mitdb)
    report: dict[str, Any] = {
        "command": _command(),
        "beats": evaluate.beats_report(validate.measured_anew(mitdb, tail)),
        "alarms": evaluate.alarms_report(
            validate.measured_anew(mitdb, tail), validate.measured_anew(healthy, tail)
        ),
        "tail": asdict(tail),
        "recall": recall,
        "attempts": attempts.tables([r for r in held_out if r.beats.record in datasets.TRAIN]),
    }
    print(json.dumps(report, indent=1))
    _record("cross_validation", report)
    validate.write(tail, recall)


def run_evaluate(options: argparse.Namespace) -> None:
    """Measure on the test records: the model, also of other seeds, the signal chain, or alarms."""
    if options.what == "alarms":
        written = alarms.table(alarms.measure(alarms.records()))
        alarms.TABLE.write_text(written, encoding="utf-8")
        print(written)
        return
    if options.what == "signal":
        report = signal_report.measure(with_peers=not options.without_peers)
        signal_report.write(report)
        print(signal_report.table(report), signal_report.peers_table(report), sep="\n\n")
        return
    folder = datasets.data_folder()
    parts, healthy = evaluate.test_parts(folder), evaluate.healthy_parts(folder)
    autoencoder = Autoencoder.load()
    scored = [replay(autoencoder, part) for part in parts]
    calm = [replay(autoencoder, part) for part in healthy]
    tables = [metrics.beat_table(scored, [record.errors for record in scored])]
    for path in options.seeds:
        other = Autoencoder.load(path)
        again = [replay(other, part) for part in parts]
        tables.append(metrics.beat_table(again, [record.errors for record in again]))
    report: dict[str, Any] = {
        "command": _command(),
        "model": {
            "version": autoencoder.version,
            "training_data": autoencoder.training_data,
            "population_threshold": autoencoder.population_threshold,
            "bytes": (MODEL / "autoencoder.onnx").stat().st_size,
        },
        "beats": evaluate.beats_report(scored),
        "seeds": {"count": len(tables)} | (evaluate.spread(tables) if len(tables) > 1 else {}),
        "alarms": evaluate.alarms_report(scored, calm),
        "latency_us": evaluate.latency_us(autoencoder, parts[0]),
        "int8": evaluate.int8(MODEL / "autoencoder.onnx", scored),
    }
    figures.roc(scored, _figures() / "roc.png")
    figures.reconstructions(autoencoder, scored, _figures() / "reconstructions.png")
    figures.failures(scored, _figures() / "failures.png")
    print(json.dumps(report, indent=1))
    _record("test", report)


def run_ablate(options: argparse.Namespace) -> None:
    """Measure the error's rule with parts left out, and others that were tried, on the test."""
    del options
    autoencoder = Autoencoder.load()
    parts = evaluate.test_parts(datasets.data_folder())
    tables = attempts.tables([shaped(autoencoder, part) for part in parts])
    print(json.dumps(tables, indent=1))
    _record("ablation", {"command": _command(), "tables": tables})


def run_card(options: argparse.Namespace) -> None:
    """Write the model card from what was measured."""
    del options
    known = json.loads((MODEL / "metrics.json").read_text(encoding="utf-8"))
    (MODEL / "MODEL_CARD.md").write_text(card.card(known), encoding="utf-8")


def run_demo(options: argparse.Namespace) -> None:
    """Learn the demo bed's baseline from the bundled record, with the shipped model."""
    del options
    print(demo.write_baseline())


def main() -> int:
    """Parse, run; 2 and one sentence for a fault that the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        made.set_defaults(run=run)
        return made

    fetching = command("fetch", run_fetch)
    fetching.add_argument("dir", type=Path)
    fetching.add_argument("--only", nargs="+", choices=fetch.DATABASES, default=fetch.DATABASES)
    fetching.add_argument("--from", dest="source", default=fetch.PHYSIONET, metavar="URL")
    reproduce = command("reproduce", run_reproduce)
    reproduce.add_argument("--kaggle", type=Path, metavar="DIR", help="folder of Kaggle's files")
    reproduce.add_argument("--most", type=int, default=2000, help="rows taken from MIT-BIH")
    for name, run in (("train", run_train), ("validate", run_validate)):
        made = command(name, run)
        made.add_argument("--config", type=Path, default=CONFIG)
        made.add_argument("--threads", type=int, default=1)
        if name == "train":
            made.add_argument("--seed", type=int)
            made.add_argument("--out", type=Path, default=MODEL / "autoencoder.onnx")
    evaluating = command("evaluate", run_evaluate)
    evaluating.add_argument(
        "what", choices=("model", "signal", "alarms"), nargs="?", default="model"
    )
    evaluating.add_argument("--without-peers", action="store_true", help="signal: ours alone")
    evaluating.add_argument("--seeds", type=Path, nargs="*", default=[], metavar="MODEL")
    command("ablate", run_ablate)
    command("demo", run_demo)
    command("card", run_card)
    options = parser.parse_args()
    try:
        options.run(options)
    except BedsideError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _record(section: str, report: dict[str, Any]) -> None:
    path = MODEL / "metrics.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(known | {section: report}, indent=1) + "\n", encoding="utf-8")


def _figures() -> Path:
    folder = MODEL / "figures"
    folder.mkdir(exist_ok=True)
    return folder


def _command() -> str:
    return "python -m training " + " ".join(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

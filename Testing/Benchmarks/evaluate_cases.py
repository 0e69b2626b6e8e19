"""Scores models on a part of a split, each scan through the inference engine as a user's would go, and compares.

    python Testing/Benchmarks/evaluate_cases.py --config Resources/Training/headneck-oar-ct.toml --data CASES
        --part test --out OUT MODEL [MODEL ...]

MODEL is a model's name, folder or zip, or the output folder of a training run, a peer's too, with =NAME behind it for
the name of its files. OUT gets NAME.csv (a line per case and structure, then the means with their intervals) and
NAME.json (the means) for each. Each further model is compared with the first one, case by case.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from run_model import load  # noqa: E402

from LightMedSegLib.cli.evaluating.tables import difference_table, rows_as_csv, summary_table  # noqa: E402
from LightMedSegLib.core.errors import LightMedSegError  # noqa: E402
from LightMedSegLib.evaluation.scores import CaseScore, write_scores  # noqa: E402
from LightMedSegLib.evaluation.summary import compare_scores, summarise  # noqa: E402
from LightMedSegLib.io.datasets import find_cases  # noqa: E402
from LightMedSegLib.training.configuration.reader import read_configuration  # noqa: E402
from LightMedSegLib.training.evaluation import card_metrics, evaluate_with_engine  # noqa: E402
from LightMedSegLib.training.packaging import record_metrics  # noqa: E402
from LightMedSegLib.training.run import read_run_split  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Score, write and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL[=NAME]")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--record", action="store_true", help="write the means into the card of MODEL, a folder")
    chosen = parser.parse_args(arguments)
    try:
        configuration = read_configuration(chosen.config)
        split = read_run_split(configuration, chosen.config.parent)
        assert split is not None
        cases = {c.name: c for c in find_cases(chosen.data, configuration.data.layout, configuration.in_channels)}
        wanted = [cases[name] for name in getattr(split, chosen.part)]
        chosen.out.mkdir(parents=True, exist_ok=True)
        first: list[CaseScore] = []
        for entry in chosen.models:
            path, _, name = entry.partition("=")
            scores = evaluate_with_engine(load(path), wanted, chosen.device)
            name = name or Path(path).name
            rows, means = summarise(scores), card_metrics(scores)
            write_scores(chosen.out / f"{name}.csv", scores, more=rows_as_csv(rows))
            (chosen.out / f"{name}.json").write_text(json.dumps(means, indent=1) + "\n", encoding="utf-8")
            if chosen.record:
                record_metrics(Path(path), chosen.part, means)
            print(f"{name}: {means['cases']} cases\n{summary_table(rows, 1.0)}", flush=True)
            if first:
                print(f"minus the first model:\n{difference_table(compare_scores(scores, first), 1.0)}", flush=True)
            first = first or scores
    except LightMedSegError as error:
        print(f"evaluate_cases: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

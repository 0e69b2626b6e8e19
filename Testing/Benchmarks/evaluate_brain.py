"""Scores a brain model on real scans with the MICCAI 2012 labels, as they are and in worse versions.

    python Testing/Benchmarks/evaluate_brain.py MODEL DATA OUT [--versions as-is thick-slices] [--record]

MODEL is a model's name, folder or zip, or the output folder of a training run, a peer's too (they have no package).
DATA holds images/ and labels/. Every scan goes through the inference engine as a user's would, and is compared on
its own grid. OUT gets one CSV file per version (a line per case and structure) and summary.json; --record puts
the means into the card of MODEL, which then must be a folder. Which label means what is written down in
Resources/Training/malc2012-to-brain-structures.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from brain_reference import IGNORED, VERSIONS, degraded  # noqa: E402
from held_out_cases import HeldOut, miccai_scans  # noqa: E402
from run_model import load  # noqa: E402

from LightMedSegLib.core.errors import LightMedSegError  # noqa: E402
from LightMedSegLib.evaluation.metrics import evaluate  # noqa: E402
from LightMedSegLib.evaluation.scores import CaseScore, write_scores  # noqa: E402
from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.training.evaluation import card_metrics  # noqa: E402
from LightMedSegLib.training.packaging import record_metrics  # noqa: E402


def score_version(engine: Engine, cases: Sequence[HeldOut], version: str) -> list[CaseScore]:
    """Scores of all structures that the mapping can judge."""
    scores: list[CaseScore] = []
    for case in cases:
        name, names = case.name, {one.value: one.name for one in engine.card.labels if one.value in case.judged}
        shown, truth = degraded(version, case.image, case.truth)
        found = sitk.GetArrayFromImage(engine.segment(shown).labelmap)
        wanted = sitk.GetArrayFromImage(truth)
        found[wanted == IGNORED] = wanted[wanted == IGNORED] = 0
        volumes = [sitk.GetImageFromArray(array) for array in (found, wanted)]
        for volume in volumes:
            volume.CopyInformation(truth)
        scores += [CaseScore(name, item) for item in evaluate(volumes[0], volumes[1], names, 1.0)]
        dice = np.nanmean([score.metrics.dice for score in scores if score.case == name])
        print(f"{version:13s} {name}: mean Dice {dice:.4f}", flush=True)
    return scores


def main(arguments: list[str] | None = None) -> int:
    """Score, write and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--versions", nargs="+", choices=VERSIONS, default=VERSIONS)
    parser.add_argument("--cases", type=int, help="only the first so many cases")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--record", action="store_true", help="write the means into the model's card")
    chosen = parser.parse_args(arguments)
    try:
        engine = Engine(load(chosen.model), chosen.device)
        cases = list(miccai_scans(engine.card, chosen.data, chosen.cases))
    except LightMedSegError as error:
        print(f"evaluate_brain: {error}", file=sys.stderr)
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    summary = {}
    for version in chosen.versions:
        scores = score_version(engine, cases, version)
        write_scores(chosen.out / f"{version}.csv", scores)
        summary[version] = card_metrics(scores)
        if chosen.record:
            record_metrics(Path(chosen.model), f"malc2012-{version}", summary[version])
    (chosen.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    for version, means in summary.items():
        print(f"{version:13s} {means['cases']} scans, {len(means['dice'])} structures: mean Dice {means['dice_mean']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A new small model from a few segmented scans, as a user makes it: seconds, and Dice on scans that it has not seen.

    python Testing/Benchmarks/finetune_new_model.py --data FOLDER --out rows.csv [--cases 3] [--device cuda]

FOLDER holds images/ and labels/ of the hippocampus set. Scans are of one part of the shipped hippocampus model's split,
by default the test part, which no shipped model was trained on: each choice takes the next ones to learn from and the
next ones to test on. "gate" is the mean Dice that the job found by cross-validation, "tested" that of the new model on
the other scans; Dice is on the scans' own grid.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from finetune_jobs import experiment_parser, listed, mean, write_rows  # noqa: E402

from LightMedSegLib.evaluation.metrics import dice  # noqa: E402
from LightMedSegLib.finetuning.job.from_files import finetune  # noqa: E402
from LightMedSegLib.inference.segmentation import segment  # noqa: E402
from LightMedSegLib.model.package import Model, load_model  # noqa: E402

STRUCTURES = ("Anterior", "Posterior")
SPLIT = ROOT / "Resources" / "Training" / "hippocampus-t1-mr.split.json"


def learnt_from(data: Path, names: Sequence[str], folder: Path) -> Path:
    """A folder with the scans and labelmaps of these names."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
        for name in names:
            shutil.copyfile(data / part / f"{name}.nii.gz", folder / part / f"{name}.nii.gz")
    return folder


def scores(model: Model, data: Path, names: Sequence[str], device: str) -> list[float]:
    """Mean Dice of each structure over the scans of these names."""
    values = []
    for name in names:
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(data / "labels" / f"{name}.nii.gz")))
        found = sitk.GetArrayFromImage(segment(data / "images" / f"{name}.nii.gz", model, device).labelmap)
        values.append([dice(found == value, truth == value) for value in range(1, len(STRUCTURES) + 1)])
    return [float(value) for value in np.nanmean(np.array(values), axis=0)]


def rows(arguments: Any) -> Iterator[dict[str, Any]]:
    """One row for each choice of scans."""
    names = json.loads(SPLIT.read_text(encoding="utf-8"))[arguments.part]
    step = arguments.cases + arguments.tested
    settings = {} if arguments.steps is None else {"steps": arguments.steps}
    settings |= {} if arguments.learning_rate is None else {"learning_rate": arguments.learning_rate}
    for choice in range(arguments.choices):
        chosen = names[choice * step : (choice + 1) * step]
        with tempfile.TemporaryDirectory() as temporary:
            cases = learnt_from(arguments.data, chosen[: arguments.cases], Path(temporary) / "data")
            out, started = Path(temporary) / "out", time.perf_counter()
            result = finetune(
                arguments.start,
                cases,
                out,
                device=arguments.device,
                new_labels=STRUCTURES,
                new_model="Hippocampus of three",
                seed=2026 + choice,
                **settings,
            )
            seconds = time.perf_counter() - started
            found = scores(load_model(out / "candidate"), arguments.data, chosen[arguments.cases :], arguments.device)
        yield {
            "start": Path(arguments.start).name,
            "learnt_from": arguments.cases,
            "choice": choice,
            "tested_on": len(chosen) - arguments.cases,
            "gate": result.verdict.to_json()["held_out"]["after"],
            "tested": mean(found),
            "by_structure": listed(found),
            "accepted": result.verdict.accepted,
            "seconds": f"{seconds:.0f}",
            "device": arguments.device,
        }


def main() -> int:
    parser = experiment_parser(__doc__)
    parser.add_argument("--start", default="interactive", help="name or folder of the promptable model")
    parser.add_argument("--part", choices=["train", "validation", "test"], default="test")
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--tested", type=int, default=5)
    parser.add_argument("--choices", type=int, default=3)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--learning-rate", type=float)
    write_rows(rows(parser.parse_args()), Path(parser.parse_args().out))
    return 0


if __name__ == "__main__":
    sys.exit(main())

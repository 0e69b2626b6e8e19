"""What an automatic user paints until our models' predictions are right, with and without completion.

    python Testing/Benchmarks/correction_effort.py --data FOLDER --out OUT [--model interactive]

FOLDER holds the data sets that prompted/cases.json names. Each structure of the prediction is a segment of its own. The
user paints with one brush what is wrong at the deepest error, until Dice is 0.95 or ten strokes are painted. Painting
alone goes on, in the same way, until Dice is as high: the voxels painted till then are compared. OUT gets
corrections.csv (a line for each structure and case) and corrections.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import SimpleITK as sitk  # noqa: E402
import torch  # noqa: E402
from prompted.effort import Effort, effort  # noqa: E402
from prompted.effort_table import summary  # noqa: E402
from prompted.prompted_cases import LIST, case_groups, read_scans  # noqa: E402
from report import markdown, write_csv  # noqa: E402

from LightMedSegLib.core.errors import LightMedSegError  # noqa: E402
from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.interaction.completer import Completer  # noqa: E402
from LightMedSegLib.interaction.session import CorrectionSession  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Predict, correct, write and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=Path, default=LIST, help="another list of cases")
    parser.add_argument("--model", default="interactive")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    completer = Completer(chosen.model, chosen.device)
    groups = case_groups("corrections", chosen.cases)
    efforts: list[Effort] = []
    try:
        for group in groups:
            engine = Engine(group["model"], chosen.device)
            for scan in read_scans(group, chosen.data):
                labels = sitk.GetArrayFromImage(engine.segment(scan.image).labelmap)
                for structure, truth in scan.structures.items():
                    prediction = labels == group["structures"][structure][0]
                    session = CorrectionSession(scan.image, completer, prediction)
                    names = (scan.group, scan.case, structure)
                    efforts.append(effort(names, session, prediction, truth, scan.grid))
                    print(*efforts[-1].row().values(), flush=True)
    except LightMedSegError as error:
        print(f"correction_effort: {error}", file=sys.stderr)
        return 2
    write_csv(chosen.out / "corrections.csv", [entry.row() for entry in efforts])
    table = markdown(summary(efforts, {group["group"]: group["title"] for group in groups}))
    (chosen.out / "corrections.md").write_text(table + "\n", encoding="utf-8")
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

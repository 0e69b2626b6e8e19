"""Compares volumes and ejection fraction of the left ventricle with those of contours by hand.

    python Testing/Benchmarks/ventricle_volumes.py MODEL DATA OUT.csv

DATA holds images/ and labels/ with the stacks PATIENT_ED and PATIENT_ES of each patient, of true voxel size; label 1 is
the cavity. Every stack goes through the inference engine as a user's would. OUT.csv gets a line for each patient: the
volumes in ml and the ejection fraction in percent, by the model and by hand, and the Dice of both stacks.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from run_model import load  # noqa: E402

from LightMedSegLib.core.errors import LightMedSegError  # noqa: E402
from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.io.datasets import case_name  # noqa: E402
from LightMedSegLib.io.volume_files import read_volume  # noqa: E402

PHASES = ("ED", "ES")
CAVITY = 1


def measure(engine: Engine, image: Path, labelmap: Path) -> tuple[float, float, float]:
    """Volume in ml by the model and by hand, and their Dice."""
    volume = read_volume(image)
    found = sitk.GetArrayFromImage(engine.segment(volume).labelmap) == CAVITY
    wanted = sitk.GetArrayFromImage(read_volume(labelmap)) == CAVITY
    voxel_ml = float(np.prod(volume.GetSpacing())) / 1000
    own, by_hand = int(found.sum()), int(wanted.sum())
    return own * voxel_ml, by_hand * voxel_ml, 2 * int((found & wanted).sum()) / (own + by_hand)


def row_of(engine: Engine, data: Path, patient: str) -> dict[str, str | float]:
    """The line of one patient."""
    row: dict[str, str | float] = {"patient": patient}
    for phase in PHASES:
        name = f"{patient}_{phase}.nii.gz"
        figures = measure(engine, data / "images" / name, data / "labels" / name)
        for title, value in zip(("ml", "reference_ml", "dice"), figures, strict=True):
            row[f"{phase.lower()}_{title}"] = round(value, 4)
    for kind in ("", "reference_"):
        end_diastole, end_systole = (float(row[f"{phase.lower()}_{kind}ml"]) for phase in PHASES)
        row[f"{kind}ejection_fraction"] = round(100 * (end_diastole - end_systole) / end_diastole, 2)
    return row


def main(arguments: list[str] | None = None) -> int:
    """Measure, write and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args(arguments)
    names = {case_name(path).rpartition("_")[0] for path in (chosen.data / "images").glob("*_ED.nii.gz")}
    try:
        engine = Engine(load(chosen.model), "cpu")
        rows = [row_of(engine, chosen.data, patient) for patient in sorted(names)]
    except LightMedSegError as error:
        print(f"ventricle_volumes: {error}", file=sys.stderr)
        return 2
    with chosen.out.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    for title in ("ed_ml", "es_ml", "ejection_fraction"):
        reference = title.replace("ml", "reference_ml") if title.endswith("ml") else f"reference_{title}"
        errors = [float(row[title]) - float(row[reference]) for row in rows]
        mean, size = statistics.fmean(errors), statistics.fmean(map(abs, errors))
        print(f"{title:18s} mean error {mean:+.1f}, mean absolute error {size:.1f}, of {len(rows)} patients")
    return 0


if __name__ == "__main__":
    sys.exit(main())

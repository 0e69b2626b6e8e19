"""Finds the broken references among the head-and-neck test patients, and says whether the list names them.

    python Testing/Tools/check_references.py DATA

DATA holds OpenKBP's images/, labels/ and cases.csv. A reference that a clinic contoured is broken

- when its volume in the scan is less than a tenth or more than ten times the median of the other patients, or
- when it is of soft tissue without air and bone, and the mean CT value within it is outside -100 to 150 HU.

Nothing else is looked at, no prediction either. The last lines say how close the references come that are kept. The
list is Resources/Training/headneck-oar-ct.references.json; the exit code is 1 where it differs in patients, structures
or figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from prepare_openkbp import contoured, read_table  # noqa: E402

from LightMedSegLib.model.store import resolve_model  # noqa: E402
from LightMedSegLib.training.split import read_split  # noqa: E402

MODEL = "headneck-oar-ct"
LIST = ROOT / "Resources" / "Training" / f"{MODEL}.references.json"
FACTOR = 10.0
SOFT_TISSUE = {"Brain stem", "Spinal cord", "Right parotid gland", "Left parotid gland"}
SOFT_TISSUE_HU = (-100.0, 150.0)


@dataclass(frozen=True)
class Reference:
    """One contoured structure of one patient; mean_hu is None where no voxel of it is in the scan."""

    case: str
    label: str
    volume_ml: float
    mean_hu: float | None
    at_end: bool
    """Whether it reaches the first or the last slice."""


def measure(case: str, label: str, mask: np.ndarray, scan: np.ndarray, voxel_ml: float) -> Reference:
    """Measure one mask (bool; z, y, x) on its scan (HU, same shape)."""
    if not mask.any():
        return Reference(case, label, 0.0, None, False)
    return Reference(case, label, float(mask.sum() * voxel_ml), float(scan[mask].mean()), bool(mask[[0, -1]].any()))


def median_of_others(one: Reference, references: Sequence[Reference]) -> float | None:
    """Median volume (ml) of the structure in the other patients that have some of it; None without any."""
    volumes = [r.volume_ml for r in references if r.label == one.label and r.case != one.case and r.volume_ml]
    return statistics.median(volumes) if volumes else None


def broken(references: Sequence[Reference]) -> list[tuple[Reference, float]]:
    """The broken ones, each with the median volume (ml) of the other patients that have some of the structure."""
    found = []
    for one in references:
        median = median_of_others(one, references)
        if median is None:
            continue
        low, high = SOFT_TISSUE_HU
        elsewhere = one.label in SOFT_TISSUE and one.mean_hu is not None and not low <= one.mean_hu <= high
        if elsewhere or not median / FACTOR <= one.volume_ml <= median * FACTOR:
            found.append((one, median))
    return found


def measure_all(data: Path) -> list[Reference]:
    """The contoured references of all test patients."""
    names = {label.value: label.name for label in resolve_model(MODEL).card.labels}
    rows = {row["case"]: row for row in read_table(data)}
    references = []
    for case in read_split(ROOT / "Resources" / "Training" / f"{MODEL}.split.json").test:
        image = sitk.ReadImage(str(data / "labels" / f"{case}.nii.gz"))
        labels = sitk.GetArrayFromImage(image)
        scan = sitk.GetArrayFromImage(sitk.ReadImage(str(data / "images" / f"{case}.nii.gz")))
        voxel_ml = float(np.prod(image.GetSpacing())) / 1000
        references += [measure(case, names[value], labels == value, scan, voxel_ml) for value in contoured(rows[case])]
    return references


def nearest_kept(references: Sequence[Reference]) -> str:
    """The extremes of what the rules look at, among the references that are not broken."""
    listed = [one for one, _ in broken(references)]
    kept = [one for one in references if one not in listed]
    values = [one.mean_hu for one in kept if one.label in SOFT_TISSUE and one.mean_hu is not None]
    ratios = [one.volume_ml / median for one in kept if (median := median_of_others(one, references))]
    return f"kept: {min(ratios):.2f} to {max(ratios):.2f} times the median, {min(values):.0f} to {max(values):.0f} HU"


def main() -> int:
    """Print what is broken; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with images/, labels/ and cases.csv")
    references = measure_all(parser.parse_args().data)
    found = [
        {
            "case": one.case,
            "label": one.label,
            "volume_ml": round(one.volume_ml, 1),
            "others_median_ml": round(median, 1),
            "mean_hu": None if one.mean_hu is None else round(one.mean_hu),
            "at_end": one.at_end,
        }
        for one, median in broken(references)
    ]
    for line in found:
        print(json.dumps(line))
    print(nearest_kept(references))
    entries = json.loads(LIST.read_text(encoding="utf-8"))["broken"]
    current = [{key: value for key, value in entry.items() if key != "wrong"} for entry in entries] == found
    print(f"{LIST.name} " + ("names these" if current else "differs"))
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(main())

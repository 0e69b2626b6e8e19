"""Teaching the head-and-neck model a structure that it does not know, from a few corrected cases.

    python Testing/Benchmarks/finetune_new_structure.py --data FOLDER --out rows.csv [--cases 5] [--device cuda]

FOLDER holds images/, labels/ and cases.csv of the OpenKBP head-and-neck set. The new structure is the upper airway: the
air of nose, sinuses, mouth and throat above the lower edge of the mandible, found by a threshold inside the body. Cases
are the test patients whose mandible is contoured; corrected ones are left out of the figures, and only the airway is
reviewed in them, as by a user who cares for nothing else. Dice is on the model's grid, the mean over the patients.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent), str(ROOT / "Testing" / "Tools")]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
import torch  # noqa: E402
from finetune_jobs import experiment_parser, fine_tuned, listed, mean, write_rows  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from prepare_openkbp import contoured, read_table  # noqa: E402

from LightMedSegLib.finetuning.cases.building import build_case  # noqa: E402
from LightMedSegLib.finetuning.cases.stored_case import StoredCase  # noqa: E402
from LightMedSegLib.finetuning.gate.confusion import confusion, dice_of  # noqa: E402
from LightMedSegLib.finetuning.job.settings import FinetuneSettings  # noqa: E402
from LightMedSegLib.inference.preprocessing import prepare, prepare_labelmap  # noqa: E402
from LightMedSegLib.io.volume_files import read_volume  # noqa: E402
from LightMedSegLib.learning.own_models import make_label  # noqa: E402
from LightMedSegLib.learning.prepared_case import PreparedCase  # noqa: E402
from LightMedSegLib.model.package import Model  # noqa: E402
from LightMedSegLib.model.store import ModelStore  # noqa: E402

MODEL, STRUCTURE = "headneck-oar-ct", "Upper airway"
MANDIBLE, AIRWAY = 7, 8
BODY_HU, AIR_HU = -300, -400
SMALLEST_PIECE = 20  # voxels; less is noise, or air in an ear


@dataclass(frozen=True)
class Patient:
    """A scan, its labelmap with the airway as last label, and the label values that are marked in it."""

    name: str
    image: sitk.Image
    labelmap: sitk.Image
    labelled: tuple[int, ...]


def airway(image: sitk.Image, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The air within the body, from the lowest slice of the mandible up; no voxel that is labelled already.

    Slices lie axially, the lowest first.
    """
    hounsfield = sitk.GetArrayFromImage(image)
    body = sitk.GetImageFromArray((hounsfield > BODY_HU).astype(np.uint8))
    body = sitk.RelabelComponent(sitk.ConnectedComponent(body), sortByObjectSize=True) == 1
    filled = np.stack([sitk.GetArrayFromImage(sitk.BinaryFillhole(body[:, :, z])) for z in range(body.GetSize()[2])])
    air = (hounsfield < AIR_HU) & (filled > 0) & (labels == 0)
    air[: int(np.flatnonzero((labels == MANDIBLE).any(axis=(1, 2)))[0])] = False
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(air.astype(np.uint8)))
    kept = sitk.RelabelComponent(pieces, minimumObjectSize=SMALLEST_PIECE)
    return np.asarray(sitk.GetArrayFromImage(kept)) > 0


def patients(data: Path) -> list[Patient]:
    """The test patients whose mandible is contoured."""
    split = json.loads((ROOT / "Resources" / "Training" / f"{MODEL}.split.json").read_text(encoding="utf-8"))
    found = []
    for row in read_table(data):
        marked = contoured(row)
        if row["case"] not in split["test"] or MANDIBLE not in marked:
            continue
        image = read_volume(data / "images" / f"{row['case']}.nii.gz")
        labelmap = read_volume(data / "labels" / f"{row['case']}.nii.gz")
        labels = sitk.GetArrayFromImage(labelmap).astype(np.uint8)
        labels[airway(image, labels)] = AIRWAY
        grown = sitk.GetImageFromArray(labels)
        grown.CopyInformation(labelmap)
        found.append(Patient(row["case"], image, grown, (*marked, AIRWAY)))
    return found


def corrected(patient: Patient, model: Model, device: str) -> StoredCase:
    """The patient as a case of which only the airway was reviewed."""
    only = sitk.Cast(patient.labelmap == AIRWAY, sitk.sitkUInt8) * AIRWAY
    label = make_label(AIRWAY, STRUCTURE)
    return build_case(patient.image, only, model, reviewed_labels=[AIRWAY], new_labels=[label], device=device)


def dice(network: torch.nn.Module, tested: Sequence[Patient], model: Model, classes: int, device: str) -> list[float]:
    """Mean Dice over the patients of every label that a network of so many classes knows."""
    values = []
    for patient in tested:
        array, grid = prepare(patient.image, model.card.input)
        labels = np.asarray(prepare_labelmap(patient.labelmap, grid))
        labels = np.where(labels < classes, labels, 0).astype(np.uint8)
        marked = tuple(value for value in patient.labelled if value < classes)
        case = PreparedCase(patient.name, array.astype(np.float16), labels, marked)
        counts = confusion(network, case, classes, model.card.input.patch, torch.device(device))
        values.append([dice_of(counts, value) if value in marked else np.nan for value in range(1, classes)])
    return [float(value) for value in np.nanmean(np.array(values), axis=0)]


def rows(data: Path, count: int, choices: Sequence[int], steps: int, device: str) -> Iterator[dict[str, Any]]:
    """One row for each choice of corrected patients."""
    model = ModelStore().find(MODEL)
    everyone = patients(data)
    parent = model.build_network().eval().to(device)
    for choice in choices:
        first = choice * count
        chosen, others = everyone[first : first + count], everyone[:first] + everyone[first + count :]
        cases = (corrected(patient, model, device) for patient in chosen)
        outcome = fine_tuned(MODEL, cases, FinetuneSettings(seed=2026 + choice, steps=steps), device)
        before = dice(parent, others, model, AIRWAY, device)
        after = before if outcome.network is None else dice(outcome.network, others, model, AIRWAY + 1, device)
        yield {
            "corrected": len(chosen),
            "choice": choice,
            "steps": steps,
            "tested": len(others),
            "airway": f"{after[AIRWAY - 1]:.4f}" if len(after) >= AIRWAY else "",
            "others_before": mean(before),
            "others_after": mean(after[: AIRWAY - 1]),
            **outcome.columns(),
            "device": device,
            "before_by_structure": listed(before),
            "after_by_structure": listed(after),
        }


def main() -> int:
    parser = experiment_parser(__doc__)
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--choices", type=int, nargs="+", default=range(3), help="of corrected patients")
    parser.add_argument("--steps", type=int, default=FinetuneSettings().steps, help="of each training")
    arguments = parser.parse_args()
    table = rows(arguments.data, arguments.cases, arguments.choices, arguments.steps, arguments.device)
    write_rows(table, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

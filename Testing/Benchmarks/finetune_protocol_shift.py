"""Fine-tuning the brain model, which never saw a real scan, on corrected real ones: what it gains, what it forgets.

    python Testing/Benchmarks/finetune_protocol_shift.py --data FOLDER --prepared PREPARED --out rows.csv

FOLDER holds images/ and labels/ of the MICCAI 2012 atlas challenge, PREPARED the labelmaps as prepared for training.
Whole jobs with the defaults, as a user starts them; the corrected scans are left out of the figures, the rest is
tested. Corrections are the set's own labels, mapped as Resources/Training/malc2012-to-brain-structures.json says; what
has no counterpart is not reviewed. Dice is on the model's grid, of all voxels of the tested scans together. "made" is
what is forgotten: Dice on images made of the two labelmaps that are the test part of the model's own training.
"reference" is what the gate measured of that, on the model's reference set.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
import torch  # noqa: E402
from brain_reference import IGNORED, map_labels, read_mapping  # noqa: E402
from finetune_jobs import experiment_parser, fine_tuned, listed, mean, write_rows  # noqa: E402

from LightMedSegLib.finetuning.cases.building import build_case  # noqa: E402
from LightMedSegLib.finetuning.cases.stored_case import StoredCase  # noqa: E402
from LightMedSegLib.finetuning.gate.confusion import confusion, dice_of  # noqa: E402
from LightMedSegLib.finetuning.job.settings import FinetuneSettings  # noqa: E402
from LightMedSegLib.finetuning.tuning.predictions import windows_of  # noqa: E402
from LightMedSegLib.inference.preprocessing import prepare, prepare_labelmap  # noqa: E402
from LightMedSegLib.io.volume_files import read_volume  # noqa: E402
from LightMedSegLib.learning.prepared_case import PreparedCase, read_prepared  # noqa: E402
from LightMedSegLib.model.package import Model  # noqa: E402
from LightMedSegLib.model.store import ModelStore  # noqa: E402
from LightMedSegLib.training.configuration.reader import read_configuration  # noqa: E402
from LightMedSegLib.training.run import read_run_split  # noqa: E402
from LightMedSegLib.training.synthesis.images import synthetic_cases  # noqa: E402

MODEL = "brain-structures-mr"
TUNED_ON = ("malc_1000", "malc_1001", "malc_1002")
"""Scans that the defaults for whole heads were chosen with."""

RECIPE = ROOT / "Resources" / "Training" / "brain-structures-mr.toml"
IMAGES_PER_LABELMAP = 3
CHOICES = 3
MAPPING = ROOT / "Resources" / "Training" / "malc2012-to-brain-structures.json"

Scan = tuple[str, sitk.Image, sitk.Image]


def scans(data: Path, model: Model) -> list[Scan]:
    """Name, image and mapped reference of every scan."""
    mapping, values = read_mapping(MAPPING), {label.name: label.value for label in model.card.labels}
    return [
        (
            path.name.removesuffix(".nii.gz"),
            read_volume(path),
            map_labels(read_volume(data / "labels" / path.name), mapping, values),
        )
        for path in sorted((data / "images").glob("*.nii.gz"))
    ]


def reviewed_labels(model: Model) -> list[int]:
    """The labels that the references can judge."""
    left_out = set(read_mapping(MAPPING)["not_evaluated"])
    return [label.value for label in model.card.labels if label.name not in left_out]


def corrected(scan: Scan, model: Model, device: str) -> StoredCase:
    """The scan as a case, reviewed wherever the reference says something."""
    _, image, reference = scan
    truth = sitk.GetArrayFromImage(reference)
    known = truth != IGNORED
    correction = sitk.GetImageFromArray(np.where(known, truth, 0).astype(np.uint8))
    correction.CopyInformation(reference)
    values = reviewed_labels(model)
    absent = [value for value in values if not (truth == value).any()]
    return build_case(image, correction, model, reviewed_labels=values, absent=absent, reviewed=known, device=device)


def on_grid(scan: Scan, model: Model) -> PreparedCase:
    """The scan as the network gets it."""
    name, image, reference = scan
    array, grid = prepare(image, model.card.input)
    return PreparedCase(name, array.astype(np.float16), prepare_labelmap(reference, grid))


def dice(network: torch.nn.Module, tested: Sequence[PreparedCase], model: Model, device: str) -> list[float]:
    """Dice of every label that the references can judge."""
    classes, patch = model.card.num_classes, model.card.input.patch
    total = np.zeros((classes, classes), dtype=np.int64)
    for case in tested:
        windows = windows_of(case, patch, near_structures=True)
        total += confusion(network, case, classes, patch, torch.device(device), None, windows)
    return [dice_of(total, value) for value in reviewed_labels(model)]


def made_images(prepared: Path) -> list[PreparedCase]:
    """Images of the labelmaps of the test part, the same every time."""
    configuration = read_configuration(RECIPE)
    split = read_run_split(configuration, RECIPE.parent)
    assert split is not None
    labelmaps = [case for case in read_prepared(prepared, configuration) if case.name in split.test]
    several = replace(configuration, synthesis=replace(configuration.synthesis, validation_images=IMAGES_PER_LABELMAP))
    return synthetic_cases(several, labelmaps, torch.device("cpu"))


def rows(
    data: Path,
    made: Sequence[PreparedCase],
    left_out: Sequence[str],
    counts: Sequence[int],
    choices: Sequence[int],
    device: str,
) -> Iterator[dict[str, Any]]:
    """One row for each number of corrected scans and choice of them."""
    model = ModelStore().find(MODEL)
    everything = [scan for scan in scans(data, model) if scan[0] not in left_out]
    prepared = {scan[0]: on_grid(scan, model) for scan in everything}
    parent = model.build_network().eval().to(device)
    made_before = mean(dice(parent, made, model, device))
    for choice in choices:
        for count in counts:
            # Every choice begins with another scan.
            first = choice * len(everything) // CHOICES
            order = everything[first:] + everything[:first]
            others = [prepared[scan[0]] for scan in order[count:]]
            cases = (corrected(scan, model, device) for scan in order[:count])
            outcome = fine_tuned(MODEL, cases, FinetuneSettings(seed=2026 + choice), device)
            tuned = outcome.network or parent
            before, after = (dice(one, others, model, device) for one in (parent, tuned))
            yield {
                "corrected": count,
                "choice": choice,
                "tested": len(others),
                "before": mean(before),
                "after": mean(after),
                "made_before": made_before,
                "made_after": mean(dice(tuned, made, model, device)),
                **outcome.columns(),
                "device": device,
                "before_by_structure": listed(before),
                "after_by_structure": listed(after),
            }


def main() -> int:
    parser = experiment_parser(__doc__)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--corrected", type=int, nargs="+", default=[1, 2, 3, 5])
    parser.add_argument("--choices", type=int, nargs="+", default=range(CHOICES), help="of corrected scans")
    parser.add_argument("--leave-out", nargs="*", default=TUNED_ON, help="scans that take no part")
    arguments = parser.parse_args()
    table = rows(
        arguments.data,
        made_images(arguments.prepared),
        arguments.leave_out,
        arguments.corrected,
        arguments.choices,
        arguments.device,
    )
    write_rows(table, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

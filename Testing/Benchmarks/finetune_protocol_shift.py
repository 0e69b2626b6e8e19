"""Fine-tuning the brain model, which never saw a real scan, on corrected real ones: what it gains, what it forgets.

    python Testing/Benchmarks/finetune_protocol_shift.py --data FOLDER --out rows.csv [--corrected 1 3] [--device cpu]

FOLDER holds images/ and labels/ of the MICCAI 2012 atlas challenge. Whole jobs with the defaults, as a user starts
them; the corrected scans are left out of the figures, the rest is tested. Corrections are the set's own labels, mapped
as Resources/Training/malc2012-to-brain-structures.json says; what has no counterpart is not reviewed. Dice is on the
model's grid, of all voxels of the tested scans together. "reference" is what the gate measured of forgetting.
"""

from __future__ import annotations

import argparse
import csv
import json
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
import torch  # noqa: E402
from brain_reference import IGNORED, map_labels, read_mapping  # noqa: E402

from LightMedSegLib.finetuning.case_building import build_case  # noqa: E402
from LightMedSegLib.finetuning.case_store import CaseStore  # noqa: E402
from LightMedSegLib.finetuning.confusion import confusion, dice_of  # noqa: E402
from LightMedSegLib.finetuning.job import run_job  # noqa: E402
from LightMedSegLib.finetuning.job_description import JobDescription  # noqa: E402
from LightMedSegLib.finetuning.settings import FinetuneSettings  # noqa: E402
from LightMedSegLib.model_package import Model, load_model  # noqa: E402
from LightMedSegLib.model_store import ModelStore  # noqa: E402
from LightMedSegLib.preprocessing import prepare, prepare_labelmap  # noqa: E402
from LightMedSegLib.training.preparation import PreparedCase  # noqa: E402
from LightMedSegLib.volume_files import read_volume  # noqa: E402

MODEL = "brain-structures-mr"
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


def add_corrected(store: CaseStore, scan: Scan, model: Model, device: str) -> None:
    """The scan as a case, reviewed wherever the reference says something."""
    _, image, reference = scan
    truth = sitk.GetArrayFromImage(reference)
    known = truth != IGNORED
    correction = sitk.GetImageFromArray(np.where(known, truth, 0).astype(np.uint8))
    correction.CopyInformation(reference)
    values = reviewed_labels(model)
    absent = [value for value in values if not (truth == value).any()]
    case = build_case(image, correction, model, reviewed_labels=values, absent=absent, reviewed=known, device=device)
    store.add(case)


def dice(network: torch.nn.Module, tested: Sequence[Scan], model: Model, device: str) -> list[float]:
    """Dice of every label that the references can judge."""
    classes = model.card.num_classes
    total = np.zeros((classes, classes), dtype=np.int64)
    for name, image, reference in tested:
        array, grid = prepare(image, model.card.input)
        case = PreparedCase(name, array.astype(np.float16), prepare_labelmap(reference, grid))
        total += confusion(network, case, classes, model.card.input.patch, torch.device(device))
    return [dice_of(total, value) for value in reviewed_labels(model)]


def rows(data: Path, counts: Sequence[int], repetitions: int, tested: int, device: str) -> Iterator[dict[str, Any]]:
    """One row for each number of corrected scans and choice of them."""
    model = ModelStore().find(MODEL)
    everything = scans(data, model)
    parent = model.build_network().eval().to(device)
    for repetition in range(repetitions):
        for count in counts:
            # Every choice begins with another scan.
            first = repetition * len(everything) // repetitions
            order = everything[first:] + everything[:first]
            corrected, others = order[:count], order[count : count + tested]
            with tempfile.TemporaryDirectory() as folder:
                store = CaseStore(Path(folder) / "cases")
                for scan in corrected:
                    add_corrected(store, scan, model, device)
                job = JobDescription(
                    MODEL,
                    device=device,
                    install=False,
                    settings=FinetuneSettings(seed=2026 + repetition),
                    cases_folder=str(store.folder),
                )
                started = time.perf_counter()
                result = run_job(job, Path(folder) / "job")
                seconds = time.perf_counter() - started
                candidate = Path(folder) / "job" / "candidate"
                network = load_model(candidate).build_network().eval().to(device) if candidate.is_dir() else parent
            before, after = (dice(one, others, model, device) for one in (parent, network))
            reference = list(result.verdict.to_json().get("reference", []))
            yield {
                "corrected": count,
                "choice": repetition,
                "tested": len(others),
                "before": f"{np.nanmean(before):.4f}",
                "after": f"{np.nanmean(after):.4f}",
                "reference_before": _mean(reference, "before"),
                "reference_after": _mean(reference, "after"),
                "accepted": result.verdict.accepted,
                "gate": " ".join((*result.verdict.notes, *result.verdict.reasons)),
                "seconds": f"{seconds:.0f}",
                "device": device,
                "before_by_structure": " ".join(f"{value:.3f}" for value in before),
                "after_by_structure": " ".join(f"{value:.3f}" for value in after),
            }


def _mean(entries: Sequence[Any], key: str) -> str:
    values = [entry[key] for entry in entries if entry.get(key) is not None]
    return f"{np.mean(values):.4f}" if values else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corrected", type=int, nargs="+", default=[1, 2, 3, 5])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--tested", type=int, default=100, help="at most so many of the other scans")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    table = rows(arguments.data, arguments.corrected, arguments.repetitions, arguments.tested, arguments.device)
    with arguments.out.open("w", newline="", encoding="utf-8") as stream:
        writer = None
        for row in table:
            if writer is None:
                writer = csv.DictWriter(stream, row.keys(), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
            stream.flush()
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

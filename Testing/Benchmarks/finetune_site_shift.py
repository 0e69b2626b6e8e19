"""Fine-tuning after a change of site: the hippocampus model on volumes of another contrast, noise and resolution.

Usage:
  python Testing/Benchmarks/finetune_site_shift.py choose --data FOLDER --out choices.csv
  python Testing/Benchmarks/finetune_site_shift.py table --data FOLDER --out table.csv

FOLDER holds images/ and labels/ of the Medical Segmentation Decathlon, task 4. The site is made from its volumes:
tissue contrast that is no monotone function of the old one, thick slices, coil shading and Rician noise, the same for
the same case every time. "choose" compares ways of fine-tuning, one run on all corrected cases, on validation cases
only. "table" reports whole jobs with the defaults, as a user starts them, on test cases that no choice was made on: the
corrected ones are left out of the figures. Corrections are the set's own labels. Dice is on the model's
grid, the mean of the cases' values. "original" is the same cases before the change of site: what is forgotten.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from finetune_jobs import fine_tuned, write_rows  # noqa: E402

from LightMedSegLib.finetuning.cases.building import build_case  # noqa: E402
from LightMedSegLib.finetuning.gate.confusion import confusion, dice_of  # noqa: E402
from LightMedSegLib.finetuning.job.settings import FinetuneSettings  # noqa: E402
from LightMedSegLib.finetuning.tuning.tuner import Task, Tuner  # noqa: E402
from LightMedSegLib.inference.preprocessing import prepare, prepare_labelmap  # noqa: E402
from LightMedSegLib.learning.prepared_case import PreparedCase  # noqa: E402
from LightMedSegLib.model.package import Model  # noqa: E402
from LightMedSegLib.model.store import ModelStore  # noqa: E402

MODEL = "hippocampus-t1-mr"
REHEARSED, REPETITIONS = 3, 3
CORRECTED = (1, 3)
CONTRAST, NOISE, SHADING = 0.85, 0.06, 0.25
SLICE_SIGMA_MM, IN_PLANE_SIGMA_MM = 1.0, 0.6

CHOICES: dict[str, dict[str, Any]] = {
    "plain": {"rehearsal": 0.0},
    "pull 20": {"rehearsal": 0.0, "pull": 20.0},
    "pull 100": {"rehearsal": 0.0, "pull": 100.0},
    "encoder frozen": {"rehearsal": 0.0, "encoder_factor": 0.0},
    "encoder 0.2": {"rehearsal": 0.0, "encoder_factor": 0.2},
    "rehearsal 0.5": {"rehearsal": 0.5},
    "rehearsal 0.25": {"rehearsal": 0.25},
    "rehearsal 0.5, pull 100": {"rehearsal": 0.5, "pull": 100.0},
    "rehearsal 0.5, pull 20": {"rehearsal": 0.5, "pull": 20.0},
    "rehearsal 0.5, encoder 0.2": {"rehearsal": 0.5, "encoder_factor": 0.2},
    "rehearsal 0.5, rate 2e-3": {"rehearsal": 0.5, "learning_rate": 2e-3},
    "rehearsal 0.5, rate 5e-4": {"rehearsal": 0.5, "learning_rate": 5e-4},
}


def other_site(image: sitk.Image, seed: int) -> sitk.Image:
    """The volume as the other site's scanner would show it; the same for the same seed."""
    random = np.random.default_rng(seed)
    array = sitk.GetArrayFromImage(image).astype(np.float64)
    low, high = np.percentile(array, [1, 99])
    scaled = np.clip((array - low) / (high - low), 0, 1.2)
    # White matter becomes darker than grey matter, as on T2, but part of the old contrast remains.
    turned = (1 - CONTRAST) * scaled + CONTRAST * 1.8 * scaled * np.exp(-1.2 * scaled**2)
    blurred = sitk.GetImageFromArray(turned)
    blurred.CopyInformation(image)
    order = sitk.RecursiveGaussianImageFilter.ZeroOrder
    blurred = sitk.RecursiveGaussian(blurred, SLICE_SIGMA_MM, False, order, 2)
    blurred = sitk.RecursiveGaussian(blurred, IN_PLANE_SIGMA_MM, False, order, 0)
    clean = sitk.GetArrayFromImage(blurred)
    noisy = np.hypot(clean + random.normal(0, NOISE, clean.shape), random.normal(0, NOISE, clean.shape))
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in clean.shape), indexing="ij")
    result = sitk.GetImageFromArray((1000 * noisy * np.exp(SHADING * (0.8 * y - 0.6 * x))).astype(np.float32))
    result.CopyInformation(image)
    return result


def volumes(data: Path, name: str, shifted: bool) -> tuple[sitk.Image, sitk.Image]:
    """A case's volume, as its own or as the other site shows it, and its labelmap."""
    image = sitk.ReadImage(str(data / "images" / f"{name}.nii.gz"))
    labelmap = sitk.Cast(sitk.ReadImage(str(data / "labels" / f"{name}.nii.gz")), sitk.sitkUInt8)
    return other_site(image, int("".join(filter(str.isdigit, name)))) if shifted else image, labelmap


def load(data: Path, name: str, model: Model, shifted: bool) -> PreparedCase:
    """A case on the model's grid."""
    image, labelmap = volumes(data, name, shifted)
    array, grid = prepare(image, model.card.input)
    return PreparedCase(name, array.astype(np.float16), prepare_labelmap(labelmap, grid))


def mean_dice(network: torch.nn.Module, cases: Iterable[PreparedCase], model: Model) -> list[float]:
    """Mean over the cases of each label's Dice."""
    values, classes = [], model.card.num_classes
    for case in cases:
        counts = confusion(network, case, classes, model.card.input.patch, torch.device("cpu"))
        values.append([dice_of(counts, value) for value in range(1, classes)])
    return [float(value) for value in np.nanmean(np.array(values), axis=0)]


def tuned(
    model: Model, cases: Sequence[PreparedCase], rehearsal: Sequence[PreparedCase], settings: FinetuneSettings
) -> tuple[torch.nn.Module, float]:
    """A network fine-tuned on the cases, and the seconds that took."""
    x, y, z = model.card.input.spacing
    task = Task(model.card.input.patch, (z, y, x), model.card.num_classes)
    started = time.perf_counter()
    network = model.build_network()
    tuner = Tuner(network, cases, rehearsal, task, settings, torch.device("cpu"))
    while not tuner.finished:
        tuner.advance()
    network.load_state_dict(tuner.weights())
    return network, time.perf_counter() - started


def choose(data: Path, split: dict[str, list[str]], choices: dict[str, dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """One row for each choice and repetition, on the validation part."""
    model = ModelStore().find(MODEL)
    shifted = [load(data, name, model, True) for name in split["validation"]]
    original = [load(data, name, model, False) for name in split["validation"]]
    train = sorted(split["train"])
    rehearsal = [load(data, name, model, False) for name in train[:: len(train) // REHEARSED][:REHEARSED]]
    parent = model.build_network()
    original_before = mean_dice(parent, original, model)
    for repetition in range(REPETITIONS):
        others = shifted[:repetition] + shifted[repetition + 1 :]
        before = mean_dice(parent, others, model)
        for name, values in choices.items():
            settings = FinetuneSettings(**{"seed": 2026 + repetition, "pull": 0.0, **values})
            network, seconds = tuned(model, [shifted[repetition]], rehearsal, settings)
            after, original_after = mean_dice(network, others, model), mean_dice(network, original, model)
            yield {
                "choice": name,
                "repetition": repetition,
                **_figures(before, after, original_before, original_after),
                "seconds": f"{seconds:.1f}",
            }


def table(data: Path, split: dict[str, list[str]]) -> Iterable[dict[str, Any]]:
    """One row for each number of corrected cases and repetition, on the test part."""
    store = ModelStore()
    model = store.find(MODEL)
    shifted = [load(data, name, model, True) for name in split["test"]]
    original = [load(data, name, model, False) for name in split["test"]]
    parent = model.build_network()
    original_before = mean_dice(parent, original, model)
    for repetition in range(REPETITIONS):
        for count in CORRECTED:
            first = repetition * max(CORRECTED)
            names, others = split["test"][first : first + count], shifted[:first] + shifted[first + count :]
            cases = (build_case(*volumes(data, name, True), model, device="cpu") for name in names)
            outcome = fine_tuned(MODEL, cases, FinetuneSettings(seed=2026 + repetition), "cpu")
            network = outcome.network or parent
            before, after = mean_dice(parent, others, model), mean_dice(network, others, model)
            yield {
                "cases": count,
                "repetition": repetition,
                **_figures(before, after, original_before, mean_dice(network, original, model)),
                **outcome.columns(),
            }


def _figures(
    before: list[float], after: list[float], original_before: list[float], original_after: list[float]
) -> dict[str, str]:
    return {
        "before": f"{np.mean(before):.4f}",
        "after": f"{np.mean(after):.4f}",
        "before_per_label": " ".join(f"{value:.4f}" for value in before),
        "after_per_label": " ".join(f"{value:.4f}" for value in after),
        "original_before": f"{np.mean(original_before):.4f}",
        "original_after": f"{np.mean(original_after):.4f}",
    }


def main() -> int:
    """Run one of the two experiments and write its rows as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=["choose", "table"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of the choices to compare")
    arguments = parser.parse_args()
    split = json.loads((ROOT / "Resources" / "Training" / f"{MODEL}.split.json").read_text(encoding="utf-8"))
    choices = {name: CHOICES[name] for name in arguments.only or CHOICES}
    rows = choose(arguments.data, split, choices) if arguments.experiment == "choose" else table(arguments.data, split)
    write_rows(rows, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Small corrected cases and an untrained tiny model, for the tests of fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from model_factory import SMALLEST, make_model

from LightMedSegLib.finetuning.cases.building import build_case
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.cases.stored_case import StoredCase
from LightMedSegLib.finetuning.job.description import JobDescription
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.tuning.tuner import Task
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.store import ModelStore

SHAPE = (16, 16, 16)
TINY_TASK = Task((16, 16, 16), (1.0, 1.0, 1.0), 3)
QUICK = FinetuneSettings(steps=4, learning_rate=5e-3, pull=0.0, warmup_steps=1, checkpoint_seconds=0.0, averaging=0.5)


def slabs(seed: int = 0, labels: int = 2) -> tuple[sitk.Image, sitk.Image]:
    """A volume of layers, each brighter than the one below, and their labelmap (values 0..labels)."""
    random = np.random.default_rng(seed)
    truth = np.zeros(SHAPE, dtype=np.uint8)
    height = SHAPE[1] // (labels + 1)
    for value in range(1, labels + 1):
        truth[:, value * height : (value + 1) * height] = value
    array = 100 + 300.0 * truth + random.normal(0, 15, SHAPE)
    return sitk.GetImageFromArray(array.astype(np.float32)), sitk.GetImageFromArray(truth)


def planes(*numbers: int) -> np.ndarray:
    """A mask of SHAPE that is true in the slices with these numbers."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[list(numbers)] = True
    return mask


def scans_in_files(folder: Path, count: int) -> Path:
    """A folder with images/ and labels/ of slabs."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        image, labelmap = slabs(number)
        sitk.WriteImage(image, str(folder / "images" / f"DOE_JANE_{number}.nii.gz"))
        sitk.WriteImage(labelmap, str(folder / "labels" / f"DOE_JANE_{number}.nii.gz"))
    return folder


def empty_prediction(image: sitk.Image) -> sitk.Image:
    """A labelmap without any structure, on the image's grid."""
    labelmap = sitk.Image(image.GetSize(), sitk.sitkUInt8)
    labelmap.CopyInformation(image)
    return labelmap


def tiny_model(folder: Path, patch: Sequence[int] = SHAPE, seed: int = 9) -> Model:
    """A package with random weights; with those of the usual seed a few steps of training show."""
    return make_model(folder, seed=seed, arguments=SMALLEST, input={"patch": list(patch), "overlap": 0.0})


def corrected_case(model: Model, seed: int = 0, change: Callable[[sitk.Image], sitk.Image] | None = None) -> StoredCase:
    """Slabs with their labels, which change may spoil."""
    image, labelmap = slabs(seed)
    return build_case(image, change(labelmap) if change else labelmap, model, prediction=empty_prediction(image))


def installed_with_cases(folder: Path, cases: int = 1) -> tuple[ModelStore, CaseStore, Model]:
    """The user's stores (LIGHTMEDSEG_HOME) with a tiny model and some cases."""
    store, case_store = ModelStore(), CaseStore()
    model = store.add(tiny_model(folder / "package").folder)
    for number in range(cases):
        case_store.add(corrected_case(model, number))
    return store, case_store, model


def quick_job(**changes: object) -> JobDescription:
    """A job of a few steps."""
    return JobDescription(**{"model": "test-model", "device": "cpu", "settings": QUICK, **changes})  # type: ignore[arg-type]

"""Cases that a shipped model was not trained on, with their truth, as a user's scans come: for measuring its doubt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from brain_reference import MAPPING, map_labels, read_mapping

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.io.datasets import find_cases
from LightMedSegLib.io.labelmaps.case_labels import read_case_labels
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.prepared_case import IGNORED, prepare_case
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.training.configuration.reader import read_configuration
from LightMedSegLib.training.run import read_run_split
from LightMedSegLib.training.synthesis.images import synthetic_cases

TRAINING = Path(__file__).resolve().parents[2] / "Resources" / "Training"


@dataclass(frozen=True)
class HeldOut:
    """A scan with its truth: UInt8 on its grid, IGNORED where nobody knows. judged: values with a truth, not 0."""

    name: str
    patient: str
    image: sitk.Image
    truth: sitk.Image
    judged: tuple[int, ...]


def held_out_cases(card: ModelCard, data: Path, part: str, count: int | None = None) -> Iterator[HeldOut]:
    """The cases of a part of the model's split, read one after the other; count: only the first so many.

    data: what the model was trained on, a folder or a CSV file. A model of synthetic images has no scans for its split:
    its part "test" is a folder of MICCAI 2012 scans (images, labels), its "validation" are synthetic images of the
    labelmaps that were held out.
    """
    recipe = TRAINING / f"{card.name}.toml"
    configuration = read_configuration(recipe)
    if configuration.synthesis.active and part == "test":
        yield from miccai_scans(card, data, count)
        return
    split = read_run_split(configuration, recipe.parent)
    assert split is not None
    cases = {case.name: case for case in find_cases(data, configuration.data.layout, configuration.in_channels)}
    split.check_available(cases)
    chosen = [cases[name] for name in getattr(split, part)][:count]
    values = tuple(label.value for label in card.labels)
    if configuration.synthesis.active:
        yield from _synthetic(configuration, chosen, values)
        return
    for case in chosen:
        image = read_volume(case.images[0])
        truth = read_case_labels(case, image, card.labels, (IGNORED,)).image
        yield HeldOut(
            case.name, case.patient or case.name, image, sitk.Cast(truth, sitk.sitkUInt8), case.labelled or values
        )


def _synthetic(configuration: TrainingConfiguration, cases: list[Case], values: tuple[int, ...]) -> Iterator[HeldOut]:
    prepared = [prepare_case(case, configuration) for case in cases]
    for made in synthetic_cases(configuration, prepared, torch.device("cpu")):
        image, truth = (sitk.GetImageFromArray(array) for array in (made.image[0].astype(np.float32), made.labels))
        for volume in (image, truth):
            volume.SetSpacing(configuration.input["spacing_mm"])
        yield HeldOut(made.name, made.name.rpartition("-")[0], image, truth, values)


def miccai_scans(card: ModelCard, data: Path, count: int | None) -> Iterator[HeldOut]:
    """The scans of the folder data (images, labels) with the labels of the card, a brain model's.

    Raises TrainingDataError for a model without structures of the mapping, or a folder without scans.
    """
    mapping, values = read_mapping(MAPPING), {label.name: label.value for label in card.labels}
    if set(mapping["labels"]) - set(values):
        raise TrainingDataError(f"The model {card.identifier} lacks structures of the mapping {MAPPING.name}.")
    left_out = set(mapping["not_evaluated"])
    paths = sorted((data / "images").glob("*.nii.gz"))[:count]
    if not paths:
        raise TrainingDataError(f"The folder {data} holds no images/*.nii.gz.")
    judged = tuple(value for name, value in values.items() if name not in left_out)
    for path in paths:
        truth = map_labels(read_volume(data / "labels" / path.name), mapping, values)
        name = path.name.removesuffix(".nii.gz")
        yield HeldOut(name, name, read_volume(path), truth, judged)

"""The comments of a planned configuration file: why each item is as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from LightMedSegLib.learning.schedule import spoken_duration
from LightMedSegLib.training.planning.augmentation_plan import mirror_reason
from LightMedSegLib.training.planning.dataset import Dataset
from LightMedSegLib.training.planning.input_plan import STRIDE, Limits
from LightMedSegLib.training.planning.memory import LEAST_BATCH
from LightMedSegLib.training.planning.schedule import Schedule
from LightMedSegLib.training.split import Split


def reason_of_split(split: Split, patients: Mapping[str, str]) -> str:
    """Return the comment on the split file; patients: of each case."""
    return (
        f"{len(split.train)} cases for training, {len(split.validation)} for validation, {len(split.test)} for test. "
        f"The cases are of {len(set(patients.values()))} patients, by the column patient of a CSV file, by sub-XX of "
        "BIDS names, or by names that differ in a visit alone. All cases of a patient are in one part; change the "
        "file if this is not so."
    )


def reasons_of_input(dataset: Dataset, content: Mapping[str, Any], limits: Limits) -> dict[str, str]:
    """Return the comments on what the scans and the memory decide."""
    scans, planned = dataset.facts[0], content["input"]
    median = np.median([scan.spacing for scan in scans], axis=0)
    extent = np.max([scan.extent for scan in scans], axis=0)
    larger = bool((np.array(planned["spacing_mm"]) > 1.02 * median).any())
    sides = np.multiply(planned["patch"][::-1], planned["spacing_mm"])
    mirrored = mirror_reason([label.name for label in dataset.labels])
    reasons = {
        "labels": "The structures, in the order of their values. Codes of SNOMED CT may take the place of the private "
        "ones; colours are red, green, blue.",
        "card.name": "What the model is called, and what its card says. Please correct the words.",
        "licenses.code": "Of the program, of the weights that this run makes, and of the data.",
        "data.layout": "decathlon: imagesTr and labelsTr, or images and labels. csv: a table of cases.",
        "input.spacing_mm": f"x, y, z. The median of the scans is {_product(median)} mm"
        + ("; larger here, so that a patch shows enough and the cases fit into memory." if larger else "."),
        "input.patch": f"z, y, x: {_product(sides[::-1])} mm; the largest structure has {_product(extent[::-1])} mm. "
        f"Sizes are multiples of {STRIDE}, as the network halves them four times. The device takes "
        f"{limits.patch:,} voxels.",
        "input.channels": "window: the range of the structures' Hounsfield units in all scans, clipped and scaled. "
        "zscore: each volume by its own mean and deviation, without the outermost values.",
        "augmentation.elastic_grid_mm": f"Lengths are in proportion to the patch. {mirrored}",
    }
    if content["postprocessing"]:
        reasons["postprocessing"] = "These structures are in one piece in every case."
    return reasons


def reasons_of_schedule(schedule: Schedule, step_seconds: float, minutes: float, device: str) -> dict[str, str]:
    """Return the comments on what the time decides."""
    every = {item: spoken_duration(schedule.run[item] * step_seconds) for item in schedule.run}
    return {
        "optimizer.steps": f"At most. About {schedule.expected_steps} are expected in {minutes:g} minutes: a step took "
        f"{step_seconds:.3g} s on {device}, measured with this network and patch; in a run it may be faster.",
        "optimizer.batch": f"Cases of a step: {LEAST_BATCH}, fewer where memory is short; on CUDA more "
        "of small patches.",
        "optimizer.budget_seconds": "The run ends at this time if the steps have not ended it; the learning rate falls "
        "accordingly. 0: no limit.",
        "averaging.decay": "The averaged weights look back over a twelfth of the steps, at most over 1,000.",
        "run.log_interval": f"In steps: a line about every {every['log_interval']}, a validation about every "
        f"{every['validation_interval']}.",
    }


def _product(values: Any) -> str:
    return " x ".join(f"{value:.3g}" for value in values)

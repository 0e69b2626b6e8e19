"""A tiny head as a labelmap of ids, and a training configuration that makes images from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from training_factory import CODE, content

from LightMedSegLib.learning.case_stack import stack_cases
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.labelmap_indices import indices_of
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.training.configuration.reader import configuration_of
from LightMedSegLib.training.synthesis.images import SyntheticBatchSource

LEFT, RIGHT, FLUID, PLEXUS, BONE, SKIN = 2, 41, 24, 136, 515, 511
NAMES = ["Left half", "Right half", "Fluid"]

TISSUES = [
    {
        "name": "brain",
        "classes": [[LEFT, RIGHT]],
        "t1_ms": [600, 1000],
        "t2_ms": [60, 90],
        "proton_density": [0.7, 0.8],
    },
    {"name": "fluid", "classes": [[FLUID]], "t1_ms": [3500, 4500], "t2_ms": [1200, 2200], "proton_density": [0.9, 1.0]},
    {"name": "plexus", "classes": [[PLEXUS]], "t1_ms": [1000, 1900], "t2_ms": [90, 250], "proton_density": [0.8, 0.9]},
    {
        "name": "bone",
        "classes": [[BONE]],
        "t1_ms": [300, 1500],
        "t2_ms": [4, 20],
        "proton_density": [0.1, 0.2],
        "extracerebral": True,
    },
    {
        "name": "skin",
        "classes": [[SKIN]],
        "t1_ms": [250, 400],
        "t2_ms": [60, 110],
        "proton_density": [0.8, 1.0],
        "extracerebral": True,
        "enhances": True,
    },
]
SECTION: dict[str, Any] = {
    "label_ids": [LEFT, RIGHT, FLUID],
    "merged_ids": [[PLEXUS, 1]],
    "surrounding_ids": [FLUID],
    "lesion_ids": [LEFT, RIGHT],
    "tissues": TISSUES,
    "validation_images": 2,
}
PLAIN = {
    **{
        f"{name}_probability": 0.0
        for name in (
            "strip",
            "tight_strip",
            "bias",
            "slice",
            "coarse",
            "noise",
            "view",
            "lesion",
            "vessel",
            "enhancement",
            "exchange",
            "drop",
        )
    },
    "texture_sigma": 0.0,
    "blur_mm": [0.0, 1e-6],
}
"""Nothing but tissue: what a test looks at, it switches on."""

NO_MOTION = {
    "rotation_degrees": 0.0,
    "scaling_probability": 0.0,
    "shear": 0.0,
    "translation_mm": 0.0,
    "elastic_probability": 0.0,
    "foreground_probability": 0.0,
}
NO_INTENSITY = {
    f"{name}_probability": 0.0
    for name in ("noise", "blur", "brightness", "contrast", "low_resolution", "gamma", "bias_field")
}
STILL = {**NO_MOTION, **NO_INTENSITY}
PATCH = (32, 32, 32)


def settings(synthesis: dict[str, Any] | None = None, **sections: Any) -> TrainingConfiguration:
    """A run on the tiny head; synthesis and sections replace single values."""
    labels = [
        {"value": value, "name": name, "color": [200, 0, value], "terminology": {"category": CODE, "type": CODE}}
        for value, name in enumerate(NAMES, start=1)
    ]
    card_input = {"patch": list(PATCH), **sections.pop("input", {})}
    augmentation = {**STILL, **sections.pop("augmentation", {})}
    parsed = content(
        synthesis={**SECTION, **(synthesis or {})},
        data={"layout": "labelmaps", **sections.pop("data", {})},
        input=card_input,
        augmentation=augmentation,
        network={"name": "lightmedseg-tiny"},
        **sections,
    )
    return configuration_of({**parsed, "labels": labels})


def head(size: int = 32) -> np.ndarray:
    """Ids (z, y, x) of a head; x runs to the left, and the right half of the brain is the smaller one."""
    z, y, x = np.meshgrid(*(np.arange(size) - (size - 1) / 2,) * 3, indexing="ij")
    radius = np.sqrt(z**2 + y**2 + x**2) * 32 / size
    ids = np.zeros((size, size, size), np.int32)
    for outer, number in ((14.5, SKIN), (12.5, BONE), (11, FLUID)):
        ids[radius < outer] = number
    brain = radius < 9
    ids[brain] = np.where(x[brain] > -2, LEFT, RIGHT)
    ids[np.sqrt(z**2 + y**2 + (x - 4) ** 2) * 32 / size < 2] = PLEXUS
    return ids


def head_case(name: str = "head") -> PreparedCase:
    """The head as a prepared case: indices, no image."""
    indices = indices_of(head(), settings().synthesis, name)
    return PreparedCase(name, np.zeros((0, *indices.shape), np.float16), indices)


def source(synthesis: dict[str, Any] | None = None, **sections: Any) -> SyntheticBatchSource:
    """A source of images of the tiny head, nothing but tissue where synthesis does not switch something on."""
    chosen = settings({**PLAIN, **(synthesis or {})}, **sections)
    return SyntheticBatchSource(stack_cases([head_case()], chosen.num_classes, torch.device("cpu")), chosen)


def write_labelmaps(folder: Path, count: int = 4) -> None:
    """Labelmaps as files, stored with other axes than the model's."""
    folder.mkdir(parents=True)
    for number in range(count):
        image = sitk.GetImageFromArray(np.roll(head(), number - 1, axis=1))
        sitk.WriteImage(sitk.DICOMOrient(image, "LIA"), str(folder / f"map_{number}.nii.gz"))

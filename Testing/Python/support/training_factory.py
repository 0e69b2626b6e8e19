"""Tiny training runs for the tests: a configuration, cases with a known answer, and a small network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from torch import nn

from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.training.configuration.reader import configuration_of

torch.set_num_threads(1)

CPU = torch.device("cpu")

CODE = {"scheme": "SCT", "value": "123037004", "meaning": "Anatomical Structure"}


def content(**sections: dict[str, Any]) -> dict[str, Any]:
    """The parsed file of a tiny run with two labels; sections replace single values."""
    base: dict[str, Any] = {
        "card": {
            "name": "two-balls",
            "version": "0.1.0",
            "title": "Two balls",
            "description": "A bright and a very bright ball.",
            "modality": "MR",
            "body_region": "Head",
            "intended_use": "Tests.",
            "limits": "Balls only.",
        },
        "input": {
            "channels": [{"name": "T1", "normalization": {"kind": "zscore", "clip_percentiles": [0, 100]}}],
            "spacing_mm": [1.0, 1.0, 1.0],
            "orientation": "LPS",
            "patch": [16, 16, 16],
        },
        "labels": [
            {"value": value, "name": name, "color": [200, 0, 0], "terminology": {"category": CODE, "type": CODE}}
            for value, name in ((1, "Ball"), (2, "Bright ball"))
        ],
        "licenses": {"code": "Apache-2.0", "weights": "CC-BY-4.0", "data": "CC-BY-4.0"},
        "augmentation": {"elastic_probability": 0.0, "scaling_probability": 0.0, "rotation_degrees": 5.0},
        "optimizer": {"steps": 4, "batch": 2, "warmup_steps": 2, "learning_rate": 1e-2},
        "run": {"log_interval": 1, "validation_interval": 100, "checkpoint_interval": 100, "seed": 1},
    }
    for name, values in sections.items():
        base[name] = {**base.get(name, {}), **values}
    return base


def configuration(**sections: dict[str, Any]) -> TrainingConfiguration:
    """The configuration of content(**sections)."""
    return configuration_of(content(**sections))


def ball_case(number: int, shape: tuple[int, int, int] = (14, 16, 12)) -> tuple[np.ndarray, np.ndarray]:
    """Image (z, y, x) and labels of one case: two balls of different brightness at places of their own."""
    random = np.random.default_rng(number)
    places = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), axis=-1)
    image, labels = random.normal(0, 0.2, shape), np.zeros(shape, np.uint8)
    for value, low in ((1, 0.3), (2, 0.7)):
        centre = np.array(shape) * low + random.uniform(-1, 1, 3)
        ball = ((places - centre) ** 2).sum(-1) < 3.2**2
        image[ball] += 2.0 * value
        labels[ball] = value
    return image.astype(np.float32), labels


def prepared_cases(count: int = 6, labelled: tuple[int, ...] | None = None) -> list[PreparedCase]:
    """Cases on the model grid, normalised."""
    cases = []
    for number in range(count):
        image, labels = ball_case(number, (14, 16 - number % 2, 12))
        image = (image - image.mean()) / image.std()
        cases.append(PreparedCase(f"case_{number:02d}", image[None].astype(np.float16), labels, labelled))
    return cases


def write_decathlon_folder(folder: Path, count: int = 4) -> None:
    """A folder in the Decathlon layout."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        image, labels = ball_case(number)
        sitk.WriteImage(sitk.GetImageFromArray(image), str(folder / "imagesTr" / f"case_{number:02d}.nii.gz"))
        sitk.WriteImage(sitk.GetImageFromArray(labels), str(folder / "labelsTr" / f"case_{number:02d}.nii.gz"))


class TinyNetwork(nn.Module):
    """Two convolutions, with a coarser second output in training."""

    total_stride = 2

    def __init__(self, in_channels: int = 1, num_classes: int = 3, deep_supervision: bool = True) -> None:
        super().__init__()
        self.deep_supervision = deep_supervision
        self.features = nn.Sequential(nn.Conv3d(in_channels, 8, 3, padding=1), nn.LeakyReLU())
        self.head = nn.Conv3d(8, num_classes, 3, padding=1)
        self.coarse = nn.Conv3d(8, num_classes, 1)

    def forward(self, volume: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        features = self.features(volume)
        logits = self.head(features)
        if not (self.training and self.deep_supervision):
            return logits
        return [logits, self.coarse(nn.functional.avg_pool3d(features, 2))]


def tiny_network(seed: int = 0) -> TinyNetwork:
    """A TinyNetwork whose weights depend on seed alone."""
    torch.manual_seed(seed)
    return TinyNetwork()

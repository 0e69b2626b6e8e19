"""Small networks, models and volumes with known answers, for the tests of the inference engine."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from model_factory import make_card
from torch import Tensor, nn

from LightMedSegLib.inference.segmentation import Segmentation
from LightMedSegLib.model.card import ModelCard

torch.set_num_threads(1)

_serial_numbers = itertools.count()

IDENTITY_WINDOW = {"kind": "window", "lower": -1e6, "upper": 1e6, "mean": 0.0, "std": 1.0}
SMALL_PATCH = {"patch": [16, 16, 16]}


@dataclass
class StubModel:
    """What the engine needs of a model: a card and a way to a network. Counts how often the network is built."""

    card: ModelCard
    network: nn.Module
    built: int = 0

    def build_network(self, device: str = "cpu") -> nn.Module:
        self.built += 1
        return self.network.eval()


class ThresholdNetwork(nn.Module):
    """Class n where the intensity is nearest to n * step; sees one voxel at a time."""

    def __init__(self, classes: int = 3, step: float = 100.0, total_stride: int = 4):
        super().__init__()
        self.total_stride = total_stride
        self.register_buffer("centres", torch.arange(classes).view(1, -1, 1, 1, 1) * step)

    def forward(self, x: Tensor) -> Tensor:
        return -((x[:, :1] - self.centres) ** 2) / 1000


class RandomNetwork(nn.Module):
    """Seeded 3x3x3 convolutions: sees directions, so a wrongly turned volume gives other labels."""

    def __init__(self, in_channels: int = 1, classes: int = 3, seed: int = 0, total_stride: int = 4):
        super().__init__()
        self.total_stride = total_stride
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv3d(in_channels, 8, 3, padding=1), nn.Tanh(), nn.Conv3d(8, classes, 3, padding=1)
            )
            nn.init.normal_(self.layers[0].weight, std=1.0)
            nn.init.normal_(self.layers[2].weight, std=1.0)

    def forward(self, x: Tensor) -> Tensor:
        if any(size % self.total_stride for size in x.shape[2:]):
            raise ValueError(f"size {tuple(x.shape[2:])} is no multiple of {self.total_stride}")
        return self.layers(x)


def stub_card(
    classes: int = 3, channels: int = 1, normalization: dict[str, Any] | None = None, **changes: Any
) -> ModelCard:
    """A card for a stub network; keyword arguments change its input settings, or top-level items it has."""
    items = ("postprocessing", "test_time_mirroring", "mirror_label_swaps", "removed_with_skull")
    top = {key: changes.pop(key) for key in items if key in changes}
    names = [
        {"name": f"Channel {number}", "normalization": normalization or {"kind": "zscore", "clip_percentiles": [1, 99]}}
        for number in range(1, channels + 1)
    ]
    # Every stub claims weights of its own, as every trained model has.
    weights = {"sha256": f"{next(_serial_numbers):064x}"}
    card = make_card(labels=classes - 1, input={"channels": names, **changes}, weights=weights, **top)
    return ModelCard.from_json(card)


def stub_model(network: nn.Module | None = None, **card: Any) -> StubModel:
    """A model around network (a ThresholdNetwork on raw intensities without one)."""
    if network is None:
        network = ThresholdNetwork(card.get("classes", 3))
        card.setdefault("normalization", IDENTITY_WINDOW)
    return StubModel(stub_card(**card), network)


def smooth_noise(shape: tuple[int, int, int], seed: int = 0, sigma: float = 2.0) -> np.ndarray:
    """A smooth random volume (z, y, x), float32, with no symmetry at all, mean 100 and deviation 50."""
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    smooth = sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.GetImageFromArray(noise), sigma**2))
    return (smooth - smooth.mean()) / smooth.std() * 50 + 100


def make_image(
    array: np.ndarray,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    direction: np.ndarray | None = None,
) -> sitk.Image:
    """An image of array (z, y, x) with the given geometry; direction is a 3x3 matrix."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction.ravel().tolist())
    return image


def rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    """3x3 rotation about x, then y, then z."""
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*np.deg2rad(degrees))
    return np.reshape(transform.GetMatrix(), (3, 3))


def reordered(image: sitk.Image, permutation: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> sitk.Image:
    """The same volume in space, its voxels stored in another axis order and direction."""
    return sitk.Flip(sitk.PermuteAxes(image, permutation), flips, False)


def array_of(result: Segmentation) -> np.ndarray:
    """The labels (z, y, x)."""
    return sitk.GetArrayFromImage(result.labelmap)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """The least Dice over the labels that occur in either."""
    scores = []
    for value in np.union1d(first[first > 0], second[second > 0]):
        a, b = first == value, second == value
        scores.append(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert scores, "neither has any label"
    return float(min(scores))

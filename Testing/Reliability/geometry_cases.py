"""Random volumes in random places, whose intensities are a known function of space."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
import SimpleITK as sitk
from engine_stubs import IDENTITY_WINDOW, StubModel, ThresholdNetwork, make_image, rotation, stub_model
from hypothesis import strategies as st

from LightMedSegLib.core.geometry import Box

Vector = tuple[float, float, float]

CODES = ["".join(letters) for order in permutations(("RL", "AP", "SI")) for letters in product(*order)]
DTYPES = ("int16", "uint16", "float32", "float64", "int32")
CONTRAST = 1000.0
"""Intensity between neighbouring classes of the stand-in network: large, so that whole numbers are exact enough."""


@dataclass(frozen=True)
class Place:
    """size in voxels, spacing and origin in mm; direction: 3x3, right- or left-handed, flattened."""

    size: tuple[int, int, int]
    spacing: Vector
    origin: Vector
    direction: tuple[float, ...]


@dataclass(frozen=True)
class Model:
    """What the card of the stand-in says."""

    spacing: Vector
    orientation: str
    patch: tuple[int, int, int]
    overlap: float
    view: str

    def stub(self, classes: int) -> StubModel:
        """A network that labels every voxel by its intensity."""
        return stub_model(
            ThresholdNetwork(classes, step=CONTRAST),
            classes=classes,
            normalization={**IDENTITY_WINDOW, "mean": CONTRAST},
            spacing_mm=list(self.spacing),
            orientation=self.orientation,
            patch=list(self.patch),
            overlap=self.overlap,
            view=self.view,
        )


@dataclass(frozen=True)
class ImageCase:
    """normal: of the planes between the labels, a unit vector. region: None, or a box as fractions of each axis."""

    place: Place
    model: Model
    normal: Vector
    dtype: str
    region: tuple[tuple[float, float], ...] | None

    @property
    def box(self) -> Box | None:
        """The region in voxels."""
        if self.region is None:
            return None
        a, b, c = (
            (int(first * (size - 1)), int(first * (size - 1)) + max(1, round(length * size)))
            for (first, length), size in zip(self.region, self.place.size, strict=True)
        )
        return (a, b, c)


@dataclass(frozen=True)
class BallCase:
    """A ball whose radius is this many times the longer voxel edge of volume and model."""

    spacing: Vector
    model: Model
    angles: Vector
    shift: Vector
    radius_in_voxels: float


@dataclass(frozen=True)
class SceneCase:
    """An image under transforms: turns and shifts, and stretching along the volume's own axes."""

    image: ImageCase
    angles: Vector
    shift: Vector
    stretch: Vector
    hardened: bool


@dataclass(frozen=True)
class RefusedCase:
    """kind: mirror, shear, warp or flat."""

    kind: str
    place: Place
    axis: int
    amount: float


@st.composite
def _places(draw: Any, largest: int = 26) -> Place:
    turn = rotation(draw(_vectors(-180, 180))) if draw(st.booleans()) else np.eye(3)
    # Every axis order and flip: half of them are left-handed.
    order, flips = draw(st.permutations(range(3))), draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3))
    direction = (turn * np.array(flips))[:, order]
    return Place(
        draw(st.tuples(*[st.integers(6, largest)] * 3)),
        draw(st.tuples(*[st.floats(0.3, 4.0)] * 3)),
        draw(_vectors(-800, 800)),
        tuple(direction.ravel().tolist()),
    )


def _vectors(lowest: float, highest: float) -> Any:
    return st.tuples(*[st.floats(lowest, highest)] * 3)


def _models() -> Any:
    return st.builds(
        Model,
        st.tuples(*[st.floats(0.75, 3.0)] * 3),
        st.sampled_from(CODES),
        st.tuples(*[st.sampled_from((8, 12, 16))] * 3),
        st.sampled_from((0.0, 0.25, 0.5)),
        st.sampled_from(("windows", "whole")),
    )


def image_cases() -> Any:
    """For the library alone."""
    fractions = st.tuples(*[st.tuples(st.floats(0, 0.6), st.floats(0.2, 1.0))] * 3)
    return st.builds(ImageCase, _places(), _models(), _normals(), st.sampled_from(DTYPES), st.none() | fractions)


def _normals() -> Any:
    return _vectors(-1, 1).filter(lambda v: np.linalg.norm(v) > 0.2).map(_unit)


def _unit(vector: Vector) -> Vector:
    x, y, z = (np.array(vector) / np.linalg.norm(vector)).tolist()
    return (x, y, z)


def ball_cases() -> Any:
    """Balls of some fifteen voxels radius: linear interpolation flattens smaller ones by more than the 1 % allowed.

    Their middle is not that of a voxel, where a ball of whole voxels is itself 1 % larger or smaller than the formula.
    """
    models = st.builds(
        Model, st.tuples(*[st.floats(0.8, 1.4)] * 3), st.sampled_from(CODES), st.just((32, 32, 32)),
        st.sampled_from((0.0, 0.25)), st.sampled_from(("windows", "whole")),
    )  # fmt: skip
    return st.builds(
        BallCase, st.tuples(*[st.floats(0.8, 1.4)] * 3), models, _vectors(-180, 180), _vectors(0.1, 0.4),
        st.floats(14.1, 16),
    )  # fmt: skip


def scene_cases() -> Any:
    """For the bridge."""
    return st.builds(
        SceneCase, image_cases(), _vectors(-180, 180), _vectors(-300, 300),
        st.one_of(st.just((1.0, 1.0, 1.0)), _vectors(0.7, 1.45)), st.booleans(),
    )  # fmt: skip


def refused_cases() -> Any:
    """Places that the bridge must not accept."""
    return st.builds(
        RefusedCase, st.sampled_from(("mirror", "shear", "warp", "flat")), _places(10), st.integers(0, 2),
        st.floats(0.05, 0.8),
    )  # fmt: skip


def points(size: tuple[int, int, int], spacing: Any, origin: Any, direction: Any) -> np.ndarray:
    """The place (z, y, x, 3) in LPS of every voxel, computed here and not by the code under test."""
    index = np.stack(np.meshgrid(*[np.arange(n, dtype=float) for n in size], indexing="ij"), axis=-1)
    world = (index * np.array(spacing)) @ np.reshape(direction, (3, 3)).T + np.array(origin)
    return world.transpose(2, 1, 0, 3)


def heights(where: np.ndarray, normal: Vector) -> tuple[np.ndarray, float]:
    """Distance of every place from the middle of the volume along normal, and the distance between two labels."""
    height = where @ np.array(normal)
    height = height - (height.max() + height.min()) / 2
    return height, float(np.ptp(height)) / 3


def intensities(level: np.ndarray) -> np.ndarray:
    """Those that the stand-in takes for class n where level is nearest to n; above 0, for unsigned voxels."""
    result: np.ndarray = CONTRAST * (1 + level)
    return result


def image_of(voxels: np.ndarray, place: Place, dtype: str) -> sitk.Image:
    """The image of voxels on the place's grid."""
    whole = np.issubdtype(np.dtype(dtype), np.integer)
    array = (np.rint(voxels) if whole else voxels).astype(dtype)
    return make_image(array, place.spacing, place.origin, np.reshape(place.direction, (3, 3)))

"""Lattices of voxels and the way between a volume's own and the model's.

A model sees a volume on the *model grid*: the volume's own axes, permuted and flipped to the card's
orientation, at the card's spacing. Axes are never rotated, so an oblique volume keeps its slices.
Both lattices stay parallel, hence one number line per axis (:class:`AxisMap`) describes the whole way.

Index and world coordinates are ITK's: (x, y, z), LPS, mm, integer indices at voxel centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError

if TYPE_CHECKING:
    import SimpleITK as sitk

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Half-open voxel index ranges ((i0, i1), (j0, j1), (k0, k1))."""

Region = tuple[slice, slice, slice]
"""Part of an array (z, y, x)."""

LPS_FROM_RAS = np.diag((-1.0, -1.0, 1.0))
"""Between the world axes of ITK (LPS) and those of 3D Slicer and NIfTI (RAS), in either direction."""

SAME_GRID = 0.1
"""Grids whose voxels lie within this fraction of a voxel of each other count as the same.

Files round spacing, origin and direction differently, and what they round adds up over hundreds of voxels: it is the
distance in space that counts. A tenth of a voxel is more than any header loses, and too little to pair a voxel with its
neighbour.
"""

SAME_SPACING = 0.01
"""An axis whose spacing is within this fraction of the model's is not resampled: 1 % does not change anatomy."""

SLICES = "slices"
"""Orientation of a model that sees slices as they were acquired, whichever way they lie in the body."""

_AXIS_LETTERS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
_MAXIMUM_MODEL_VOXELS = 2**30


@dataclass(frozen=True)
class Grid:
    """A regular lattice: size in voxels, spacing in mm, origin (centre of voxel 0, 0, 0), direction (row-major 3x3)."""

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image: sitk.Image) -> Grid:
        """The lattice of a 3D image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size as an array shape (z, y, x)."""
        return (self.size[2], self.size[1], self.size[0])

    @property
    def box(self) -> Box:
        """All voxels."""
        return ((0, self.size[0]), (0, self.size[1]), (0, self.size[2]))

    def point(self, index: tuple[float, ...]) -> NDArray[np.float64]:
        """World position (LPS, mm) of a continuous index (x, y, z)."""
        offset = np.reshape(self.direction, (3, 3)) @ (np.array(self.spacing) * np.array(index))
        return np.array(self.origin) + offset

    def same_as(self, other: Grid) -> bool:
        """Return whether both have the same voxels: equal in number and within SAME_GRID of a voxel."""
        if self.size != other.size:
            return False
        # The distance between two lattices is greatest at a corner.
        corners = [tuple(corner) for corner in product(*((-0.5, length - 0.5) for length in self.size))]
        distances = [float(np.linalg.norm(self.point(corner) - other.point(corner))) for corner in corners]
        return max(distances) <= SAME_GRID * min(self.spacing)

    def image(self, array: NDArray[Any]) -> sitk.Image:
        """An image of array (z, y, x) on this lattice."""
        import SimpleITK as sitk

        result = sitk.GetImageFromArray(array)
        result.SetSpacing(self.spacing)
        result.SetOrigin(self.origin)
        result.SetDirection(self.direction)
        return result


@dataclass(frozen=True)
class AxisMap:
    """One axis of a volume and its resampled counterpart, running in the same direction.

    The voxels start .. start + length - 1 of the volume's axis (spacing mm) are covered by model_length
    voxels of model_spacing mm. The middles of both extents coincide, so mirroring an axis mirrors its samples.
    """

    start: int
    length: int
    spacing: float
    model_length: int
    model_spacing: float

    @classmethod
    def between(cls, start: int, length: int, spacing: float, model_spacing: float) -> AxisMap:
        """Cover length voxels of spacing mm at (about) model_spacing mm."""
        if abs(spacing / model_spacing - 1) <= SAME_SPACING:
            return cls(start, length, spacing, length, spacing)
        return cls(start, length, spacing, max(1, round(length * spacing / model_spacing)), model_spacing)

    @property
    def identity(self) -> bool:
        """Whether the axis keeps its voxels (is not resampled)."""
        return self.length == self.model_length and self.spacing == self.model_spacing

    @property
    def ratio(self) -> float:
        """Model spacing over the volume's spacing: above 1 the model is coarser."""
        return self.model_spacing / self.spacing

    def to_model(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """Continuous model coordinates of indices of the volume's axis."""
        centred = np.asarray(index, dtype=np.float64) - self.start - (self.length - 1) / 2
        return centred / self.ratio + (self.model_length - 1) / 2

    def to_volume(self, index: NDArray[Any] | float) -> NDArray[np.float64]:
        """Continuous indices of the volume's axis of model coordinates."""
        centred = np.asarray(index, dtype=np.float64) - (self.model_length - 1) / 2
        return centred * self.ratio + (self.length - 1) / 2 + self.start


@dataclass(frozen=True)
class AxisOrder:
    """The permutation and flips that turn the array dimensions (z, y, x) of a volume into the model's.

    dims[d] is the volume's array dimension that becomes dimension d of the model's array;
    flips[d] says whether it is reversed.
    """

    dims: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    @property
    def flipped_dims(self) -> tuple[int, ...]:
        """Dimensions of the model's array that run against the volume's."""
        return tuple(d for d in range(3) if self.flips[d])

    def to_model(self, array: NDArray[Any]) -> NDArray[Any]:
        """A view of array (volume's z, y, x) as the model's (z, y, x)."""
        return np.flip(array.transpose(self.dims), self.flipped_dims)


@dataclass(frozen=True)
class GridMap:
    """The mapping from a box of a volume to the model grid and back.

    axes: one AxisMap per axis (x, y, z) of the volume. order: how arrays are turned. model: the model grid.
    """

    axes: tuple[AxisMap, AxisMap, AxisMap]
    order: AxisOrder
    model: Grid

    def positions(self, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Continuous model coordinates of the voxels of box, rising, per dimension (z, y, x) of the model's array.

        Voxel n of dimension d of order.to_model(<the box of the volume's array>) lies at positions[d][n].
        Voxels beyond the outermost model voxel get that voxel's coordinate.
        """
        z, y, x = (self._positions(d, box) for d in range(3))
        return z, y, x

    def _positions(self, dim: int, box: Box) -> NDArray[np.float64]:
        axis_number = 2 - self.order.dims[dim]
        axis = self.axes[axis_number]
        last = axis.model_length - 1
        position = axis.to_model(np.arange(*box[axis_number]))
        if self.order.flips[dim]:
            position = last - position[::-1]
        return np.clip(position, 0, last)


def map_to_model_grid(
    volume: Grid, spacing: tuple[float, float, float], orientation: str, box: Box | None = None
) -> GridMap:
    """The way from a box of volume (None: all of it) to the model grid.

    Args:
        spacing: the model's spacing (x, y, z) in mm along the oriented axes.
        orientation: three letters as for SimpleITK.DICOMOrient, e.g. "LPS": where x, y and z point to; or SLICES.

    Raises InputImageError when the volume's extent is absurd at this spacing (a wrong unit in its header).
    """
    axis_of, flipped = (
        _slice_axes(volume.spacing) if orientation == SLICES else orient_axes(volume.direction, orientation)
    )
    axes: list[AxisMap] = []
    for axis in range(3):
        first, last = box[axis] if box is not None else (0, volume.size[axis])
        model_axis = axis_of.index(axis)
        axes.append(AxisMap.between(first, last - first, volume.spacing[axis], spacing[model_axis]))
    size = tuple(axes[axis].model_length for axis in axis_of)
    if size[0] * size[1] * size[2] > _MAXIMUM_MODEL_VOXELS:
        extent = " x ".join(f"{axis.length * axis.spacing:.0f}" for axis in axes)
        raise InputImageError(
            f"The volume spans {extent} mm, too much for the model's spacing of "
            f"{' x '.join(f'{value:g}' for value in spacing)} mm; correct its spacing or choose a region of interest."
        )
    corner = [0.0, 0.0, 0.0]
    columns = np.reshape(volume.direction, (3, 3))[:, axis_of].copy()
    for model_axis, axis in enumerate(axis_of):
        corner[axis] = float(axes[axis].to_volume(size[model_axis] - 1 if flipped[model_axis] else 0))
        if flipped[model_axis]:
            columns[:, model_axis] *= -1
    model = Grid(
        (size[0], size[1], size[2]),
        (axes[axis_of[0]].model_spacing, axes[axis_of[1]].model_spacing, axes[axis_of[2]].model_spacing),
        tuple(volume.point(tuple(corner)).tolist()),
        tuple(columns.ravel().tolist()),
    )
    order = AxisOrder(
        (2 - axis_of[2], 2 - axis_of[1], 2 - axis_of[0]),
        (flipped[2], flipped[1], flipped[0]),
    )
    return GridMap((axes[0], axes[1], axes[2]), order, model)


def orient_axes(direction: tuple[float, ...], orientation: str) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Return which volume axis becomes x, y and z of the oriented volume, and which of them are flipped.

    As SimpleITK.DICOMOrient: each axis goes to the anatomical direction it is nearest to. Where several
    choices are equally near (45 degrees oblique) the one with the greatest oriented direction matrix wins,
    because that does not depend on the order in which the volume stores its axes.
    """
    targets = [_AXIS_LETTERS[letter] for letter in orientation.upper()]
    if len({axis for axis, _ in targets}) != 3:
        raise ValueError(f"{orientation!r} is no orientation; it needs one letter of each pair L/R, P/A and S/I.")
    matrix = np.reshape(direction, (3, 3))
    best: tuple[tuple[float, ...], tuple[int, ...]] | None = None
    for axes in permutations(range(3)):
        nearness = np.abs([matrix[world, axes[world]] for world in range(3)]).sum()
        signs = [1.0 if matrix[world, axes[world]] >= 0 else -1.0 for world in range(3)]
        oriented = matrix[:, axes] * signs
        key = (round(float(nearness), 6), *np.round(oriented.ravel(), 6).tolist())
        if best is None or key > best[0]:
            best = (key, axes)
    assert best is not None
    axis_of = tuple(best[1][world] for world, _ in targets)
    flipped = tuple(bool(matrix[world, best[1][world]] * sign < 0) for world, sign in targets)
    return (axis_of[0], axis_of[1], axis_of[2]), (flipped[0], flipped[1], flipped[2])


def _slice_axes(spacing: tuple[float, float, float]) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """As orient_axes, with z across the slices, which is the axis of the longest voxels, and nothing flipped.

    Of axes whose voxels are equally long it is the last one, where files have their slices.
    """
    across = max(axis for axis in range(3) if spacing[axis] >= max(spacing) * (1 - SAME_SPACING))
    x, y = (axis for axis in range(3) if axis != across)
    return (x, y, across), (False, False, False)


def grow_box(box: Box, margin_mm: float, volume: Grid) -> Box:
    """box grown by margin_mm on every side, cut at the volume's borders."""
    grown = []
    for axis in range(3):
        margin = int(np.ceil(margin_mm / volume.spacing[axis]))
        grown.append((max(0, box[axis][0] - margin), min(volume.size[axis], box[axis][1] + margin)))
    return (grown[0], grown[1], grown[2])


def clip_box(box: Box, volume: Grid) -> Box:
    """The part of box inside the volume; raises InputImageError when nothing is left."""
    ranges = []
    for (first, last), size in zip(box, volume.size, strict=True):
        ranges.append((max(0, int(first)), min(size, int(last))))
    if any(first >= last for first, last in ranges):
        raise InputImageError(
            f"The region of interest {tuple(map(tuple, box))} holds no voxel of the volume of "
            f"{' x '.join(map(str, volume.size))} voxels; choose one that does."
        )
    return (ranges[0], ranges[1], ranges[2])


def bounding_box(values: NDArray[Any]) -> Region:
    """The smallest part of a mask or labels (z, y, x) outside which all is 0; empty slices if everything is."""
    if not values.size:
        return (slice(0, 0), slice(0, 0), slice(0, 0))
    # A maximum over planes goes through memory in its order; most of the rest need not be looked at again.
    flat = values.max(axis=0) != 0
    y, x = span(flat.any(axis=1)), span(flat.any(axis=0))
    return (span(values[:, y, x].max(axis=(1, 2), initial=0)), y, x)


def span(marks: Any) -> slice:
    """Return the slice from the first to the last nonzero value of marks (1D); an empty slice if all are 0."""
    places = np.flatnonzero(marks)
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(0, 0)


def region_of(box: Box, inside: Box | None = None) -> Region:
    """The part of an array (z, y, x) that box covers; the array holds the box inside (None: the volume)."""
    i, j, k = (0, 0, 0) if inside is None else (inside[0][0], inside[1][0], inside[2][0])
    (x0, x1), (y0, y1), (z0, z1) = box
    return (slice(z0 - k, z1 - k), slice(y0 - j, y1 - j), slice(x0 - i, x1 - i))


def box_of(region: Region, inside: Box | None = None) -> Box:
    """The box that region covers; region counts from the first voxel of inside (None: of the volume)."""
    z, y, x = region
    i, j, k = (0, 0, 0) if inside is None else (inside[0][0], inside[1][0], inside[2][0])
    return ((x.start + i, x.stop + i), (y.start + j, y.stop + j), (z.start + k, z.stop + k))


def union_box(one: Box, other: Box) -> Box:
    """The smallest box that holds both."""
    x, y, z = ((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(one, other, strict=True))
    return (x, y, z)


def common_box(one: Box, other: Box) -> Box:
    """The box of the voxels in both; its ranges are empty where there are none."""
    x, y, z = ((max(a[0], b[0]), max(a[0], b[0], min(a[1], b[1]))) for a, b in zip(one, other, strict=True))
    return (x, y, z)


def with_neighbours(box: Box, volume: Grid) -> Box:
    """box with one more voxel on every side, cut at the volume's borders."""
    x, y, z = ((max(0, first - 1), min(size, last + 1)) for (first, last), size in zip(box, volume.size, strict=True))
    return (x, y, z)

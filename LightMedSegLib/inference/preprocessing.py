"""From a volume to what the network reads: crop, resample, orient, normalise; all from the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box, Grid, GridMap, map_to_model_grid
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.intensity_repair import Repaired, repaired
from LightMedSegLib.inference.normalization import normalize
from LightMedSegLib.inference.resampling import resample

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.model.card import InputSpec


@dataclass(frozen=True)
class PreparedVolume:
    """What the network reads of one volume.

    array: float32 (channel, z, y, x) on the model grid, normalised.
    body: bool (z, y, x), True where channel 1 is above the card's background value; None if it has none.
    grid_map: the way between the volume and the model grid.
    padding: bool (z, y, x) over the box of the first volume that was prepared, True where it holds no intensities; None
    where it holds some everywhere. notes: sentences for the user about that.
    """

    array: NDArray[np.float32]
    body: NDArray[np.bool_] | None
    grid_map: GridMap
    padding: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()


def prepare(image: sitk.Image | Sequence[sitk.Image], card_input: InputSpec) -> tuple[NDArray[np.float32], Grid]:
    """The normalised array (C, z, y, x) of a volume and the model grid it lies on, as in inference.

    Raises InputImageError when the number of volumes is not the model's number of channels.
    """
    prepared = prepare_volume(as_images(image), card_input)
    return prepared.array, prepared.grid_map.model


def prepare_labelmap(labelmap: sitk.Image, grid: Grid) -> NDArray[Any]:
    """labelmap on grid by nearest neighbour, as an array (z, y, x) of its own type.

    The outermost half voxel of grid may lie outside the labelmap; the nearest label is taken there.
    """
    import SimpleITK as sitk

    resampler = sitk.ResampleImageFilter()
    _set_reference(resampler, grid)
    resampler.SetInterpolator(sitk.sitkNearestNeighbor)
    resampler.SetUseNearestNeighborExtrapolator(True)
    return np.asarray(sitk.GetArrayFromImage(resampler.Execute(labelmap)))


def as_images(image: sitk.Image | Sequence[sitk.Image]) -> list[sitk.Image]:
    """One volume or a sequence of them as a list."""
    return list(image) if isinstance(image, (list, tuple)) else [image]


def prepare_volume(
    images: Sequence[sitk.Image],
    card_input: InputSpec,
    box: Box | None = None,
    cancel: CancelToken | None = None,
    device: str = "cpu",
) -> PreparedVolume:
    """Crop to box, resample, orient and normalise the volumes, one per channel of the model.

    The first volume's axes define the model grid; the others are brought onto the first one's grid through
    world space. Normalisation looks at the box only: what lies outside it does not change the result. device: where
    volumes are resampled.

    Raises InputImageError when the number of volumes is not the model's number of channels.
    """
    channels = card_input.channels
    if len(images) != len(channels):
        names = ", ".join(channel.name for channel in channels)
        raise InputImageError(
            f"The model reads {len(channels)} volume{'s' if len(channels) > 1 else ''} ({names}), "
            f"but {len(images)} {'were' if len(images) > 1 else 'was'} given; give one per channel, in this order."
        )
    first = Grid.of(images[0])
    grid_map = map_to_model_grid(first, card_input.spacing, card_input.orientation, box)
    result = np.empty((len(images), *grid_map.model.shape), dtype=np.float32)
    body: NDArray[np.bool_] | None = None
    padding: NDArray[np.bool_] | None = None
    notes: list[str] = []
    for index, image in enumerate(images):
        normalization = channels[index].normalization
        sound = _array_on_first_grid(image, normalization, first, grid_map, cancel)
        result[index] = grid_map.order.to_model(resample(sound.array, grid_map.axes, cancel, device))
        if index == 0 and card_input.background_value is not None:
            body = result[0] > sound.converted(card_input.background_value)
        if cancel is not None:
            cancel.raise_if_cancelled()
        normalize(result[index], normalization)
        padding = sound.padding if index == 0 else padding
        notes += [sound.note] if sound.note else []
    return PreparedVolume(result, body, grid_map, padding, tuple(notes))


def _array_on_first_grid(
    image: sitk.Image, normalization: Mapping[str, Any], first: Grid, grid_map: GridMap, cancel: CancelToken | None
) -> Repaired:
    """The part of an image that grid_map covers, on the first one's grid, its intensities repaired before."""
    import SimpleITK as sitk

    from LightMedSegLib.core.itk_filters import run_filter

    x, y, z = ((axis.start, axis.start + axis.length) for axis in grid_map.axes)
    if Grid.of(image) == first:
        return repaired(np.asarray(sitk.GetArrayViewFromImage(image))[slice(*z), slice(*y), slice(*x)], normalization)
    part = Grid(
        (x[1] - x[0], y[1] - y[0], z[1] - z[0]),
        first.spacing,
        tuple(first.point((x[0], y[0], z[0])).tolist()),
        first.direction,
    )
    whole = np.asarray(sitk.GetArrayViewFromImage(image))
    sound = repaired(whole, normalization)
    resampler = sitk.ResampleImageFilter()
    _set_reference(resampler, part)
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetOutputPixelType(sitk.sitkFloat32)
    resampler.SetDefaultPixelValue(float(sound.array.min()))
    source = image if sound.array is whole else Grid.of(image).image(sound.array)
    moved = run_filter(resampler, cancel, source)
    return replace(sound, array=np.asarray(sitk.GetArrayFromImage(moved)))


def _set_reference(resampler: sitk.ResampleImageFilter, grid: Grid) -> None:
    resampler.SetSize(grid.size)
    resampler.SetOutputSpacing(grid.spacing)
    resampler.SetOutputOrigin(grid.origin)
    resampler.SetOutputDirection(grid.direction)

"""Transforms and inferer of a bundle, in the form that MONAI calls: the parts of the program's engine that make labels.

What the engine does besides is named in the bundle's README.

MONAI's arrays are (channel, x, y, z) with an affine to RAS; ours are (channel, z, y, x) on a grid in LPS. The turn
between them happens in ToModelGridd and LabelsOnVolumed only: the network sees the order it was trained with.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.transforms import MapTransform
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Grid, GridMap, map_to_model_grid
from LightMedSegLib.inference.intensity_repair import repaired
from LightMedSegLib.inference.logit_resampling import LabelPlanes
from LightMedSegLib.inference.normalization import normalize
from LightMedSegLib.inference.postprocessing import postprocess
from LightMedSegLib.inference.resampling import resample
from LightMedSegLib.inference.sliding_window.model_grid import predict_logits
from LightMedSegLib.inference.sliding_window.windows import WindowRule
from LightMedSegLib.network.memory_format import fastest_format

_LPS_AND_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_AFFINE, _SHAPE = "lightmedseg_volume_affine", "lightmedseg_volume_shape"
_PADDING = "lightmedseg_volume_padding"
"""Entries of the metadata, of the volume before it was resampled: affine, (x, y, z) size, and a mask (z, y, x) of where
the first channel holds no intensities."""


class ToModelGridd(MapTransform):  # type: ignore[misc]
    """Volumes (channel, x, y, z) of any grid to (channel, z, y, x) on the model's.

    spacing: mm along x, y, z of the oriented grid. orientation: where those axes point to, such as "LPS".
    normalizations: what is applied afterwards, one entry a channel; padding and spikes are replaced to suit it.
    """

    def __init__(
        self, keys: Any, spacing: Sequence[float], orientation: str, normalizations: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(keys)
        self._normalizations = normalizations
        x, y, z = spacing
        self._spacing, self._orientation = (float(x), float(y), float(z)), orientation

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The dictionary with the volumes of the keys replaced."""
        result = dict(data)
        for key in self.key_iterator(result):
            volume = result[key]
            affine = np.asarray(volume.affine, dtype=np.float64)
            grid = _grid(affine, volume.shape[1:])
            grid_map = map_to_model_grid(grid, self._spacing, self._orientation)
            pairs = zip(np.asarray(volume), self._normalizations, strict=False)
            sound = [repaired(channel.T, normalization) for channel, normalization in pairs]
            channels = [grid_map.order.to_model(resample(channel.array, grid_map.axes)) for channel in sound]
            padding = np.zeros(grid.shape, dtype=bool) if sound[0].padding is None else sound[0].padding
            entries = {_AFFINE: affine, _SHAPE: np.asarray(grid.size), _PADDING: padding}
            meta = {**_other_entries(volume.meta), **entries}
            array = torch.from_numpy(np.ascontiguousarray(np.stack(channels), dtype=np.float32))
            result[key] = MetaTensor(array, affine=torch.from_numpy(_affine(grid_map.model)), meta=meta)
        return result


class NormalizeAsCardd(MapTransform):  # type: ignore[misc]
    """Intensities as the model card wants them; normalizations has one entry a channel."""

    def __init__(self, keys: Any, normalizations: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(keys)
        self._normalizations = normalizations

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The dictionary with the volumes (channel, z, y, x) of the keys replaced."""
        result = dict(data)
        for key in self.key_iterator(result):
            volume = result[key].clone()
            array = volume.as_tensor().numpy()
            if len(array) != len(self._normalizations):
                raise ValueError(f"The model reads {len(self._normalizations)} volumes, but {len(array)} were given.")
            for channel, normalization in zip(array, self._normalizations, strict=True):
                normalize(channel, normalization)
            result[key] = volume
        return result


def placed(network: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """Return network on device, in the memory format that is fastest there."""
    placed: torch.nn.Module = network.to(device).to(memory_format=fastest_format(device))  # type: ignore[call-overload]
    return placed


class EvenWindowsInferer(Inferer):  # type: ignore[misc]
    """Sliding windows, spread evenly from border to border and blended with Gaussian weights.

    patch: a window's voxels (z, y, x). multiple: what must divide every size that the network sees.
    whole: the network sees the whole volume at once where memory allows. channels, classes: of the network.
    mirror: axes whose mirror images are averaged in. swaps: pairs of classes that change places in those along x.
    largest: size (z, y, x) up to which a window grows where it then spans the volume.
    """

    def __init__(
        self,
        patch: Sequence[int],
        overlap: float,
        multiple: int,
        channels: int,
        classes: int,
        whole: bool = False,
        mirror: Sequence[str] = (),
        swaps: Sequence[Sequence[int]] = (),
        largest: Sequence[int] | None = None,
    ) -> None:
        depth, height, width = patch
        pairs = tuple((first, second) for first, second in swaps)
        rule = WindowRule((depth, height, width), overlap, multiple, whole, channels, classes, pairs)
        self._rule = rule if largest is None else replace(rule, largest=(largest[0], largest[1], largest[2]))
        self._mirror = tuple(mirror)

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits (batch, class, z, y, x) of inputs (batch, channel, z, y, x), of the same spatial size."""
        volumes = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs

        def see(x: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(network(x, *args, **kwargs))

        logits = predict_logits(see, list(volumes), self._rule, mirror=self._mirror)
        return torch.stack([one.permute(3, 0, 1, 2) for one in logits])


class LabelsOnVolumed(MapTransform):  # type: ignore[misc]
    """Logits (class, z, y, x) on the model's grid to labels (1, x, y, z) on the grid of the volume, cleaned up.

    volume_key: the prepared volume, whose metadata have its original grid and the padding, where nothing is labelled.
    steps: the card's postprocessing.
    """

    def __init__(
        self, keys: Any, volume_key: str, spacing: Sequence[float], orientation: str, steps: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(keys)
        x, y, z = spacing
        self._spacing, self._orientation = (float(x), float(y), float(z)), orientation
        self._volume_key, self._steps = volume_key, steps

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The dictionary with the logits of the keys replaced."""
        result = dict(data)
        meta = result[self._volume_key].meta
        affine = np.asarray(meta[_AFFINE], dtype=np.float64)
        grid = _grid(affine, [int(size) for size in meta[_SHAPE]])
        grid_map = map_to_model_grid(grid, self._spacing, self._orientation)
        padding = np.asarray(meta[_PADDING], dtype=bool)
        for key in self.key_iterator(result):
            labels = _labels(torch.as_tensor(result[key]), grid, grid_map)
            labels[padding] = 0
            postprocess(labels, self._steps, float(np.prod(grid.spacing)) / 1000)
            array = torch.from_numpy(np.ascontiguousarray(labels.T)[None])
            result[key] = MetaTensor(array, affine=torch.from_numpy(affine), meta=_other_entries(meta))
        return result


def _other_entries(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata without what describes a grid."""
    return {name: value for name, value in meta.items() if name not in ("affine", _AFFINE, _SHAPE, _PADDING)}


def _labels(logits: torch.Tensor, grid: Grid, grid_map: GridMap) -> NDArray[np.uint8]:
    """Labels (z, y, x) of the volume: the class of the greatest interpolated logit at each voxel."""
    labels = np.zeros(grid.shape, dtype=np.uint8)
    whole = ((0, grid.size[0]), (0, grid.size[1]), (0, grid.size[2]))
    planes = LabelPlanes(grid_map.order.to_model(labels), grid_map.positions(whole), logits.device)
    first, last = planes.needed
    for index, plane in enumerate(logits.permute(1, 2, 3, 0)):
        if first <= index <= last:
            planes.add(index, plane.contiguous())
    return labels


def _grid(affine: NDArray[np.float64], size: Sequence[int]) -> Grid:
    """The grid of an array (x, y, z) with an affine from indices to RAS."""
    matrix = _LPS_AND_RAS @ affine
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    # Files hold affines in single precision: 1.0000001 mm could be rounded to another number of voxels than 1 mm.
    x, y, z = np.round(lengths, 5).tolist()
    width, height, depth = size
    direction = (matrix[:3, :3] / lengths).ravel().tolist()
    return Grid((width, height, depth), (x, y, z), tuple(matrix[:3, 3].tolist()), tuple(direction))


def _affine(grid: Grid) -> NDArray[np.float64]:
    """From indices (z, y, x) of an array on grid to RAS."""
    matrix = np.eye(4)
    matrix[:3, :3] = (np.reshape(grid.direction, (3, 3)) * grid.spacing)[:, ::-1]
    matrix[:3, 3] = grid.origin
    result: NDArray[np.float64] = _LPS_AND_RAS @ matrix
    return result

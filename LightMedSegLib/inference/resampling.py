"""Separable resampling of a volume, axis by axis, without a float copy of the whole input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import AxisMap
from LightMedSegLib.core.out_of_memory import is_out_of_memory
from LightMedSegLib.core.progress import CancelToken

if TYPE_CHECKING:
    import torch

ANTIALIAS_FROM = 1.2
"""Where the model's spacing is more than this many times the volume's, the axis is smoothed before sampling."""

_CHUNK_VOXELS = 2**22


def resample(
    array: NDArray[Any],
    axes: tuple[AxisMap, AxisMap, AxisMap],
    cancel: CancelToken | None = None,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Return array (z, y, x) sampled linearly at the model's spacing; axes are those of x, y and z.

    Each axis is one small matrix, see weighted. A CUDA device computes it, unless its memory does not suffice.
    """
    weights = (axis_weights(axes[2]), axis_weights(axes[1]), axis_weights(axes[0]))
    if device.startswith("cuda") and any(matrix is not None for matrix in weights):
        try:
            return weighted(array, weights, cancel, device)
        except (RuntimeError, MemoryError) as error:
            # The network may still fit: it gets the volume in windows.
            if not is_out_of_memory(error):
                raise
    return weighted(array, weights, cancel)


def weighted(
    array: NDArray[Any],
    weights: tuple[NDArray[np.float32] | None, NDArray[np.float32] | None, NDArray[np.float32] | None],
    cancel: CancelToken | None = None,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Return array (z, y, x) with a matrix (new length, length) applied to each axis z, y, x; None leaves it as it is.

    The work is matrix products over a few slices at a time: memory holds the result and those slices, whatever the
    size of the input.
    """
    import torch

    weights_z, weights_y, weights_x = (
        None if matrix is None else torch.from_numpy(matrix).to(device) for matrix in weights
    )
    shape = [array.shape[d] if matrix is None else len(matrix) for d, matrix in enumerate(weights)]
    result = (torch.zeros if weights_z is not None else torch.empty)(shape, device=device)
    step = max(1, _CHUNK_VOXELS // (array.shape[1] * array.shape[2]))
    for first in range(0, array.shape[0], step):
        if cancel is not None:
            cancel.raise_if_cancelled()
        last = min(array.shape[0], first + step)
        slices = _floats(array[first:last], device)
        if weights_x is not None:
            slices = slices @ weights_x.T
        if weights_y is not None:
            slices = weights_y @ slices
        if weights_z is None:
            result[first:last] = slices
            continue
        touched = weights_z[:, first:last].any(dim=1).nonzero()
        if len(touched):
            rows = slice(int(touched[0]), int(touched[-1]) + 1)
            result[rows].view(rows.stop - rows.start, -1).addmm_(
                weights_z[rows, first:last], slices.reshape(last - first, -1)
            )
    resampled: NDArray[np.float32] = result.cpu().numpy()
    return resampled


def _floats(part: NDArray[Any], device: str) -> torch.Tensor:
    """Return part as float32 on a device."""
    import torch

    # A CUDA device converts these itself, and fewer bytes are copied to it.
    sent = part.copy() if device != "cpu" and part.dtype in (np.int16, np.uint8) else part.astype(np.float32)
    return torch.from_numpy(sent).to(device).float()


def axis_weights(axis: AxisMap) -> NDArray[np.float32] | None:
    """Matrix (model_length, length) that resamples one axis; None when the axis stays as it is.

    Linear interpolation between voxel centres. Where the model is coarser than ANTIALIAS_FROM times the volume, a
    Gaussian comes first, with the width that turns a voxel's blur into the model's: sigma^2 = (ratio^2 - 1) / (8 ln 2)
    voxels (Cardoso et al., MICCAI 2015). Beyond the borders the outermost voxel is repeated; every row sums to one.
    """
    if axis.identity:
        return None
    position = axis.to_volume(np.arange(axis.model_length)) - axis.start
    return linear_weights(position, axis.length, axis.ratio)


def linear_weights(position: NDArray[np.float64], length: int, ratio: float = 1.0) -> NDArray[np.float32]:
    """Matrix (positions, length) that samples an axis of length voxels at continuous positions; see axis_weights.

    ratio: distance of the samples over that of the voxels.
    """
    kernel = np.ones(1)
    if ratio > ANTIALIAS_FROM:
        sigma = math.sqrt((ratio**2 - 1) / (8 * math.log(2)))
        radius = max(1, math.ceil(4 * sigma))
        kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        kernel /= kernel.sum()
    radius = len(kernel) // 2
    position = np.clip(position, 0, length - 1)
    lower = np.floor(position).astype(np.int64)
    fraction = position - lower
    taps = (1 - fraction)[:, None] * np.append(kernel, 0.0) + fraction[:, None] * np.append(0.0, kernel)
    columns = np.clip(lower[:, None] + np.arange(-radius, radius + 2), 0, length - 1)
    weights = np.zeros((len(position), length))
    np.add.at(weights, (np.arange(len(position))[:, None], columns), taps)
    return weights.astype(np.float32)

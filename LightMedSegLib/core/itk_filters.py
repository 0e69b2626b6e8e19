"""SimpleITK filters that can be cancelled, and distances of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.progress import CancelToken

_SECONDS_BETWEEN_LOOKS = 0.05


def run_filter(image_filter: Any, cancel: CancelToken | None, *arguments: Any) -> Any:
    """Return image_filter.Execute(*arguments), or raise as soon as cancel is set.

    The filter itself stops at its next progress report, which on a large image can be seconds later; until then it
    runs on in its own thread, and its result is discarded.

    Raises CancelledError once cancel is set.
    """
    if cancel is None:
        return image_filter.Execute(*arguments)
    cancel.raise_if_cancelled()
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lightmedseg-filter")
    try:
        execution = executor.submit(image_filter.Execute, *arguments)
        while not wait([execution], timeout=_SECONDS_BETWEEN_LOOKS).done:
            if cancel.cancelled:
                image_filter.Abort()
                cancel.raise_if_cancelled()
        return execution.result()
    finally:
        executor.shutdown(wait=False)


def distance_map(mask: NDArray[np.bool_], spacing: Sequence[float]) -> NDArray[np.float32]:
    """Return the distance (mm) of every voxel (z, y, x) from the nearest voxel of mask; 0 inside it.

    spacing: (x, y, z) in mm.
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing)
    signed = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.maximum(sitk.GetArrayFromImage(signed), np.float32(0))


def blurred(mask: NDArray[np.bool_], deviation: float, spacing: Sequence[float]) -> NDArray[np.float32]:
    """Return mask (z, y, x) blurred by a Gaussian of a standard deviation (mm); beyond the array it goes on.

    spacing: (x, y, z) in mm.
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(mask.astype(np.float32))
    image.SetSpacing(spacing)
    result = sitk.DiscreteGaussian(image, variance=deviation**2, useImageSpacing=True)
    return np.asarray(sitk.GetArrayFromImage(result))

"""A geodesic step around a stroke that contradicts the network: the stroke grows up to the nearest edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import bounding_box

AGREEMENT = 0.5
"""The network contradicts a stroke of which it accepts less than this share."""

_THICKNESSES = 2.5
_MOST_REACH = 12.0
_SWEEPS = 4


def with_local_edges(
    probability: NDArray[np.float32],
    image: NDArray[np.float32],
    newest: NDArray[np.bool_],
    opposite: NDArray[np.bool_],
    include: bool,
) -> NDArray[np.float32]:
    """Return probability itself, or changed near a stroke (newest) that the network contradicts; all (z, y, x).

    Around the stroke, as far as it is thick, a voxel goes to the stroke if a path to it costs less than a
    path to the surroundings or to an opposite prompt. Changes of brightness cost most, so the border follows edges.
    """
    import torch

    from LightMedSegLib.interaction.affinity import geodesic_distance

    if not newest.any() or np.mean((probability[newest] > 0.5) == include) >= AGREEMENT:
        return probability
    margin = int(_MOST_REACH) + 1
    part = tuple(slice(max(0, one.start - margin), one.stop + margin) for one in bounding_box(newest))
    depth = _depth(newest[part])
    reach = min(_THICKNESSES * -float(depth.min()), _MOST_REACH)
    surroundings = ((depth >= reach) | opposite[part]) & ~newest[part]
    brightness = torch.from_numpy(image[part] / max(float(image.std()), 1e-6))[None]
    seeds = torch.from_numpy(np.stack([newest[part], surroundings]))[None]
    mine, other = geodesic_distance(brightness, seeds, _SWEEPS)[0].numpy()
    changed = probability.copy()
    changed[part][mine < other] = 1.0 if include else 0.0
    return changed


def _depth(marked: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each voxel (z, y, x) from the border of what is marked, negative inside."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(marked.view(np.uint8))
    return sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, squaredDistance=False))

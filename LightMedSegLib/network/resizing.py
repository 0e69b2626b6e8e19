"""Resizing of feature maps by powers of two; linear, so it commutes with 1x1x1 convolutions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def resize_to(x: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Resize (B, C, z, y, x) to the given spatial size.

    Finer maps are averaged, coarser ones interpolated trilinearly on voxel centres.
    """
    current = (x.shape[2], x.shape[3], x.shape[4])
    if current == size:
        return x
    if current[0] > size[0]:
        factors = tuple(have // want for have, want in zip(current, size, strict=True))
        return functional.avg_pool3d(x, factors)
    return functional.interpolate(x, size=size, mode="trilinear", align_corners=False)

"""LightMedSeg: light-weight 3D medical image segmentation on the CPU or on CUDA.

The one call most programs need is :func:`segment`. Importing this package imports neither
torch nor SimpleITK: a program that only wants to list models or explain itself stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from LightMedSegLib.inference.segmentation import Segmentation, segment

__version__ = "0.1.0"
__all__ = ["Segmentation", "__version__", "segment"]


def __getattr__(name: str) -> Any:
    if name in ("segment", "Segmentation"):
        from LightMedSegLib.inference import segmentation

        return getattr(segmentation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

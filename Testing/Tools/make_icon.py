"""Draw the extension's icon: a body contour with one segment in it, bold enough for 16 pixels.

    python Testing/Tools/make_icon.py

writes LightMedSeg.png (for the Extensions Manager) and LightMedSeg/Resources/Icons/LightMedSeg.png (for the module).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

SIDE = 128
_OVERSAMPLING = 8

_BACKGROUND, _CONTOUR, _SEGMENT = (18, 53, 91), (214, 230, 243), (255, 159, 28)


def draw_icon(side: int = SIDE) -> NDArray[np.uint8]:
    """RGBA pixels, (side, side, 4)."""
    count = side * _OVERSAMPLING
    axis = (np.arange(count) + 0.5) / count * 2 - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    image = np.zeros((count, count, 4), dtype=np.float32)
    # A square with round corners: the superellipse of degree six.
    _paint(image, x**6 + y**6 < 0.93, _BACKGROUND)
    outer, inner = _ellipse(x, y, 0, 0, 0.66, 0.78), _ellipse(x, y, 0, 0, 0.50, 0.62)
    _paint(image, outer & ~inner, _CONTOUR)
    # A bean: two overlapping discs, as the hippocampus looks in a sagittal slice.
    _paint(image, _ellipse(x, y, -0.12, -0.16, 0.24, 0.24) | _ellipse(x, y, 0.08, 0.14, 0.28, 0.26), _SEGMENT)
    pixels = image.reshape(side, _OVERSAMPLING, side, _OVERSAMPLING, 4).mean(axis=(1, 3))
    # Colours were averaged with their opacity; PNG wants them without it.
    alpha = pixels[..., 3:]
    colors = np.divide(pixels[..., :3], alpha, out=np.zeros_like(pixels[..., :3]), where=alpha > 0)
    return np.round(np.concatenate([colors, alpha * 255], axis=-1)).astype(np.uint8)


def _ellipse(
    x: NDArray[np.float64], y: NDArray[np.float64], across: float, down: float, width: float, height: float
) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = ((x - across) / width) ** 2 + ((y - down) / height) ** 2 < 1
    return inside


def _paint(image: NDArray[np.float32], where: NDArray[np.bool_], color: tuple[int, int, int]) -> None:
    image[where] = (*color, 1.0)


def main() -> None:
    """Write both files."""
    repository = Path(__file__).resolve().parents[2]
    image = sitk.GetImageFromArray(draw_icon(), isVector=True)
    for path in (repository / "LightMedSeg.png", repository / "LightMedSeg/Resources/Icons/LightMedSeg.png"):
        sitk.WriteImage(image, str(path), useCompression=True)
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

"""Draw the picture that Slicer's Sample Data module shows: a slice of the head sample.

    python Testing/Tools/make_thumbnail.py

writes LightMedSeg/Resources/Icons/LightMedSegSample.png.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

WIDTH, HEIGHT = 260, 280
BRIGHTNESS = 1.7
POSTERIOR = 17.0
"""Where the slice is, mm."""


def draw_thumbnail(head: Path) -> Image.Image:
    """The coronal slice of the head through both hippocampi."""
    # As radiologists look at it: the patient's left is on the right of the picture.
    image = sitk.DICOMOrient(sitk.ReadImage(str(head)), "LPS")
    _, place, _ = image.TransformPhysicalPointToIndex((0.0, POSTERIOR, 0.0))
    array = sitk.GetArrayFromImage(image)[:, place, :]
    # Superior is up; the image's z runs upwards.
    picture = Image.fromarray(np.clip(array[::-1] * BRIGHTNESS, 0, 255).astype(np.uint8))
    picture = picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.BICUBIC)
    canvas = Image.new("L", (WIDTH, HEIGHT))
    canvas.paste(picture, (0, (HEIGHT - picture.height) // 2))
    return canvas


def main() -> None:
    """Write the file beside the module's icon."""
    repository = Path(__file__).resolve().parents[2]
    path = repository / "LightMedSeg/Resources/Icons/LightMedSegSample.png"
    picture = draw_thumbnail(repository / "Resources" / "SampleData" / "colin27-t1-head.nii.gz")
    picture.save(path, optimize=True)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

"""Draw the picture that Slicer's Sample Data module shows: a slice of the sample, the crop's place framed.

    python Testing/Tools/make_thumbnail.py

writes LightMedSeg/Resources/Icons/LightMedSegSample.png.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

WIDTH, HEIGHT = 260, 280
_FRAME = (255, 159, 28)


def draw_thumbnail(samples: Path) -> NDArray[np.uint8]:
    """RGB pixels (HEIGHT, WIDTH, 3) of the coronal slice through the middle of the crop, in folder samples."""
    # As radiologists look at it: the patient's left is on the right of the picture.
    brain = sitk.DICOMOrient(sitk.ReadImage(str(samples / "mni152-t1-brain.nii.gz")), "LPS")
    crop = sitk.DICOMOrient(sitk.ReadImage(str(samples / "mni152-t1-left-hippocampus.nii.gz")), "LPS")
    first = brain.TransformPhysicalPointToIndex(crop.TransformIndexToPhysicalPoint((0, 0, 0)))
    last = [start + size for start, size in zip(first, crop.GetSize(), strict=True)]
    array = sitk.GetArrayFromImage(brain)[:, (first[1] + last[1]) // 2, :]
    picture = np.repeat(np.clip(array.astype(np.float32) * 1.2, 0, 255)[..., None], 3, axis=-1)
    picture[[first[2], last[2]], first[0] : last[0] + 1] = _FRAME
    picture[first[2] : last[2] + 1, [first[0], last[0]]] = _FRAME
    # Superior is up; the image's z runs upwards.
    picture = picture[::-1]
    canvas = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    top, left = (HEIGHT - picture.shape[0]) // 2, (WIDTH - picture.shape[1]) // 2
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas


def main() -> None:
    """Write the file beside the module's icon."""
    repository = Path(__file__).resolve().parents[2]
    path = repository / "LightMedSeg/Resources/Icons/LightMedSegSample.png"
    picture = draw_thumbnail(repository / "Resources" / "SampleData")
    sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), str(path), useCompression=True)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

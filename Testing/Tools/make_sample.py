"""Make the files of Resources/SampleData from the packages that carry the templates.

    apt-get download mricron-data
    dpkg-deb -x mricron-data_1.2.20211006+dfsg-4_all.deb mricron
    pip download nilearn==0.14.1 --no-deps
    python Testing/Tools/make_sample.py mricron/usr/share/mricron/templates/ch2.nii.gz nilearn-0.14.1-py3-none-any.whl

The first is Colin27, the head of one adult averaged from 27 scans, 1 mm, 8 bit; it is written without its face. The
wheel carries the ICBM 152 2009a symmetric T1 template, brain only; written is a crop around its left hippocampus that
matches the field of view of the crops that the hippocampus model learned from (they all show a hippocampus in the
orientation of the left one).
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

TEMPLATE = "nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
CROP_CORNER_RAS = (-44.0, -48.0, -32.0)
"""Right, anterior, superior of the crop's first voxel in mm: where training crops correlate best with the template."""

CROP_SIZE = (38, 54, 40)
"""Voxels along x, y, z: within the range of the training crops (31..43, 40..59, 24..47); the template is large."""

FACE_PLANE = (1.4, -120.0)
"""A plane across the head: its slope, and where it meets the axis of superior, mm; below it lies the face.

It runs from the forehead through the orbits to the upper jaw, 4 mm and more away from what the brain model finds.
"""

STEP = 2
"""Grey values are rounded to multiples of it, which makes the compressed file a fifth smaller."""


def make_head(template: sitk.Image) -> sitk.Image:
    """Return Colin27 without face and header text; voxels of the face are 0 like the air around the head."""
    array = sitk.GetArrayFromImage(template)
    array = np.minimum((array + (STEP / 2)) // STEP * STEP, 256 - STEP).astype(np.uint8)
    array[face_of(template)] = 0
    head = sitk.GetImageFromArray(array)
    head.CopyInformation(template)
    return without_header_text(head)


def face_of(head: sitk.Image) -> NDArray[np.bool_]:
    """Return which voxels (z, y, x) lie below FACE_PLANE; the axes of the grid are those of the patient."""
    _, columns, slices = head.GetSize()
    # ITK counts to the left, posterior and superior.
    anterior = np.array([-head.TransformIndexToPhysicalPoint((0, j, 0))[1] for j in range(columns)])
    superior = np.array([head.TransformIndexToPhysicalPoint((0, 0, k))[2] for k in range(slices)])
    slope, start = FACE_PLANE
    below = superior[:, None] < slope * anterior + start
    return np.broadcast_to(below[..., None], head.GetSize()[::-1])


def make_crop(template: sitk.Image) -> sitk.Image:
    """Return the part of the ICBM 152 template around the left hippocampus; no voxel value is changed."""
    right, anterior, superior = CROP_CORNER_RAS
    corner = template.TransformPhysicalPointToIndex((-right, -anterior, superior))
    return without_header_text(sitk.RegionOfInterest(template, CROP_SIZE, corner))


def without_header_text(image: sitk.Image) -> sitk.Image:
    """Return the image with nothing but voxels and grid."""
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    return image


def main() -> None:
    """Command line: the head, the wheel, and optionally the folder to write into."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("head", type=Path)
    parser.add_argument("wheel", type=Path)
    repository = Path(__file__).resolve().parents[2]
    parser.add_argument("--folder", type=Path, default=repository / "Resources" / "SampleData")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as unpacked, zipfile.ZipFile(arguments.wheel) as archive:
        brain = sitk.ReadImage(archive.extract(TEMPLATE, unpacked))
    samples = {
        "colin27-t1-head.nii.gz": make_head(sitk.ReadImage(str(arguments.head))),
        "mni152-t1-left-hippocampus.nii.gz": make_crop(brain),
    }
    for name, image in samples.items():
        path = arguments.folder / name
        sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=9)
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

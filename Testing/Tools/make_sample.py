"""Make the files of Resources/SampleData from nilearn's wheel.

    pip download nilearn==0.14.1 --no-deps
    python Testing/Tools/make_sample.py nilearn-0.14.1-py3-none-any.whl

The wheel carries the ICBM 152 2009a symmetric T1 template, brain only, 1 mm, 8 bit. Written are that
template as it is, and a crop around its left hippocampus that matches the field of view of the crops that
the hippocampus model learned from (they all show a hippocampus in the orientation of the left one).
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path

import SimpleITK as sitk

TEMPLATE = "nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
CROP_CORNER_RAS = (-44.0, -48.0, -32.0)
"""Right, anterior, superior of the crop's first voxel in mm: where training crops correlate best with the template."""

CROP_SIZE = (38, 54, 40)
"""Voxels along x, y, z: within the range of the training crops (31..43, 40..59, 24..47); the template is large."""


def make_sample(wheel: Path, folder: Path) -> list[Path]:
    """Write both sample volumes into folder and return their paths."""
    with tempfile.TemporaryDirectory() as unpacked, zipfile.ZipFile(wheel) as archive:
        template = sitk.ReadImage(archive.extract(TEMPLATE, unpacked))
    for key in template.GetMetaDataKeys():
        template.EraseMetaData(key)
    right, anterior, superior = CROP_CORNER_RAS
    corner = template.TransformPhysicalPointToIndex((-right, -anterior, superior))
    crop = sitk.RegionOfInterest(template, CROP_SIZE, corner)
    paths = [folder / "mni152-t1-brain.nii.gz", folder / "mni152-t1-left-hippocampus.nii.gz"]
    for image, path in zip((template, crop), paths, strict=True):
        sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=9)
    return paths


def main() -> None:
    """Command line: the wheel, and optionally the folder to write into."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    repository = Path(__file__).resolve().parents[2]
    parser.add_argument("--folder", type=Path, default=repository / "Resources" / "SampleData")
    arguments = parser.parse_args()
    for path in make_sample(arguments.wheel, arguments.folder):
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

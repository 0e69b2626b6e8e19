"""Makes the cases on which the interactive model is trained, in the folder that `lightmedseg train --prepared` reads.

    python Testing/Tools/prepare_interactive.py OUT --hippocampus DIR --headneck DIR --labelmaps DIR --scans DIR DIR

hippocampus and headneck are folders with images/ and labels/, of which the training and validation cases of the splits
in Resources/Training are taken; labelmaps is a folder of SynthSeg's labelmaps; scans are folders of volumes without
labels. All are resampled to cubic voxels. OUT also gets interactive.split.json. Grey values are rounded so that the
folder compresses well: CT to 4 HU around soft tissue, MR to 200 steps.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import bounding_box
from LightMedSegLib.learning.prepared_case import PreparedCase, write_prepared
from LightMedSegLib.training.configuration.reader import read_configuration

RECIPES = Path(__file__).parents[2] / "Resources" / "Training"
SPLIT_FILE = "interactive.split.json"
CT_KNOTS = (-1000, -200, 300, 1500)
CT_STEPS = (20, 4, 20)
RIGHT_OF_LEFT = {2: 41, 3: 42, 4: 43, 5: 44, 7: 46, 8: 47, 10: 49, 11: 50, 12: 51, 13: 52, 17: 53, 18: 54, 25: 57}
RIGHT_OF_LEFT |= {26: 58, 28: 60, 30: 62, 136: 163, 137: 164}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read all folders and write the prepared cases with their split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hippocampus", type=Path, required=True)
    parser.add_argument("--headneck", type=Path, required=True)
    parser.add_argument("--labelmaps", type=Path, required=True)
    parser.add_argument("--scans", type=Path, nargs="*", default=[])
    parser.add_argument(
        "--cases", type=int, nargs=3, default=(70, 92, 10), help="training cases of the first three folders"
    )
    options = parser.parse_args(arguments)
    parts: dict[str, list[PreparedCase]] = {"train": [], "validation": []}
    sources = ((options.hippocampus, "hippocampus-t1-mr", 1.0), (options.headneck, "headneck-oar-ct", 3.0))
    for (folder, recipe, spacing), count in zip(sources, options.cases, strict=False):
        split = json.loads((RECIPES / f"{recipe}.split.json").read_text(encoding="utf-8"))
        for part, names in (("train", split["train"][:count]), ("validation", split["validation"])):
            parts[part] += [labelled_case(folder, name, spacing) for name in names]
    brains = json.loads((RECIPES / "brain-structures-mr.split.json").read_text(encoding="utf-8"))["train"]
    brains = brains[: options.cases[2]]
    parts["train"] += [labelmap_case(volume_path(options.labelmaps / "labels", name)) for name in brains]
    for folder in options.scans:
        parts["train"] += [scan_case(path) for path in sorted((folder / "images").glob("*.nii.gz"))]
    write_prepared(options.out, parts["train"] + parts["validation"], read_configuration(RECIPES / "interactive.toml"))
    names = {part: [case.name for case in cases] for part, cases in parts.items()}
    (options.out / SPLIT_FILE).write_text(json.dumps({**names, "test": []}, indent=1) + "\n", encoding="utf-8")


def labelled_case(folder: Path, name: str, spacing: float) -> PreparedCase:
    """Return a case cut to 48 mm around its structures."""
    image = sitk.ReadImage(str(volume_path(folder / "images", name)))
    labels = resampled(sitk.ReadImage(str(volume_path(folder / "labels", name)), sitk.sitkUInt8), spacing, True)
    box = widened(labels, 48 / spacing)
    grey = rounded(resampled(image, spacing, False))
    return PreparedCase(name, grey[box][None].astype(np.float16), labels[box])


def labelmap_case(path: Path) -> PreparedCase:
    """Return the map at 1.5 mm: 2k for a structure or its left half, 2k + 1 for its right half; air is 0."""
    ids = resampled(sitk.ReadImage(str(path), sitk.sitkInt16), 1.5, True).astype(np.int64)
    table = np.zeros(ids.max() + 1, np.uint8)
    rights = set(RIGHT_OF_LEFT.values())
    singles = [number for number in ALL_IDS if number not in rights]
    for place, number in enumerate(singles, start=1):
        for side, value in enumerate((number, RIGHT_OF_LEFT.get(number))):
            if value is not None and value < len(table):
                table[value] = 2 * place + side
    labels = table[ids]
    box = widened(labels, 4)
    labels = np.ascontiguousarray(labels[box])
    return PreparedCase(path.name.split(".")[0], np.zeros((0, *labels.shape), np.float16), labels)


ALL_IDS = (
    *(2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 24, 25, 26, 28, 30, 41, 42, 43, 44, 46, 47, 49, 50, 51, 52),
    *(53, 54, 57, 58, 60, 62, 72, 85, 136, 137, 163, 164, 502, 506, 507, 508, 509, 511, 512, 514, 515, 516, 530),
)
"""Every id of the labelmaps but air."""


def scan_case(path: Path) -> PreparedCase:
    """Return a scan at 2 mm without labels."""
    grey = rounded(resampled(sitk.ReadImage(str(path)), 2.0, False))
    return PreparedCase(path.name.split(".")[0], grey[None].astype(np.float16), np.zeros(grey.shape, np.uint8))


def volume_path(folder: Path, name: str) -> Path:
    """Return the file of a case, whatever the ending of the split's name."""
    return next(path for path in sorted(folder.iterdir()) if path.name.split(".")[0] == name.split(".")[0])


def resampled(image: sitk.Image, spacing: float, nearest: bool) -> NDArray[Any]:
    """Return the array (z, y, x) of image with cubic voxels of spacing mm."""
    size = [max(1, round(n * step / spacing)) for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing([spacing] * 3)
    grid.SetOrigin(image.GetOrigin())
    grid.SetDirection(image.GetDirection())
    if not nearest:
        finest = min(image.GetSpacing())
        image = sitk.Cast(image, sitk.sitkFloat32)
        if spacing > 1.5 * finest:
            sigma = [0.4 * spacing if step < spacing / 1.5 else 1e-3 for step in image.GetSpacing()]
            image = sitk.DiscreteGaussian(image, [value**2 for value in sigma])
    interpolator = sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear
    lowest = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), interpolator, lowest))


def rounded(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Return HU in steps that suit a window of soft tissue, and MR in 200 steps between its outer percentiles."""
    if grey.min() < -500:
        clipped = np.clip(grey, CT_KNOTS[0], CT_KNOTS[-1])
        part = np.searchsorted(CT_KNOTS[1:-1], clipped)
        step = np.array(CT_STEPS, np.float32)[part]
        return (np.round(clipped / step) * step).astype(np.float32)
    low, high = np.percentile(grey, [0.2, 99.8])
    return np.round(200 * np.clip((grey - low) / max(high - low, 1e-6), 0, 1)).astype(np.float32)


def widened(labels: NDArray[Any], margin: float) -> tuple[slice, ...]:
    """Return the box of all labels with a margin in voxels."""
    return tuple(slice(max(0, part.start - round(margin)), part.stop + round(margin)) for part in bounding_box(labels))


if __name__ == "__main__":
    main()

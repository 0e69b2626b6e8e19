"""How far the volumes of structures differ between a scan and its mirror image.

    python Testing/Benchmarks/mirror_volumes.py MODEL SCAN [SCAN ...] [--mirror]

A structure's volume is compared with that of its counterpart on the other side in the mirror image; a structure
without one, with its own. The difference is a share of the mean of both volumes. Prints, for each scan, the mean over
the structures and the three that differ most. --mirror averages mirror images along x, as `segment --mirror x` does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from run_model import load  # noqa: E402

from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.inference.options import SegmentOptions  # noqa: E402
from LightMedSegLib.io.volume_files import read_volume  # noqa: E402


def reflected(image: sitk.Image) -> sitk.Image:
    """The mirror image on the same grid, which must have left and right as its first axis."""
    flipped = sitk.GetImageFromArray(np.ascontiguousarray(sitk.GetArrayViewFromImage(image)[..., ::-1]))
    flipped.CopyInformation(image)
    return flipped


def voxels(engine: Engine, image: sitk.Image, options: SegmentOptions) -> NDArray[np.int64]:
    """The number of voxels of each label value."""
    labels = sitk.GetArrayFromImage(engine.segment(image, options).labelmap)
    return np.bincount(labels.ravel(), minlength=len(engine.card.labels) + 1)


def differences(engine: Engine, image: sitk.Image, options: SegmentOptions) -> dict[str, float]:
    """For each structure that one of both images shows, its difference; 2 where only one shows it."""
    upright = sitk.DICOMOrient(image, "LPS")
    own, other = (voxels(engine, one, options) for one in (upright, reflected(upright)))
    swaps = dict(engine.card.mirror_label_swaps)
    swaps |= {right: left for left, right in swaps.items()}
    found = {}
    for label in engine.card.labels:
        pair = int(own[label.value]), int(other[swaps.get(label.value, label.value)])
        if any(pair):
            found[label.name] = 2 * abs(pair[0] - pair[1]) / sum(pair)
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--mirror", action="store_true")
    arguments = parser.parse_args()
    engine = Engine(load(arguments.model), "cpu")
    options = SegmentOptions(mirror=("x",) if arguments.mirror else None)
    for path in arguments.scans:
        found = differences(engine, read_volume(path), options)
        worst = sorted(found, key=lambda name: found[name], reverse=True)[:3]
        within = sum(value <= 0.02 for value in found.values())
        named = ", ".join(f"{name} {found[name]:.1%}" for name in worst)
        print(f"{path.name}: mean {statistics.mean(found.values()):.1%}, {within} of {len(found)} within 2 %; {named}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

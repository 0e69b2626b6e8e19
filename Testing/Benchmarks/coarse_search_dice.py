"""Dice of the brain model with and without the search on coarse voxels, on scans in the middle of much air.

    python Testing/Benchmarks/coarse_search_dice.py DATA [--cases 3]

DATA holds images/ and labels/ of the MICCAI 2012 atlas challenge. These scans are cropped to the brain, so that nothing
is searched; here they lie in 256 voxels cubed of air, as a whole head does, and a search is worth it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from brain_reference import IGNORED, MAPPING, map_labels, read_mapping  # noqa: E402

from LightMedSegLib.evaluation.metrics import evaluate, mean_without_nan  # noqa: E402
from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.io.volume_files import read_volume  # noqa: E402
from LightMedSegLib.model.store import resolve_model  # noqa: E402

EDGE = 256


def in_air(image: sitk.Image) -> sitk.Image:
    """The scan in the middle of EDGE voxels cubed."""
    missing = [max(0, EDGE - size) for size in image.GetSize()]
    return sitk.ConstantPad(image, [m // 2 for m in missing], [m - m // 2 for m in missing], 0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", type=int, default=3)
    arguments = parser.parse_args()
    model = resolve_model("brain-structures-mr")
    card = model.card
    unsearched = dataclasses.replace(
        model, card=dataclasses.replace(card, input=dataclasses.replace(card.input, preview_spacing=None))
    )
    engines = {"searched": Engine(model, "cpu"), "all windows": Engine(unsearched, "cpu")}
    mapping, values = read_mapping(MAPPING), {label.name: label.value for label in card.labels}
    names = {label.value: label.name for label in card.labels if label.name not in mapping["not_evaluated"]}
    means: dict[str, list[float]] = {name: [] for name in engines}
    for path in sorted((arguments.data / "images").glob("*.nii.gz"))[: arguments.cases]:
        truth = in_air(map_labels(read_volume(arguments.data / "labels" / path.name), mapping, values))
        wanted = sitk.GetArrayFromImage(truth)
        scan = in_air(read_volume(path))
        for name, engine in engines.items():
            started = time.perf_counter()
            found = sitk.GetArrayFromImage(engine.segment(scan).labelmap)
            seconds = time.perf_counter() - started
            pair = [sitk.GetImageFromArray(np.where(wanted == IGNORED, 0, array)) for array in (found, wanted)]
            for volume in pair:
                volume.CopyInformation(truth)
            means[name].append(mean_without_nan(item.dice for item in evaluate(pair[0], pair[1], names, 1.0)))
            print(f"{path.name}: {name}: mean Dice {means[name][-1]:.4f}, {seconds:.1f} s", flush=True)
    for name, scores in means.items():
        print(f"{name}: {np.mean(scores):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

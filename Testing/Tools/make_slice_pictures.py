"""Draws slices of the best, the median and the worst test case of a model with the outlines of result and reference.

    python Testing/Tools/make_slice_pictures.py left-ventricle-cine-mr DATA

DATA holds images/ and labels/; cases are ranked by their mean Dice in Documentation/results/MODEL/lightmedseg.csv. Each
case is a row of the picture: slices as they were acquired, spread over the stack and cropped to the structures. The
reference is white, the result has the colour of the first label.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from make_result_pictures import COLOR_STEP, ranked  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PIL import Image  # noqa: E402
from scipy.ndimage import binary_erosion  # noqa: E402

from LightMedSegLib.inference.engine import Engine  # noqa: E402

SLICES, SIDE, ENLARGED = 6, 72, 3
"""Slices of a case, width of a crop in voxels, and pixels that show a voxel."""

WHITE = (255, 255, 255)


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The edge, a pixel wide, of an enlarged mask."""
    large = mask.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    return large & ~binary_erosion(large)


def row(image: sitk.Image, found: NDArray[np.bool_], wanted: NDArray[np.bool_], color: tuple[int, ...]) -> Image.Image:
    """The slices of a case side by side."""
    values = sitk.GetArrayFromImage(image).astype(np.float32)
    _, y, x = (round(float(part.mean())) for part in np.nonzero(wanted))
    panels = []
    for index in np.round((np.arange(SLICES) + 0.5) / SLICES * len(values) - 0.5).astype(int):
        crop = tuple(slice(max(0, middle - SIDE // 2), max(0, middle - SIDE // 2) + SIDE) for middle in (y, x))
        gray = values[index][crop]
        low, high = np.percentile(gray, (1, 99))
        shades = Image.fromarray((255 * np.clip((gray - low) / max(high - low, 1e-6), 0, 1)).astype(np.uint8))
        enlarged = shades.resize((gray.shape[1] * ENLARGED, gray.shape[0] * ENLARGED), Image.Resampling.BICUBIC)
        panel = np.array(enlarged.convert("RGB"))
        panel[outline(wanted[index][crop])] = WHITE
        panel[outline(found[index][crop])] = color
        panels.append(np.pad(panel, ((0, ENLARGED), (0, ENLARGED), (0, 0))))
    return Image.fromarray(np.concatenate(panels, axis=1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    engine = Engine(arguments.model, "cpu")
    cases = ranked(ROOT / "Documentation" / "results" / arguments.model / "lightmedseg.csv")
    for word, (dice, case) in (("best", cases[-1]), ("median", cases[len(cases) // 2]), ("worst", cases[0])):
        places = [arguments.data / part / f"{case}.nii.gz" for part in ("images", "labels")]
        image, labelmap = (sitk.ReadImage(str(place)) for place in places)
        found, wanted = sitk.GetArrayFromImage(engine.segment(image).labelmap) > 0, sitk.GetArrayFromImage(labelmap) > 0
        target = ROOT / "Documentation" / "pictures" / f"result-{arguments.model}-{word}.png"
        picture = row(image, found, wanted, tuple(engine.card.labels[0].color))
        picture.point(lambda shade: round(shade / COLOR_STEP) * COLOR_STEP).save(target, optimize=True)
        target.chmod(0o644)
        print(f"{target.name}: {case}, Dice {dice:.3f}, {target.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

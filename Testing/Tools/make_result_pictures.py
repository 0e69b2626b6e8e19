"""Draws results of a model into Documentation/pictures: three planes, cropped to the structures, with a legend.

    python Testing/Tools/make_result_pictures.py MODEL IMAGES [--rows Documentation/results/MODEL/lightmedseg.csv]
    python Testing/Tools/make_result_pictures.py MODEL SCAN --as NAME [--title TITLE] [--large] [--slices 147 120 118]

With a folder of scans, CASE.nii.gz, the best, the median and the worst test case are drawn; cases are ranked by their
mean Dice in the CSV file. With one scan, the picture is result-MODEL-NAME.png; --large makes it wider, as the README's.
The slices are those that show the most structures, or the axial, coronal and sagittal one that --slices names, counted
from inferior, anterior and right. Colours are rounded: everybody who installs the extension's source takes the pictures
along.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PIL import Image  # noqa: E402

from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.io.input_volumes import input_volumes  # noqa: E402
from LightMedSegLib.io.montage import picture  # noqa: E402
from LightMedSegLib.io.pictures.scene import Scene, SliceView  # noqa: E402

FINER = 2
"""Pictures are drawn this many times larger and made smaller, which smooths letters and outlines."""

COLOR_STEP = 5
"""Red, green and blue are rounded to multiples of it, which nobody sees and which halves the file."""


@dataclass(frozen=True)
class Format:
    """width, text_pixels: of the finished picture and its letters, in pixels."""

    width: int
    slices: int
    text_pixels: int
    opacity: float


USUAL = Format(1200, 4, 21, 0.5)
LARGE = Format(1600, 3, 26, 0.75)


def ranked(path: Path) -> list[tuple[float, str]]:
    """Mean Dice and name of every case, the worst first."""
    by_case: dict[str, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            by_case.setdefault(line["case"], []).append(float(line["dice"]))
    return sorted((statistics.fmean(v for v in values if not math.isnan(v)), case) for case, values in by_case.items())


def telling(scene: Scene, count: int) -> list[SliceView]:
    """The slices that show most of the structures: one of each plane, then more of the plane that gains most."""
    found = [value for value in np.unique(scene.values) if value]
    shares = [_shares(scene, found, axis) for axis in range(3)]
    shown = np.zeros((3, len(found)))
    chosen: list[SliceView] = []
    for number in range(count):
        best = (-1.0, 0, 0)
        for axis in (number,) if number < 3 else range(3):
            gains = np.maximum(shares[axis] - shown[axis][:, None], 0).sum(axis=0)
            best = max(best, (float(gains.max()), axis, int(gains.argmax())))
        _, axis, index = best
        shown[axis] = np.maximum(shown[axis], shares[axis][:, index])
        chosen.append(SliceView(axis, index))
    # From the head down, from the front back.
    return sorted(chosen, key=lambda view: (view.axis, -view.index if view.axis == 0 else view.index))


def _shares(scene: Scene, found: list[int], axis: int) -> NDArray[np.float64]:
    """The area of each structure (structures, slices) in slices across an axis; 1 is its largest."""
    others = tuple(other for other in range(3) if other != axis)
    areas = np.array([(scene.values == value).sum(axis=others) for value in found], dtype=float)
    return areas / areas.max(axis=1, keepdims=True)


def draw(engine: Engine, image: sitk.Image, title: str, target: Path, form: Format, places: Sequence[int] = ()) -> None:
    """Segment a volume and write the picture of the result, readable by everybody; places: one slice of each plane."""
    scene = Scene(image, engine.segment(image).labelmap, smooth=True)
    views = [SliceView(axis, place) for axis, place in enumerate(places)] or telling(scene, form.slices)
    gaps = (len(views) + 1) * form.text_pixels // 4
    pixel_mm = sum(scene.extent_mm(view.axis)[1] for view in views) / (FINER * (form.width - gaps))
    pixels = picture(
        scene,
        [views],
        engine.card.labels,
        pixel_mm,
        engine.card.modality,
        title,
        text_pixels=FINER * form.text_pixels,
        line=FINER,
        opacity=form.opacity,
    )
    finished = Image.fromarray(pixels).resize(
        (pixels.shape[1] // FINER, pixels.shape[0] // FINER), Image.Resampling.LANCZOS
    )
    finished.point(lambda shade: round(shade / COLOR_STEP) * COLOR_STEP).save(target, optimize=True)
    target.chmod(0o644)
    print(f"{target.name}: {finished.width} x {finished.height} pixels, {target.stat().st_size / 1000:.0f} kB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("images", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--as", dest="name")
    parser.add_argument("--title", default="")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--slices", type=int, nargs=3, default=())
    arguments = parser.parse_args()
    engine = Engine(arguments.model, "cpu")
    scans = {arguments.name: (arguments.images, arguments.title)}
    if not arguments.name:
        cases = ranked(arguments.rows or ROOT / "Documentation" / "results" / arguments.model / "lightmedseg.csv")
        scans = {
            word: (arguments.images / f"{case}.nii.gz", f"{engine.card.title}: {word} test case, mean Dice {dice:.2f}")
            for word, (dice, case) in (("best", cases[-1]), ("median", cases[len(cases) // 2]), ("worst", cases[0]))
        }
    for word, (scan, title) in scans.items():
        target = ROOT / "Documentation" / "pictures" / f"result-{arguments.model}-{word}.png"
        (image,) = input_volumes(scan)
        draw(engine, image, title, target, LARGE if arguments.large else USUAL, arguments.slices)
        print(f"  {scan.name}, {title}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

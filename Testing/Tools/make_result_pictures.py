"""Draws the best, the median and the worst test case of a model into Documentation/pictures.

    python Testing/Tools/make_result_pictures.py MODEL IMAGES [--rows Documentation/results/MODEL/lightmedseg.csv]

IMAGES is the folder of the scans, CASE.nii.gz. Cases are ranked by their mean Dice in the CSV file. The pictures are
made small, in few colours: everybody who installs the extension's source takes them along.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.io.montage import write_montage  # noqa: E402
from LightMedSegLib.io.volume_files import read_volume  # noqa: E402

WIDTH, COLORS = 900, 64


def ranked(path: Path) -> list[tuple[float, str]]:
    """Mean Dice and name of every case, the worst first."""
    by_case: dict[str, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            by_case.setdefault(line["case"], []).append(float(line["dice"]))
    return sorted((statistics.fmean(v for v in values if not math.isnan(v)), case) for case, values in by_case.items())


def shrink(path: Path) -> None:
    """The picture at most WIDTH pixels wide, in COLORS colours, readable by everybody."""
    picture = Image.open(path).convert("RGB")
    width = min(WIDTH, picture.width)
    picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    path.chmod(0o644)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("images", type=Path)
    parser.add_argument("--rows", type=Path)
    arguments = parser.parse_args()
    cases = ranked(arguments.rows or ROOT / "Documentation" / "results" / arguments.model / "lightmedseg.csv")
    engine = Engine(arguments.model, "cpu")
    for word, (dice, case) in (("best", cases[-1]), ("median", cases[len(cases) // 2]), ("worst", cases[0])):
        image = read_volume(arguments.images / f"{case}.nii.gz")
        labelmap = engine.segment(image).labelmap
        target = ROOT / "Documentation" / "pictures" / f"result-{arguments.model}-{word}.png"
        write_montage(target, image, labelmap, engine.card.labels)
        shrink(target)
        print(f"{target.name}: {case}, mean Dice {dice:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

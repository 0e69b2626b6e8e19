"""Give a model's card what its validation cases show of confidence and Dice, for the Dice to expect of a result.

    python Testing/Tools/measure_expected_dice.py Resources/Models/headneck-oar-ct --data cases.csv [--print]

DATA is what the model was trained on: a folder, or the CSV file of the layout "csv". Only the validation part of its
split in Resources/Training is used; a model of synthetic images gets synthetic images of the held-out labelmaps.
Every case goes through the inference engine as a user's would. --print leaves the card alone. Run it
again after any training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Benchmarks")]

from doubt_measures import dice_of, judge  # noqa: E402
from held_out_cases import HeldOut, held_out_cases  # noqa: E402

from LightMedSegLib.doubt.expected_dice import mean_confidences  # noqa: E402
from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.inference.options import SegmentOptions  # noqa: E402
from LightMedSegLib.model.card import ModelCard  # noqa: E402
from LightMedSegLib.model.dice_calibration import DiceCalibration, DiceOffset  # noqa: E402
from LightMedSegLib.model.package_folder import CARD_FILE  # noqa: E402
from LightMedSegLib.storage.atomic_files import atomic_write  # noqa: E402
from LightMedSegLib.storage.records import record_json  # noqa: E402

_ROUNDS = 50
_LEAST_ERROR = 0.01
_SHRUNK_BY = 2
"""An offset from so many points is halved: of a few cases it may be chance."""


class Point(NamedTuple):
    """One structure in one case."""

    patient: str
    value: int
    confidence: float
    dice: float


def points_of(engine: Engine, case: HeldOut) -> list[Point]:
    """The structures of a case that were found and can be judged."""
    result = engine.segment(case.image, SegmentOptions(doubt=True))
    labels, doubt, truth = (sitk.GetArrayFromImage(image) for image in (result.labelmap, result.doubt, case.truth))
    known = judge(labels, truth, doubt, case.judged).known
    return [
        Point(case.patient, value, confidence, dice_of(labels, truth, known, value))
        for value, confidence in mean_confidences(labels, doubt).items()
        if value in case.judged and (known & (labels == value)).any()
    ]


def fitted(points: Sequence[Point]) -> DiceCalibration:
    """The line with the least mean absolute error, and for each structure the median by which it is off.

    Least absolute errors, because a reference may be wrong; by least squares whose weights are the inverse errors.
    """
    confidence, dice = (np.array([getattr(one, name) for one in points]) for name in ("confidence", "dice"))
    error = np.ones(len(points))
    for _ in range(_ROUNDS):
        # numpy weighs the errors before it squares them.
        weights = 1 / np.sqrt(np.maximum(error, _LEAST_ERROR))
        slope, intercept = np.polyfit(confidence, dice, 1, w=weights)
        error = np.abs(intercept + slope * confidence - dice)
    apart, values = dice - intercept - slope * confidence, np.array([one.value for one in points])
    offsets = []
    for value in sorted(set(values.tolist())):
        own = apart[values == value]
        offsets.append(DiceOffset(value, round(float(np.median(own)) * len(own) / (len(own) + _SHRUNK_BY), 4)))
    return DiceCalibration(round(float(intercept), 4), round(float(slope), 4), 0.0, 0, tuple(offsets))


def calibration(points: Sequence[Point]) -> DiceCalibration:
    """What is fitted to all points; its error is that of each patient judged by the others."""
    patients = sorted({one.patient for one in points})
    errors: list[float] = []
    for patient in patients:
        others = fitted([one for one in points if one.patient != patient])
        own = [one for one in points if one.patient == patient]
        errors += [abs(others(one.value, one.confidence) - one.dice) for one in own]
    error = round(float(np.mean(errors)), 4)
    return replace(fitted(points), mean_absolute_error=error, cases=len(patients))


def main() -> int:
    """Measure, print, and write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--print", action="store_true", help="leave the card as it is")
    arguments = parser.parse_args()
    engine = Engine(arguments.model, "cpu")
    points: list[Point] = []
    for case in held_out_cases(engine.card, arguments.data, "validation"):
        points += points_of(engine, case)
        print(case.name, flush=True)
    found = calibration(points)
    print(found)
    if not arguments.print:
        content = {**engine.card.to_json(), "expected_dice": record_json(found)}
        with atomic_write(arguments.model / CARD_FILE) as temporary:
            temporary.write_text(ModelCard.from_json(content).to_text(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

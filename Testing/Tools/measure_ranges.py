"""Give a model's card the plausible volumes and places of its structures, from the labelmaps of its training cases.

    python Testing/Tools/measure_ranges.py Resources/Models/headneck-oar-ct \\
        --config Resources/Training/headneck-oar-ct.toml --data cases.csv [--print]

DATA is what the recipe was trained on: a folder, or the CSV file of the layout "csv". Only the split's training part is
measured, so that validation and test cases show whether the ranges hold. --print leaves the card alone. The card alone
is changed, so the command may follow any training.

A structure that is cut at the border of its labelmap counts neither for the least volume nor for places. Places are
measured from the structure from which they vary least. The fewer the cases, the more room the ranges get.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from LightMedSegLib.checks.result_warnings import Found, found_labels  # noqa: E402
from LightMedSegLib.core.geometry import Grid  # noqa: E402
from LightMedSegLib.io.datasets import Case, find_cases  # noqa: E402
from LightMedSegLib.io.volume_files import read_volume  # noqa: E402
from LightMedSegLib.learning.configuration import TrainingConfiguration  # noqa: E402
from LightMedSegLib.model.card import ModelCard  # noqa: E402
from LightMedSegLib.model.label_ranges import LabelRange, Range  # noqa: E402
from LightMedSegLib.model.package_folder import CARD_FILE  # noqa: E402
from LightMedSegLib.storage.atomic_files import atomic_write  # noqa: E402
from LightMedSegLib.storage.records import record_json  # noqa: E402
from LightMedSegLib.training.configuration.reader import read_configuration  # noqa: E402
from LightMedSegLib.training.run import read_run_split  # noqa: E402

FEWEST_CASES = 8
SEEN_TOGETHER = 0.5
"""Of the cases that show a structure whole, the share that must show the one from which its place is measured."""

SURE_ML = 0.3
"""Of structures that may be smaller than this, thick slices show nothing."""

ROOM_MM = 12.0
"""Beside half of what the training cases vary: heads lie turned and tilted in scanners."""


def measure(case: Case, configuration: TrainingConfiguration) -> dict[int, Found]:
    """The labels of one case, by the values of the card."""
    labelmap = read_volume(case.labelmap)
    array = np.asarray(sitk.GetArrayViewFromImage(labelmap))
    settings = configuration.synthesis
    if settings.active:
        values = {number: value for value, number in enumerate(settings.label_ids, start=1)}
        values.update(dict(settings.merged_ids))
        array = _renamed(array, values)
    grid = Grid.of(labelmap)
    x, y, z = grid.size
    found = found_labels(array.astype(np.uint8), grid, ((0, x), (0, y), (0, z)))
    return {value: one for value, one in found.items() if case.labelled is None or value in case.labelled}


def ranges(
    cases: Sequence[Mapping[int, Found]], values: Sequence[int], vanishing: Collection[int] = ()
) -> list[LabelRange]:
    """The ranges of the labels that enough of the cases show; of the vanishing ones nothing may be left in a scan."""
    found = [_range_of(value, cases, values) for value in values]
    entries = [entry for entry in found if entry is not None]
    gone = [entry.value in vanishing or entry.volume_ml[0] < SURE_ML for entry in entries]
    return [
        replace(entry, volume_ml=(0.0, entry.volume_ml[1])) if none else entry
        for entry, none in zip(entries, gone, strict=True)
    ]


def _range_of(value: int, cases: Sequence[Mapping[int, Found]], values: Sequence[int]) -> LabelRange | None:
    whole = [case for case in cases if value in case and not case[value].cut]
    volumes = [case[value].volume_ml for case in cases if value in case]
    if len(volumes) < FEWEST_CASES:
        return None
    least = min((case[value].volume_ml for case in whole), default=0.0)
    room = 1.5 + 4 / math.sqrt(len(volumes))
    volume = (_rounded(least / room, math.floor), _rounded(max(volumes) * room, math.ceil))
    places = [(other, limits) for other in values if other != value and (limits := _places(value, other, whole))]
    if not places:
        return LabelRange(value, volume)
    origin, offset = min(places, key=lambda place: sum(high - low for low, high in place[1]))
    return LabelRange(value, volume, origin, offset)


def _places(value: int, origin: int, whole: Sequence[Mapping[int, Found]]) -> tuple[Range, Range, Range] | None:
    """Where a label lies seen from another one; None if too few cases show both."""
    both = [case for case in whole if origin in case and not case[origin].cut]
    if len(both) < max(FEWEST_CASES, SEEN_TOGETHER * len(whole)):
        return None
    offsets = np.array([case[value].centroid - case[origin].centroid for case in both])
    low, high = offsets.min(axis=0), offsets.max(axis=0)
    room = (high - low) / 2 + ROOM_MM
    x, y, z = zip((np.floor(low - room) + 0.0).tolist(), (np.ceil(high + room) + 0.0).tolist(), strict=True)
    return x, y, z


def _rounded(value: float, direction: object) -> float:
    """Two digits, away from the measured values."""
    assert callable(direction)
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{direction(value / unit) * unit:.6g}")


def _renamed(array: NDArray[np.generic], values: Mapping[int, int]) -> NDArray[np.uint8]:
    present, inverse = np.unique(array, return_inverse=True)
    table = np.array([values.get(int(number), 0) for number in present.tolist()], dtype=np.uint8)
    return table[inverse].reshape(array.shape)


def main() -> int:
    """Measure, print, and write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--print", action="store_true", help="leave the card as it is")
    arguments = parser.parse_args()
    configuration = read_configuration(arguments.config)
    split = read_run_split(configuration, arguments.config.parent)
    assert split is not None
    path = arguments.model / CARD_FILE
    card = ModelCard.from_json(path.read_bytes())
    cases = find_cases(arguments.data, configuration.data.layout, card.in_channels)
    found = [measure(case, configuration) for case in cases if case.name in set(split.train)]
    names = {label.value: label.name for label in card.labels}
    # Where a skull was removed, so may be what lies around the brain.
    numbers = {number: value for value, number in enumerate(configuration.synthesis.label_ids, start=1)}
    vanishing = [numbers[number] for number in configuration.synthesis.surrounding_ids if number in numbers]
    entries = ranges(found, list(names), vanishing)
    for entry in entries:
        low, high = entry.volume_ml
        place = f"from {names[entry.origin]}: {entry.offset_mm}" if entry.origin else "anywhere"
        print(f"{names[entry.value]:36s} {low:8g} to {high:8g} ml, {place}")
    if not arguments.print:
        content = {**card.to_json(), "ranges": [record_json(entry) for entry in entries]}
        with atomic_write(path) as temporary:
            temporary.write_text(ModelCard.from_json(content).to_text(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Give a model package a reference set: a few of its own training cases, 8 bits a voxel.

Usage:
  python Testing/Tools/make_reference_set.py --model Resources/Models/hippocampus-t1-mr \\
      --split Resources/Training/hippocampus-t1-mr.split.json --data FOLDER

  python Testing/Tools/make_reference_set.py --model MODEL --recipe Resources/Training/headneck-oar-ct.toml \\
      --prepared FOLDER --crop 48 64 64

  python Testing/Tools/make_reference_set.py --model MODEL --recipe Resources/Training/brain-structures-mr.toml \\
      --prepared FOLDER --spacing 1.5 1.5 1.5 --crop 104 124 104 --count 2

FOLDER holds images/ and labels/, or, with --prepared, the prepared cases of a training run: then crops (z y x voxels)
of them are taken, centred on one structure after the other; cases that are smaller than a crop are left out. With
[synthesis] in the recipe the prepared cases are labelmaps, here of voxels of --spacing (x y z in mm), cropped about all
structures together: the images are made of them when they are needed. Whole cases are the smallest of an even selection
of the split's training part, so that no validation or test case is ever trained on. Every other one is rehearsed in
fine-tuning, the others show forgetting.
The package is replaced by one with reference.safetensors and its entry in the card; the weights stay as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import SimpleITK as sitk  # noqa: E402

from LightMedSegLib.finetuning.gate.reference_set import encode_labelmaps, encode_reference  # noqa: E402
from LightMedSegLib.inference.preprocessing import prepare, prepare_labelmap  # noqa: E402
from LightMedSegLib.learning.configuration import TrainingConfiguration  # noqa: E402
from LightMedSegLib.learning.prepared_case import PreparedCase, read_prepared  # noqa: E402
from LightMedSegLib.model.package import Model, load_model  # noqa: E402
from LightMedSegLib.model.package_folder import CARD_FILE, REFERENCE_FILE  # noqa: E402
from LightMedSegLib.storage.atomic_files import atomic_write  # noqa: E402
from LightMedSegLib.storage.safetensors_file import write_tensors  # noqa: E402
from LightMedSegLib.training.configuration.reader import read_configuration  # noqa: E402
from LightMedSegLib.training.run import read_run_split  # noqa: E402

CANDIDATES = 24


def reference_cases(model: Model, names: list[str], data: Path, count: int) -> list[PreparedCase]:
    """The smallest of an even selection of the cases, in the order of their names."""
    cases = []
    for name in names[:: max(1, len(names) // CANDIDATES)]:
        image = sitk.ReadImage(str(data / "images" / f"{name}.nii.gz"))
        labelmap = sitk.Cast(sitk.ReadImage(str(data / "labels" / f"{name}.nii.gz")), sitk.sitkUInt8)
        array, grid = prepare(image, model.card.input)
        cases.append(PreparedCase(name, array.astype(np.float16), prepare_labelmap(labelmap, grid)))
    smallest = sorted(cases, key=lambda case: case.labels.size)[:count]
    return sorted(smallest, key=lambda case: case.name)


def training_cases(configuration: TrainingConfiguration, recipe: Path, prepared: Path) -> list[PreparedCase]:
    """The prepared cases of the training part."""
    split = read_run_split(configuration, recipe.parent)
    assert split is not None
    cases = {case.name: case for case in read_prepared(prepared, configuration)}
    return [cases[name] for name in split.train]


def cropped_cases(
    cases: list[PreparedCase], crop: tuple[int, int, int], count: int, classes: int
) -> list[PreparedCase]:
    """Crops of as many cases, each centred on another structure."""
    large = [case for case in cases if all(np.array(case.labels.shape) >= crop)]
    chosen = large[:: max(1, len(large) // count)][:count]
    return [_crop(case, crop, number, classes) for number, case in enumerate(chosen)]


def _crop(case: PreparedCase, crop: tuple[int, int, int], number: int, num_classes: int) -> PreparedCase:
    present = [value for value in np.unique(case.labels).tolist() if 0 < value < num_classes]
    return _cut(case, np.argwhere(case.labels == present[(5 * number) % len(present)]).mean(axis=0), crop)


def _middle(structures: NDArray[np.bool_]) -> NDArray[np.float64]:
    places = np.argwhere(structures)
    return (places.min(axis=0) + places.max(axis=0)) / 2


def _cut(case: PreparedCase, centre: NDArray[np.float64], crop: tuple[int, int, int]) -> PreparedCase:
    start = [
        int(np.clip(round(middle - size / 2), 0, max(0, whole - size)))
        for middle, size, whole in zip(centre, crop, case.labels.shape, strict=True)
    ]
    z, y, x = (slice(first, first + size) for first, size in zip(start, crop, strict=True))
    return PreparedCase(case.name, case.image[:, z, y, x], np.ascontiguousarray(case.labels[z, y, x]), case.labelled)


def main() -> int:
    """Write the file, then the card that names it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--split", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--prepared", type=Path)
    parser.add_argument("--crop", type=int, nargs=3, metavar=("Z", "Y", "X"))
    parser.add_argument("--spacing", type=float, nargs=3, metavar=("X", "Y", "Z"))
    parser.add_argument("--count", type=int, default=6)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    arrays, what = _arrays(arguments, model)
    with tempfile.TemporaryDirectory() as folder:
        write_tensors(Path(folder) / REFERENCE_FILE, arrays)
        content = (Path(folder) / REFERENCE_FILE).read_bytes()
    card = model.card.to_json()
    cases = sum(name.endswith(".labels") for name in arrays)
    card["reference"] = {
        "cases": cases,
        "data": f"{what} {card['licenses'].get('data_notice', '')}".strip(),
        "license": card["licenses"]["data"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    with atomic_write(arguments.model / REFERENCE_FILE) as temporary:
        temporary.write_bytes(content)
    with atomic_write(arguments.model / CARD_FILE) as temporary:
        temporary.write_text(type(model.card).from_json(card).to_text(), encoding="utf-8", newline="\n")
    print(f"{arguments.model / REFERENCE_FILE}: {len(content)} bytes, {cases} cases")
    return 0


def _arrays(arguments: argparse.Namespace, model: Model) -> tuple[dict[str, NDArray[Any]], str]:
    """The file's arrays, and a sentence that says what they are."""
    count, labels = arguments.count, len(model.card.labels)
    if arguments.split:
        names = sorted(json.loads(arguments.split.read_text(encoding="utf-8"))["train"])
        whole = reference_cases(model, names, arguments.data, count)
        return encode_reference(whole, labels), f"{len(whole)} training cases, 8 bits a voxel."
    configuration = read_configuration(arguments.recipe)
    if not configuration.synthesis.active:
        cases = training_cases(configuration, arguments.recipe, arguments.prepared)
        crops = cropped_cases(cases, tuple(arguments.crop), count, labels + 1)
        return encode_reference(crops, labels), f"Crops of {len(crops)} training cases, 8 bits a voxel."
    x, y, z = arguments.spacing
    grid = configuration.input | {"spacing_mm": [x, y, z]}
    cases = training_cases(replace(configuration, input=grid), arguments.recipe, arguments.prepared)
    chosen = sorted(cases, key=lambda case: case.labels.size)[:count]
    crops = [_cut(case, _middle((case.labels > 0) & (case.labels <= labels)), tuple(arguments.crop)) for case in chosen]
    return encode_labelmaps(crops, (z, y, x)), f"{count} training labelmaps, of which the images are made."


if __name__ == "__main__":
    sys.exit(main())

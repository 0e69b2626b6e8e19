"""Give a model package a reference set: a few of its own training cases, 8 bits a voxel.

Usage:
  python Testing/Tools/make_reference_set.py --model Resources/Models/hippocampus-t1-mr \\
      --split Resources/Training/hippocampus-t1-mr.split.json --data FOLDER

  python Testing/Tools/make_reference_set.py --model MODEL --recipe Resources/Training/headneck-oar-ct.toml \\
      --prepared FOLDER --crop 48 64 64

FOLDER holds images/ and labels/, or, with --prepared, the prepared cases of a training run: then crops (z y x voxels)
of them are taken, centred on one structure after the other, and with [synthesis] in the recipe of images made from the
labelmaps. Whole cases are the smallest of an even selection of the split's training part, so that
no validation or test case is ever trained on. Every other one is rehearsed in fine-tuning, the others show forgetting.
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

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import SimpleITK as sitk  # noqa: E402

from LightMedSegLib.finetuning.reference_set import REFERENCE_FILE, encode_reference  # noqa: E402
from LightMedSegLib.model_package import Model, load_model  # noqa: E402
from LightMedSegLib.package_folder import CARD_FILE  # noqa: E402
from LightMedSegLib.preprocessing import prepare, prepare_labelmap  # noqa: E402
from LightMedSegLib.safe_files import atomic_write  # noqa: E402
from LightMedSegLib.tensor_file import write_tensors  # noqa: E402
from LightMedSegLib.training.configuration_file import read_configuration  # noqa: E402
from LightMedSegLib.training.preparation import PreparedCase, read_prepared  # noqa: E402
from LightMedSegLib.training.run import read_run_split  # noqa: E402
from LightMedSegLib.training.synthesis import synthetic_cases  # noqa: E402

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


def cropped_cases(recipe: Path, prepared: Path, crop: tuple[int, int, int], count: int) -> list[PreparedCase]:
    """Crops of as many training cases, each centred on another structure."""
    configuration = read_configuration(recipe)
    split = read_run_split(configuration, recipe.parent)
    assert split is not None
    names = list(split.train)[:: max(1, len(split.train) // count)][:count]
    cases = {case.name: case for case in read_prepared(prepared, configuration)}
    chosen = [cases[name] for name in names]
    if configuration.synthesis.active:
        once = replace(configuration, synthesis=replace(configuration.synthesis, validation_images=1))
        chosen = synthetic_cases(once, chosen, torch.device("cpu"))
    return [_crop(case, crop, number, configuration.num_classes) for number, case in enumerate(chosen)]


def _crop(case: PreparedCase, crop: tuple[int, int, int], number: int, num_classes: int) -> PreparedCase:
    present = [value for value in np.unique(case.labels).tolist() if 0 < value < num_classes]
    centre = np.argwhere(case.labels == present[(5 * number) % len(present)]).mean(axis=0)
    start = [
        int(np.clip(round(middle - size / 2), 0, whole - size))
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
    parser.add_argument("--count", type=int, default=6)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    if arguments.crop:
        cases = cropped_cases(arguments.recipe, arguments.prepared, tuple(arguments.crop), arguments.count)
    else:
        names = sorted(json.loads(arguments.split.read_text(encoding="utf-8"))["train"])
        cases = reference_cases(model, names, arguments.data, arguments.count)
    arrays = encode_reference(cases, len(model.card.labels))
    with tempfile.TemporaryDirectory() as folder:
        write_tensors(Path(folder) / REFERENCE_FILE, arrays)
        content = (Path(folder) / REFERENCE_FILE).read_bytes()
    card = model.card.to_json()
    what = f"Crops of {len(cases)}" if arguments.crop else f"{len(cases)}"
    card["reference"] = {
        "cases": len(cases),
        "data": f"{what} training cases, 8 bits a voxel. {card['licenses'].get('data_notice', '')}".strip(),
        "license": card["licenses"]["data"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    with atomic_write(arguments.model / REFERENCE_FILE) as temporary:
        temporary.write_bytes(content)
    with atomic_write(arguments.model / CARD_FILE) as temporary:
        temporary.write_text(type(model.card).from_json(card).to_text(), encoding="utf-8", newline="\n")
    print(f"{arguments.model / REFERENCE_FILE}: {len(content)} bytes, {len(cases)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())

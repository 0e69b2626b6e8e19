"""Measures, label by label on validation cases, whether keeping only the largest component helps.

    python Testing/Tools/choose_postprocessing.py MODEL_FOLDER --config RECIPE.toml --prepared FOLDER [--write]

Prints, for each label, the mean Dice without and with the step, and at the end the labels for which it does not lower
Dice, which --write puts into the card; of a structure with a left and a right side, both or neither. With [synthesis]
the cases are images made from the held-out labelmaps.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from LightMedSegLib.inference.postprocessing import postprocess
from LightMedSegLib.inference.sliding_window.model_grid import predict_labels
from LightMedSegLib.learning.model_input import window_rule
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase, read_prepared
from LightMedSegLib.model.package import load_model
from LightMedSegLib.network.cpu import accelerate
from LightMedSegLib.training.configuration.reader import read_configuration
from LightMedSegLib.training.packaging import update_package
from LightMedSegLib.training.run import read_run_split
from LightMedSegLib.training.synthesis.images import synthetic_cases


def dice(found: np.ndarray, case: PreparedCase, value: int) -> float:
    """Dice of one label where the case knows its truth; NaN where it is not marked or in neither."""
    if case.labelled is not None and value not in case.labelled:
        return math.nan
    known = case.labels != IGNORED
    a, b = (found == value) & known, case.labels == value
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else math.nan


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="put the choice into the model's card")
    arguments = parser.parse_args()
    configuration = read_configuration(arguments.config)
    split = read_run_split(configuration, arguments.config.parent)
    assert split is not None
    prepared = {case.name: case for case in read_prepared(arguments.prepared, configuration)}
    cases = [prepared[name] for name in split.validation]
    if configuration.synthesis.active:
        cases = synthetic_cases(configuration, cases, torch.device("cpu"))
    network = accelerate(load_model(arguments.model).build_network().eval())
    rule, voxel_ml = window_rule(configuration, network), math.prod(configuration.spacing_zyx) / 1000
    images = [torch.from_numpy(case.image) for case in cases]
    mirror = configuration.test_time_mirroring
    found = [labels.numpy() for labels in predict_labels(network, images, rule, mirror=mirror)]
    kept = []
    for label in configuration.labels:
        value, before, after = int(label["value"]), [], []
        for case, labels in zip(cases, found, strict=True):
            cleaned = labels.copy()
            postprocess(cleaned, [{"operation": "keep_largest_component", "labels": [value]}], voxel_ml)
            before.append(dice(labels, case, value))
            after.append(dice(cleaned, case, value))
        plain, largest = np.nanmean(before), np.nanmean(after)
        kept += [value] if largest >= plain else []
        print(f"{label['name']:36s} {plain:.4f} {largest:.4f}", flush=True)
    # Treating one side alone would shift every comparison of left and right.
    sides = {int(a): int(b) for pair in configuration.augmentation.mirror_label_swaps for a, b in (pair, pair[::-1])}
    kept = [value for value in kept if sides.get(value, value) in kept]
    print(f"keep_largest_component: {kept}")
    if arguments.write:
        steps = [{"operation": "keep_largest_component", "labels": kept, "joint": False}] if kept else []
        update_package(arguments.model, postprocessing=steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())

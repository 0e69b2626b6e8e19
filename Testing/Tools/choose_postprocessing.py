"""Measures, label by label on validation cases, whether keeping only the largest component helps.

    python Testing/Tools/choose_postprocessing.py MODEL_FOLDER --config RECIPE.toml --prepared FOLDER [--training]
        [--write]

Prints, for each structure, the mean Dice without and with the step, and at the end the labels for which it does not
lower Dice, which --write puts into the card in place of its earlier choice. The left and the right side of a structure
are one: their Dice is averaged and both get the step or neither, because treating one side alone would shift every
comparison of the two. With [synthesis] the cases are images made from the held-out labelmaps; --training adds images
of the labelmaps that trained, because two heads leave small structures to chance.
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
from LightMedSegLib.learning.configuration import TrainingConfiguration
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


def structures(configuration: TrainingConfiguration) -> list[list[int]]:
    """The label values of each structure: of both sides where it has two."""
    pairs = [sorted(pair) for pair in configuration.augmentation.mirror_label_swaps]
    paired = {value for pair in pairs for value in pair}
    single = [[int(label["value"])] for label in configuration.labels if int(label["value"]) not in paired]
    return sorted([*pairs, *single])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--training", action="store_true", help="training labelmaps too; only with [synthesis]")
    parser.add_argument("--write", action="store_true", help="put the choice into the model's card")
    arguments = parser.parse_args()
    configuration = read_configuration(arguments.config)
    if arguments.training and not configuration.synthesis.active:
        parser.error("--training needs a recipe with [synthesis]: of real scans the network knows those that trained")
    split = read_run_split(configuration, arguments.config.parent)
    assert split is not None
    prepared = {case.name: case for case in read_prepared(arguments.prepared, configuration)}
    cases = [prepared[name] for name in (*split.validation, *(split.train if arguments.training else ()))]
    if configuration.synthesis.active:
        cases = synthetic_cases(configuration, cases, torch.device("cpu"))
    network = accelerate(load_model(arguments.model).build_network().eval())
    rule, voxel_ml = window_rule(configuration, network), math.prod(configuration.spacing_zyx) / 1000
    images = [torch.from_numpy(case.image) for case in cases]
    mirror = configuration.test_time_mirroring
    found = [labels.numpy() for labels in predict_labels(network, images, rule, mirror=mirror)]
    kept = []
    names = {int(label["value"]): label["name"] for label in configuration.labels}
    for values in structures(configuration):
        before, after = [], []
        for case, labels in zip(cases, found, strict=True):
            cleaned = labels.copy()
            postprocess(cleaned, [{"operation": "keep_largest_component", "labels": values}], voxel_ml)
            before += [dice(labels, case, value) for value in values]
            after += [dice(cleaned, case, value) for value in values]
        plain, largest = np.nanmean(before), np.nanmean(after)
        kept += values if largest >= plain else []
        print(f"{' and '.join(names[value] for value in values):60s} {plain:.4f} {largest:.4f}", flush=True)
    print(f"keep_largest_component: {sorted(kept)}")
    if arguments.write:
        chosen = {"operation": "keep_largest_component", "labels": sorted(kept), "joint": False}
        others = [step for step in configuration.postprocessing if step["operation"] != chosen["operation"]]
        update_package(arguments.model, postprocessing=[*([chosen] if kept else []), *others])
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A complete training run: cases, split, network, training, weights and package."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.io.datasets import find_cases
from LightMedSegLib.learning.checkpoint import WEIGHTS_FILE, read_weights, write_weights
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.model_input import window_rule
from LightMedSegLib.learning.prepared_case import PreparedCase, prepare_cases, read_prepared
from LightMedSegLib.model.package import load_model
from LightMedSegLib.model.package_folder import CARD_FILE
from LightMedSegLib.storage.atomic_files import atomic_write
from LightMedSegLib.storage.records import record_json
from LightMedSegLib.training.acceleration.distributed import join_group
from LightMedSegLib.training.configuration.reader import configuration_of
from LightMedSegLib.training.curves import PNG_FILE
from LightMedSegLib.training.networks import TRAINING_ONLY, build_training_network
from LightMedSegLib.training.packaging import package_model, record_metrics
from LightMedSegLib.training.planning.patients import split_for_validation
from LightMedSegLib.training.split import Split, read_split, write_split
from LightMedSegLib.training.synthesis.images import synthetic_cases
from LightMedSegLib.training.trainer import Report, Trainer, TrainingResult

CONFIGURATION_FILE = "configuration.json"
PREPARED_FOLDER = "prepared"
PACKAGE_FOLDER = "model"
DRAWN_SPLIT_FILE = "drawn-split.json"


def prepare(configuration: TrainingConfiguration, data: Path, folder: Path, report: Report = print) -> None:
    """Resample the cases below data to the model grid and store them in folder."""
    cases = find_cases(data, configuration.data.layout, configuration.in_channels)

    def progress(done: int, total: int, name: str) -> None:
        if done % 20 == 0 or done == total:
            report(f"prepared {done} of {total} cases")

    prepare_cases(cases, configuration, folder, progress, report)


def run_training(
    configuration: TrainingConfiguration,
    prepared: Path,
    output: Path,
    split: Split | None = None,
    device: str = "cpu",
    time_limit: float | None = None,
    cancel: CancelToken | None = None,
    report: Report = print,
) -> TrainingResult:
    """Train on the prepared cases, and write checkpoint, curves, weights and package to output.

    time_limit: seconds after which the run is saved and ends, its compiling included.

    An interrupted run resumes from the checkpoint in output. Without a split a tenth of the cases is for validation;
    the split that is drawn is kept in output.
    The package is the folder "model" in output; peers have none.

    Raises TrainingDataError, also for a folder "model" in output that is no package, or DeviceError from choosing the
    device.
    """
    _refuse_foreign(output / PACKAGE_FOLDER)
    deadline = None if time_limit is None else time.perf_counter() + time_limit
    group = join_group(device)
    try:
        place = torch.device(device)
        if place.type == "cuda":
            place = torch.device("cuda", group.local_rank if group.world_size > 1 else place.index or 0)
            torch.cuda.set_device(place)
            torch.backends.cudnn.benchmark = True
        cases = {case.name: case for case in read_prepared(prepared, configuration)}
        drawn = None if split else split_for_validation(list(cases), configuration.run.seed)
        split = split or drawn
        assert split is not None
        split.check_available(cases)
        output.mkdir(parents=True, exist_ok=True)
        if group.is_first:
            _keep_configuration(output, configuration)
            if drawn is not None:
                write_split(output / DRAWN_SPLIT_FILE, drawn)
        torch.manual_seed(configuration.run.seed)
        trainer = Trainer(
            configuration,
            _initial_network(configuration),
            _chosen(cases, split.train),
            _held_out(configuration, _chosen(cases, split.validation), place),
            output,
            place,
            load_teachers(configuration),
            group,
            report if group.is_first else _silent,
        )
        result = trainer.train(deadline, cancel)
        if group.is_first:
            write_weights(output / WEIGHTS_FILE, result.weights, half=True)
            if not configuration.network.peer:
                _package(configuration, result, split, output)
        return result
    finally:
        group.close()


def _initial_network(configuration: TrainingConfiguration) -> torch.nn.Module:
    network = build_training_network(configuration)
    if configuration.network.initial:
        earlier = load_run_network(Path(configuration.network.initial), configuration)
        try:
            difference = network.load_state_dict(earlier.state_dict(), strict=False)
        except RuntimeError:
            difference = None
        # Packages do not contain the output layers of deep supervision; they keep their initial weights.
        lacking = [] if difference is None else [n for n in difference.missing_keys if not n.startswith(TRAINING_ONLY)]
        if difference is None or difference.unexpected_keys or lacking:
            raise TrainingDataError(
                f"The run in {configuration.network.initial} trained another network; network.initial cannot use it."
            )
    return network


def load_teachers(configuration: TrainingConfiguration) -> list[torch.nn.Module]:
    """Return the networks of earlier runs that [distillation] names, with their selected weights."""
    return [load_run_network(Path(folder), configuration) for folder in configuration.distillation.teachers]


def load_run_network(folder: Path, student: TrainingConfiguration | None = None) -> torch.nn.Module:
    """Return the network in the output folder of an earlier run or in a model's folder, in evaluation mode.

    Raises TrainingDataError if the run or model has other classes or channels than student, and ModelPackageError
    for a damaged model.
    """
    path = folder / CONFIGURATION_FILE
    if not path.is_file() and (folder / CARD_FILE).is_file():
        model = load_model(folder)
        _check_student(folder, (model.card.num_classes, model.card.in_channels), student)
        return model.build_network()
    if not path.is_file() or not (folder / WEIGHTS_FILE).is_file():
        raise TrainingDataError(f"The folder {folder} holds no training run with {CONFIGURATION_FILE} and weights.")
    configuration = configuration_of(json.loads(path.read_text(encoding="utf-8")))
    _check_student(folder, (configuration.num_classes, configuration.in_channels), student)
    network = build_training_network(configuration)
    network.load_state_dict(read_weights(folder / WEIGHTS_FILE))
    return network.eval()


def _check_student(folder: Path, sizes: tuple[int, int], student: TrainingConfiguration | None) -> None:
    if student is not None and sizes != (student.num_classes, student.in_channels):
        raise TrainingDataError(f"The run in {folder} has other labels or channels than this one.")


def evaluate_run(
    configuration: TrainingConfiguration,
    output: Path,
    part: str,
    split: Split,
    data: Path | None,
    prepared: Path,
    device: str = "cpu",
    report: Report = print,
) -> dict[str, Any]:
    """Score the run in output on a part of the split; writes evaluation-PART.csv and returns the means.

    A packaged model is scored through the inference engine on the cases' own files below data, and its card
    gets the metrics. A peer has no package: it is scored on the prepared cases. A run with synthesis is scored on
    synthetic images of the labelmaps, and the card names the part accordingly.
    """
    from LightMedSegLib.evaluation.scores import write_scores
    from LightMedSegLib.training.evaluation import card_metrics, evaluate_on_grid, evaluate_with_engine

    names: tuple[str, ...] = getattr(split, part)
    if not names:
        raise TrainingDataError(f"The split has no case in its {part} part; name another split with --split.")
    package = output / PACKAGE_FOLDER
    if package.is_dir() and not configuration.synthesis.active:
        if data is None:
            raise TrainingDataError("Give --data, the folder of the cases, to evaluate a packaged model.")
        found = {case.name: case for case in find_cases(data, configuration.data.layout, configuration.in_channels)}
        split.check_available(found)
        scores = evaluate_with_engine(load_model(package), [found[name] for name in names], device)
    else:
        cases = {case.name: case for case in read_prepared(prepared, configuration)}
        split.check_available(cases)
        network = load_run_network(output).to(device)
        x, y, z = configuration.input["spacing_mm"]
        labels = [str(label["name"]) for label in configuration.labels]
        shown = _held_out(configuration, _chosen(cases, names), torch.device(device))
        scores = evaluate_on_grid(
            network, shown, window_rule(configuration, network), (x, y, z), labels, configuration.test_time_mirroring
        )
    write_scores(output / f"evaluation-{part}.csv", scores)
    metrics = card_metrics(scores)
    if package.is_dir():
        record_metrics(package, f"synthetic_{part}" if configuration.synthesis.active else part, metrics)
    for name, value in metrics["dice"].items():
        report(f"{name}: Dice {value}, HD95 {metrics['hd95_mm'][name]} mm, NSD {metrics['nsd_1mm'][name]}")
    return metrics


def read_run_split(configuration: TrainingConfiguration, folder: Path, output: Path | None = None) -> Split | None:
    """Return the split that the configuration names, relative to the folder of its file, or the one drawn in output.

    None if there is neither.
    """
    if configuration.data.split:
        return read_split(folder / configuration.data.split)
    drawn = output / DRAWN_SPLIT_FILE if output is not None else None
    return read_split(drawn) if drawn is not None and drawn.is_file() else None


def _held_out(
    configuration: TrainingConfiguration, cases: list[PreparedCase], device: torch.device
) -> list[PreparedCase]:
    """Return the cases to score on, or the synthetic images of them."""
    return synthetic_cases(configuration, cases, device) if configuration.synthesis.active else cases


def _chosen(cases: dict[str, PreparedCase], names: Sequence[str]) -> list[PreparedCase]:
    return [cases[name] for name in names]


def _keep_configuration(output: Path, configuration: TrainingConfiguration) -> None:
    with atomic_write(output / CONFIGURATION_FILE) as temporary:
        temporary.write_text(json.dumps(record_json(configuration), indent=1) + "\n", encoding="utf-8")


def _refuse_foreign(place: Path) -> None:
    empty = not os.path.lexists(place) or (place.is_dir() and not any(place.iterdir()))
    if not empty and not (place / CARD_FILE).is_file():
        raise TrainingDataError(
            f"{place} would be replaced, and no training made it; move it away, or choose another output folder."
        )


def _package(configuration: TrainingConfiguration, result: TrainingResult, split: Split, output: Path) -> None:
    metrics = {}
    if result.score is not None:
        names = [label["name"] for label in configuration.labels]
        pairs = zip(names, result.per_label, strict=True)
        dice = {name: round(value, 4) for name, value in pairs if math.isfinite(value)}
        metrics["validation"] = {"cases": len(split.validation), "dice": dice, "steps": result.step}
    picture = output / PNG_FILE
    files: dict[str, str | bytes | Path] = {"training-curve.png": picture} if picture.is_file() else {}
    package_model(output / PACKAGE_FOLDER, configuration, result.weights, split, metrics, files)


def _silent(message: str) -> None:
    """Report of the processes that are not the first."""

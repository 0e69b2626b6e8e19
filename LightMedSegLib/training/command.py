"""The command ``lightmedseg train``."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LightMedSegLib.learning.configuration import TrainingConfiguration


DEFAULT_MINUTES = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--config", type=Path, help="training configuration, TOML or JSON")
    start.add_argument(
        "--init",
        type=Path,
        metavar="DATASET",
        help="write a configuration that is planned from these cases, for --minutes on --device, to the folder --out",
    )
    parser.add_argument(
        "--minutes", type=float, metavar="N", help=f"with --init: of training (default {DEFAULT_MINUTES:g})"
    )
    parser.add_argument(
        "-i", "--data", "--input", type=Path, help="folder of cases, or CSV file; else the configuration's data.folder"
    )
    parser.add_argument(
        "-o", "--out", "--output", type=Path, help="output folder; a run in it that was interrupted goes on"
    )
    parser.add_argument("--prepared", type=Path, help="folder of prepared cases (default: OUT/prepared)")
    parser.add_argument("--prepare-only", action="store_true", help="prepare the cases and stop")
    parser.add_argument(
        "--evaluate", choices=("validation", "test"), help="score the run in OUT on this part of the split and stop"
    )
    parser.add_argument("--split", type=Path, help="split file; else the configuration's data.split")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--time-limit", type=float, metavar="SECONDS", help="save and stop after so many seconds, compiling included"
    )
    parser.add_argument("--steps", type=int, help="replaces optimizer.steps of the configuration")
    parser.add_argument("--teacher", type=Path, action="append", default=[], help="folder of a run to learn from")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="replaces a value, such as optimizer.batch=8"
    )


def run(arguments: argparse.Namespace) -> int:
    """Plan, or prepare and train; returns the exit code. Problems are raised as LightMedSegError."""
    from LightMedSegLib.core.devices import select_device
    from LightMedSegLib.core.errors import TrainingDataError
    from LightMedSegLib.learning.prepared_case import INDEX_FILE
    from LightMedSegLib.training.run import PREPARED_FOLDER, evaluate_run, prepare, read_run_split, run_training
    from LightMedSegLib.training.split import read_split

    if arguments.init:
        return _init(arguments)
    if arguments.minutes is not None:
        raise TrainingDataError("--minutes goes with --init; --time-limit stops a run.")

    configuration = _configuration(arguments)
    folder = arguments.config.parent
    if arguments.out is None and not (arguments.prepare_only and arguments.prepared):
        raise TrainingDataError("Give --out, the folder for the results, or --prepare-only with --prepared.")
    prepared = arguments.prepared or arguments.out / PREPARED_FOLDER
    data = arguments.data or (folder / configuration.data.folder if configuration.data.folder else None)
    split = read_split(arguments.split) if arguments.split else read_run_split(configuration, folder, arguments.out)
    device = select_device(arguments.device).name
    if arguments.evaluate:
        if split is None:
            raise TrainingDataError("The run in --out has no split; give --split, the split file.")
        evaluate_run(configuration, arguments.out, arguments.evaluate, split, data, prepared, device)
        return 0
    if arguments.prepare_only or not (prepared / INDEX_FILE).is_file():
        if data is None:
            raise TrainingDataError("Give --data, the folder of the cases, or --prepared, a folder of prepared cases.")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise TrainingDataError("Prepare the cases with --prepare-only before training with several processes.")
        prepare(configuration, data, prepared)
    if arguments.prepare_only:
        return 0
    result = run_training(configuration, prepared, arguments.out, split, device, arguments.time_limit)
    if int(os.environ.get("RANK", "0")) == 0:
        state = "finished" if result.finished else "stopped; run the same command again to go on"
        print(f"Training {state} at step {result.step}.")
    return 0


def _init(arguments: argparse.Namespace) -> int:
    """Write the configuration of a run."""
    from LightMedSegLib.core.devices import select_device
    from LightMedSegLib.core.errors import TrainingDataError
    from LightMedSegLib.training.planning.run_folder import init_run

    minutes = DEFAULT_MINUTES if arguments.minutes is None else arguments.minutes
    if not 0 < minutes < float("inf"):
        raise TrainingDataError(f"--minutes must be a number above 0, not {minutes:g}.")
    init_run(arguments.init, arguments.out, minutes, select_device(arguments.device).name)
    return 0


def _configuration(arguments: argparse.Namespace) -> TrainingConfiguration:
    """The configuration file with the options that replace some of it."""
    from LightMedSegLib.training.configuration.reader import read_configuration, with_override

    configuration = read_configuration(arguments.config)
    overrides = [text.partition("=")[::2] for text in arguments.set]
    if arguments.steps is not None:
        overrides.append(("optimizer.steps", str(arguments.steps)))
    if arguments.teacher:
        overrides.append(("distillation.teachers", json.dumps([str(folder) for folder in arguments.teacher])))
    for key, value in overrides:
        configuration = with_override(configuration, key, value)
    return configuration

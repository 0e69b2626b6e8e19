"""``lightmedseg segment FOLDER OUTFOLDER``: all scans of a folder."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.cli.parser import file_path
from LightMedSegLib.cli.progress_bar import ProgressBar
from LightMedSegLib.cli.segmenting.cohort_arguments import chosen_executor
from LightMedSegLib.cli.tables import format_table
from LightMedSegLib.cohorts.log_file import cohort_log
from LightMedSegLib.cohorts.model_reference import ModelReference
from LightMedSegLib.cohorts.report import DOUBTFUL, FAILED, ScanReport, count_states
from LightMedSegLib.cohorts.run import run_cohort
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.cohorts.time_left import CohortTimeLeft
from LightMedSegLib.core.console import one_line
from LightMedSegLib.core.errors import CancelledError, DoubtfulResultError, InputImageError, OutputError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.core.process import interruption
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.io.cases.dataset_description import DATASET_FILE
from LightMedSegLib.io.nnunet_labels import dataset_values
from LightMedSegLib.io.results.output_checks import check_inputs_stay, make_output_folder
from LightMedSegLib.io.scan_folders import IMAGES_FOLDER, FoundScans, find_scans
from LightMedSegLib.io.segmentation_files import check_output_path
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card
from LightMedSegLib.model.package import Model
from LightMedSegLib.storage.atomic_files import remove_stale

_FOR_ONE_SCAN = ("roi", "series", "montage")


def is_folder_run(arguments: argparse.Namespace) -> bool:
    """Whether a folder is to be segmented into a folder: one input, and an output without a file's ending."""
    return (
        len(arguments.inputs) == 1
        and os.path.isdir(file_path(arguments.inputs[0]))  # noqa: PTH112 - no error for what may not be seen
        and (os.path.isdir(arguments.output) or not arguments.output.suffix)  # noqa: PTH112
    )


def run_folder(arguments: argparse.Namespace, model: Model, options: SegmentOptions) -> int:
    """Segment every scan, print a line for each and a summary.

    Raises InputImageError if any failed, DoubtfulResultError if any got a warning and --strict was given.
    """
    folder, output = file_path(arguments.inputs[0]), arguments.output
    _check(arguments, folder, output)
    found = find_scans(folder, model.card.in_channels)
    dataset = folder.parent if folder.name == IMAGES_FOLDER else folder
    about_values = _about_values(dataset, model.card)
    make_output_folder(output)
    outputs = [path for path in (arguments.json, arguments.log_file) if path is not None]
    for path in outputs:
        check_output_path(path)
    check_inputs_stay(outputs, [path for scan in found.scans for path in scan.images])
    remove_stale(output)
    tasks = _tasks(arguments, found, dataset, ModelReference.of(model), options)
    executor, tasks, changes = chosen_executor(arguments, tasks, model.card)
    header = f"{len(tasks)} scans with {model.card.identifier} {executor.where}."
    print("\n".join([header, *changes]))
    if (dataset / DATASET_FILE).is_file():
        print(about_values)
    for one in found.left_out:
        print(one_line(f"{one.name}: left out: {one.reason}"))
    cancel = CancelToken()
    with (
        cohort_log(arguments.log_file, len(tasks)) as log,
        ProgressBar(sys.stderr, CohortTimeLeft()) as bar,
        # The scans in work end within a second, instead of being torn down.
        interruption.calling(cancel.cancel),
    ):
        for line in (header, *changes):
            log.line(line)

        def on_report(report: ScanReport) -> None:
            print(_line(report), flush=True)
            log.report(report)

        def progress(done: int, total: int, message: str) -> None:
            bar(done, total, message)
            log.progress(done, total, message)

        reports = run_cohort(tasks, executor, on_report, progress, cancel)
    if arguments.json:
        write_json(arguments.json, _as_json(model, found, reports))
    states = count_states(reports)
    rows = [[state, str(count)] for state, count in states.items()]
    print(f"\n{format_table(['Scans', 'Count'], rows)}\n\nThe results are in {output}.")
    warned = sum(bool(report.warnings) for report in reports)
    if warned:
        print(f"{warned} of them {'has' if warned == 1 else 'have'} warnings: see the lines above.")
    if cancel.cancelled:
        raise CancelledError("Interrupted: finished results stay, and the same command goes on with the rest.")
    if FAILED in states:
        raise InputImageError(
            f"{states[FAILED]} of {len(reports)} scans could not be segmented; the lines above say why."
        )
    if DOUBTFUL in states:
        raise DoubtfulResultError(
            f"{states[DOUBTFUL]} of {len(reports)} scans got a warning and no result; the lines above say why."
        )
    return 0


def _tasks(
    arguments: argparse.Namespace, found: FoundScans, dataset: Path, model: ModelReference, options: SegmentOptions
) -> list[ScanTask]:
    """A task for each scan. All its paths are absolute: a worker may have another current folder."""
    output, dataset = arguments.output.absolute(), dataset.absolute()
    return [
        ScanTask(
            replace(scan, images=tuple(image.absolute() for image in scan.images)),
            output,
            model,
            options,
            arguments.suffix,
            dataset,
            arguments.overwrite,
        )
        for scan in found.scans
    ]


def _check(arguments: argparse.Namespace, folder: Path, output: Path) -> None:
    for name in _FOR_ONE_SCAN:
        if getattr(arguments, name) is not None:
            raise InputImageError(f"--{name} is for one scan; leave it out to segment the folder {folder}.")
    if output.resolve() in (folder.resolve(), (folder / IMAGES_FOLDER).resolve()):
        raise OutputError(f"{output} holds the scans; choose another folder for the results.")


def _about_values(dataset: Path, card: ModelCard) -> str:
    """A line on the values of results; a second one on those of whole scans where a locator adds sides."""
    lines = [_values_line(one, dataset_values(dataset, one)) for one in (card.labels, located_card(card).labels)]
    return "\n".join([lines[0], *(f"With sides: {line}" for line in lines[1:] if card.input.locator)])


def _values_line(labels: tuple[Label, ...], values: dict[int, int]) -> str:
    if not values:
        return f"No label of {DATASET_FILE} is named like one of the model's: results have the model's values."
    kept = ", ".join(f"{values[label.value]} {label.name}" for label in labels if label.value in values)
    left_out = ", ".join(label.name for label in labels if label.value not in values)
    return f"Label values are those of {DATASET_FILE}: {kept}.{f' Left out: {left_out}.' if left_out else ''}"


def _line(report: ScanReport) -> str:
    reason = f": {report.reason}" if report.reason else ""
    first = one_line(f"{report.name}: {report.state}{reason}")
    return "\n".join([first, *(f"  Warning: {text}" for text in report.warnings)])


def _as_json(model: Model, found: FoundScans, reports: Sequence[ScanReport]) -> dict[str, Any]:
    """What became of the scans and, where there are some, what was left out."""
    told: dict[str, Any] = {"model": model.card.identifier, "scans": [report.to_json() for report in reports]}
    if found.left_out:
        told["left_out"] = [{"name": one.name, "reason": one.reason} for one in found.left_out]
    return told

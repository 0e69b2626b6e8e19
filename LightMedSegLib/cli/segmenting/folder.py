"""``lightmedseg segment FOLDER OUTFOLDER``: all scans of a folder."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.cli.native_messages import without_native_messages
from LightMedSegLib.cli.parser import file_path
from LightMedSegLib.cli.progress_bar import ProgressBar
from LightMedSegLib.cli.tables import format_table
from LightMedSegLib.core.console import one_line
from LightMedSegLib.core.errors import CancelledError, DoubtfulResultError, InputImageError, OutputError
from LightMedSegLib.core.label_volumes import label_volumes
from LightMedSegLib.core.labels import Label
from LightMedSegLib.core.process import interruption
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.batch import DOUBTFUL, FAILED, NOT_STARTED, SEGMENTED, SKIPPED, Batch, Outcome
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.io.cases.dataset_description import DATASET_FILE
from LightMedSegLib.io.nnunet_labels import dataset_values
from LightMedSegLib.io.results.output_checks import check_inputs_stay, make_output_folder
from LightMedSegLib.io.scan_folders import IMAGES_FOLDER, find_scans
from LightMedSegLib.io.segmentation_files import check_output_path
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card
from LightMedSegLib.model.package import Model

_STATES = (SEGMENTED, SKIPPED, DOUBTFUL, FAILED, NOT_STARTED)
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
    scans = find_scans(folder, model.card.in_channels)
    dataset = folder.parent if folder.name == IMAGES_FOLDER else folder
    about_values = _about_values(dataset, model.card)
    make_output_folder(output)
    if arguments.json:
        check_output_path(arguments.json)
        check_inputs_stay([arguments.json], [path for scan in scans for path in scan.images])

    from LightMedSegLib.inference.segmentation import Engine

    batch = Batch(
        Engine(model, options.device),
        output,
        arguments.suffix,
        dataset,
        arguments.overwrite,
        options,
        _read_quietly,
    )
    print(f"{len(scans)} scans with {model.card.identifier} on {batch.engine.device.name}.")
    if (dataset / DATASET_FILE).is_file():
        print(about_values)
    cancel = CancelToken()
    rows = []
    # The scan in work ends within a second, instead of being torn down.
    with interruption.calling(cancel.cancel), ProgressBar(sys.stderr) as progress:
        for outcome in batch.run(scans, progress, cancel):
            print(_line(outcome), flush=True)
            rows.append(_row(outcome))
    if arguments.json:
        write_json(arguments.json, {"model": model.card.identifier, "scans": rows})
    states = [row["state"] for row in rows]
    warned = sum(bool(row.get("warnings")) for row in rows)
    print(f"\n{_counts(states)}\n\nThe results are in {output}.")
    if warned:
        print(f"{warned} of them {'has' if warned == 1 else 'have'} warnings: see the lines above.")
    if cancel.cancelled:
        raise CancelledError("Interrupted: finished results stay, and the same command goes on with the rest.")
    if FAILED in states:
        raise InputImageError(
            f"{states.count(FAILED)} of {len(states)} scans could not be segmented; the lines above say why."
        )
    if DOUBTFUL in states:
        raise DoubtfulResultError(
            f"{states.count(DOUBTFUL)} of {len(states)} scans got a warning and no result; the lines above say why."
        )
    return 0


def _check(arguments: argparse.Namespace, folder: Path, output: Path) -> None:
    for name in _FOR_ONE_SCAN:
        if getattr(arguments, name) is not None:
            raise InputImageError(f"--{name} is for one scan; leave it out to segment the folder {folder}.")
    if output.resolve() in (folder.resolve(), (folder / IMAGES_FOLDER).resolve()):
        raise OutputError(f"{output} holds the scans; choose another folder for the results.")


def _read_quietly(path: Path) -> sitk.Image:
    with without_native_messages():
        return read_volume(path)


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


def _line(outcome: Outcome) -> str:
    warnings = outcome.result.warnings if outcome.result else []
    reason = f": {outcome.reason}" if outcome.reason else ""
    first = one_line(f"{outcome.name}: {outcome.state}{reason}")
    return "\n".join([first, *(f"  Warning: {text}" for text in warnings)])


def _row(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON. It is called as the file of its result, so a scan's name must not tell whose it is."""
    row: dict[str, Any] = {"file": outcome.name, "state": outcome.state}
    if outcome.reason:
        row["reason"] = outcome.reason
    if outcome.result:
        result = outcome.result
        row["segments"] = label_volumes(result.labelmap, result.card.labels)
        row["seconds"] = {**result.timings, "total": sum(result.timings.values())}
        row["notes"] = list(result.notes)
        row["warnings"] = list(result.warnings)
    return row


def _counts(states: list[str]) -> str:
    rows = [[state, str(states.count(state))] for state in _STATES if state in states]
    return format_table(["Scans", "Count"], rows)

"""``lightmedseg segment FOLDER OUTFOLDER``: all scans of a folder; with --all-frames, all frames of its 4D files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from LightMedSegLib.cli.parser import file_path
from LightMedSegLib.cli.segmenting.cohort import segment_cohort
from LightMedSegLib.cli.segmenting.cohort_arguments import prepare_workers
from LightMedSegLib.cli.segmenting.report import no_expected_dice
from LightMedSegLib.cohorts.model_reference import ModelReference
from LightMedSegLib.cohorts.regions import with_one_grid, with_regions
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.errors import InputImageError, OutputError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.io.cases.dataset_description import DATASET_FILE
from LightMedSegLib.io.dicom_series import is_dicom
from LightMedSegLib.io.labelmaps.choosing import chosen_labels
from LightMedSegLib.io.nnunet_labels import dataset_values
from LightMedSegLib.io.pictures.sheet import check_drawing
from LightMedSegLib.io.results.output_checks import make_output_folder
from LightMedSegLib.io.scan_folders import IMAGES_FOLDER, FoundScans, Scan, file_name, find_scans
from LightMedSegLib.io.segmentation_files import SEGMENTATION_SUFFIXES
from LightMedSegLib.io.volume_files import count_frames
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card
from LightMedSegLib.model.package import Model

_FOR_ONE_SCAN = ("series", "uncertainty")


def is_folder_run(arguments: argparse.Namespace) -> bool:
    """Whether a folder is to be segmented into a folder: one input, and an output without a file's ending.

    So are the frames of a file. Raises OutputError if they are to be written to one file.
    """
    if arguments.all_frames and arguments.output.name.lower().endswith((*SEGMENTATION_SUFFIXES, ".dcm")):
        raise OutputError(
            f"--all-frames writes a file for each frame: name a folder for them instead of {arguments.output}."
        )
    return arguments.all_frames or (
        len(arguments.inputs) == 1
        and os.path.isdir(file_path(arguments.inputs[0]))  # noqa: PTH112 - no error for what may not be seen
        and (os.path.isdir(arguments.output) or not arguments.output.suffix)  # noqa: PTH112
    )


def run_folder(arguments: argparse.Namespace, model: Model, options: SegmentOptions) -> int:
    """Segment every scan of the folder, or every frame, as :func:`segment_cohort` does."""
    folder, output = file_path(arguments.inputs[0]), arguments.output
    _check(arguments, folder, output)
    prepare_workers(arguments)
    found = _with_frames(arguments, folder, model) if arguments.all_frames else _found(arguments, folder, model)
    place = folder if folder.is_dir() else folder.parent
    dataset = place.parent if place.name == IMAGES_FOLDER else place
    about_values = _about_values(dataset, model.card, arguments.labels)
    for made in filter(None, (output, arguments.montage)):
        make_output_folder(made)
    tasks = _with_regions(arguments, _tasks(arguments, found, dataset, ModelReference.of(model), options))
    about = [about_values] if (dataset / DATASET_FILE).is_file() else []
    return segment_cohort(arguments, model, found, tasks, [*about, *no_expected_dice(arguments, model.card)])


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
            labels=arguments.labels,
            pictures=arguments.montage and arguments.montage.absolute(),
        )
        for scan in found.scans
    ]


def _found(arguments: argparse.Namespace, folder: Path, model: Model) -> FoundScans:
    return find_scans(folder, model.card.in_channels, model.card.modality, arguments.derived)


def _with_frames(arguments: argparse.Namespace, place: Path, model: Model) -> FoundScans:
    """The frames of a file, of the DICOM series directly in a folder, or of every scan of a folder."""
    if not place.is_dir() or _has_slices(place):
        name = file_name(place) or place.name
        # Another series of the folder may have its results in the same place.
        own = name if arguments.series is None else f"{name}-series-{arguments.series}"
        return FoundScans(_frames(Scan(own, (place,), arguments.series)))
    found = _found(arguments, place, model)
    return replace(found, scans=tuple(frame for scan in found.scans for frame in _frames_or_scan(scan)))


def _has_slices(place: Path) -> bool:
    return any(path.is_file() and is_dicom(path) for path in place.iterdir())


def _frames_or_scan(scan: Scan) -> tuple[Scan, ...]:
    """The frames of one scan of many; only the first if they cannot be counted: reading it gives the reason."""
    try:
        return _frames(scan)
    except InputImageError:
        return (replace(scan, frame=0),)


def _frames(scan: Scan) -> tuple[Scan, ...]:
    """The frames of a scan, each a scan of its own; a scan without a fourth axis is its only one."""
    count = count_frames(scan.images[0], scan.series)
    if count == 1:
        return (scan,)
    name, digits = scan.name.removesuffix(".seq"), len(str(count))
    return tuple(replace(scan, name=f"{name}-frame-{n + 1:0{digits}d}", frame=n) for n in range(count))


def _with_regions(arguments: argparse.Namespace, tasks: list[ScanTask]) -> list[ScanTask]:
    if arguments.roi is None:
        return tasks
    return with_regions(tasks, arguments.roi) if isinstance(arguments.roi, Path) else with_one_grid(tasks)


def _check(arguments: argparse.Namespace, folder: Path, output: Path) -> None:
    if len(arguments.inputs) > 1:
        raise InputImageError("--all-frames is for one file or folder; give one INPUT.")
    of_series = arguments.all_frames and folder.is_dir() and _has_slices(folder)
    for name in _FOR_ONE_SCAN:
        if getattr(arguments, name) is not None and not (of_series and name == "series"):
            what = f"the folder {folder}" if folder.is_dir() else f"all frames of {folder}"
            raise InputImageError(f"--{name} is for one scan; leave it out to segment {what}.")
    if output.resolve() in (folder.resolve(), (folder / IMAGES_FOLDER).resolve()):
        raise OutputError(f"{output} holds the scans; choose another folder for the results.")
    if arguments.montage:
        if arguments.montage.suffix.lower() == ".png":
            raise OutputError(
                f"{arguments.montage} is a file; --montage needs a folder for the pictures of many scans."
            )
        check_drawing()


def _about_values(dataset: Path, card: ModelCard, wanted: Sequence[str]) -> str:
    """A line on the values of results; a second one on those of whole scans where a locator adds sides.

    Raises InputImageError where results get a dataset's values, and none of the wanted labels has one.
    """
    every = (card.labels, located_card(card).labels)
    chosen = [chosen_labels(labels, card.labels, wanted) for labels in every]
    if any(dataset_values(dataset, one) for one in every) and not any(dataset_values(dataset, one) for one in chosen):
        raise InputImageError(f"{dataset / DATASET_FILE} has none of the labels {', '.join(wanted)}; choose others.")
    lines = [_values_line(one, dataset_values(dataset, one)) for one in chosen]
    return "\n".join([lines[0], *(f"With sides: {line}" for line in lines[1:] if card.input.locator)])


def _values_line(labels: tuple[Label, ...], values: dict[int, int]) -> str:
    if not values:
        return f"No label of {DATASET_FILE} is named like one of the model's: results have the model's values."
    kept = ", ".join(f"{values[label.value]} {label.name}" for label in labels if label.value in values)
    left_out = ", ".join(label.name for label in labels if label.value not in values)
    return f"Label values are those of {DATASET_FILE}: {kept}.{f' Left out: {left_out}.' if left_out else ''}"

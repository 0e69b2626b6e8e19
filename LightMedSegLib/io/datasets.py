"""Finding training cases: a Decathlon or nnU-Net folder, plain images/ and labels/ folders, or a CSV file."""

from __future__ import annotations

from pathlib import Path

from LightMedSegLib.core.errors import InputImageError, TrainingDataError
from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.io.cases.case_list import cases_of_csv
from LightMedSegLib.io.cases.dataset_description import DATASET_FILE, declared_channels, declared_labels
from LightMedSegLib.storage.file_names import comparable_name

VOLUME_ENDINGS = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".nhdr", ".mha", ".mhd")


def find_cases(folder: Path, layout: str, channels: int) -> list[Case]:
    """Return the labelled cases below folder (or in the CSV file), sorted by name.

    layout "decathlon": imagesTr/ and labelsTr/ (with nnU-Net's ``_0000`` channel endings, or the Decathlon's single
    file a case), or images/ and labels/ with equal file names. layout "csv", and any file: a CSV file with the columns
    case, image (or image_0, image_1, ...), labelmap and optionally labelled, a list of label values, and patient; paths
    are relative to the CSV file. layout "labelmaps": the volumes of the folder, or of its folder labels/, each a case
    without an image.

    Raises TrainingDataError when a file is missing, two files are one case, or the folder holds no case.
    """
    if not folder.exists():
        raise TrainingDataError(f"The training data {folder} does not exist.")
    if layout == "labelmaps":
        cases = _labelmaps_of_folder(folder)
    else:
        listed = layout == "csv" or folder.is_file()
        cases = cases_of_csv(folder, channels) if listed else _cases_of_folder(folder, channels)
    if not cases:
        raise TrainingDataError(f"The training data {folder} holds no labelled case.")
    names = [case.name for case in cases]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TrainingDataError(f"The case {repeated[0]!r} appears more than once in the training data {folder}.")
    return sorted(cases, key=lambda case: case.name)


def case_name(path: Path) -> str:
    """Return the file name without its volume ending; empty if the file is no volume."""
    for ending in VOLUME_ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return ""


def _labelmaps_of_folder(folder: Path) -> list[Case]:
    inner = folder / "labels"
    volumes = _volumes_by_name(inner if inner.is_dir() else folder)
    return [Case(name, (), path) for name, path in volumes.items()]


def _cases_of_folder(folder: Path, channels: int) -> list[Case]:
    for images, labels in (("imagesTr", "labelsTr"), ("images", "labels")):
        if (folder / images).is_dir() and (folder / labels).is_dir():
            break
    else:
        raise TrainingDataError(
            f"The training data {folder} needs the folders imagesTr and labelsTr, or images and labels."
        )
    labels_of_dataset = _checked_dataset(folder, channels)
    volumes = _volumes_by_name(folder / images)
    cases: list[Case] = []
    for name, labelmap in sorted(_volumes_by_name(folder / labels).items()):
        files = _images_of_case(name, volumes, channels)
        if len(files) < channels:
            raise TrainingDataError(f"The labelmap {labelmap.name} has no image of {channels} channel(s) in {images}.")
        others = [case.labelmap.name for case in cases if set(case.images) & set(files)]
        if others:
            raise TrainingDataError(
                f"The labelmaps {others[0]} and {labelmap.name} would both belong to {files[0].name}; keep one of them."
            )
        cases.append(Case(name, files, labelmap, dataset_labels=labels_of_dataset, dataset_file=folder / DATASET_FILE))
    return cases


def _images_of_case(name: str, volumes: dict[str, Path], channels: int) -> tuple[Path, ...]:
    """Return the files of all channels, or fewer if one is missing."""
    numbered = [volumes[key] for key in (f"{name}_{channel:04d}" for channel in range(channels)) if key in volumes]
    plain = volumes.get(name)
    if channels > 1 or plain is None:
        return tuple(numbered)
    if numbered:
        raise TrainingDataError(
            f"The case {name!r} has two images, {plain.name} and {numbered[0].name}; keep one of them."
        )
    return (plain,)


def _volumes_by_name(folder: Path) -> dict[str, Path]:
    """Volumes by case name. Raises TrainingDataError for two files of one case in two formats."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name = comparable_name(case_name(path))
        if not name or path.name[0] == ".":
            continue
        if name in found:
            raise TrainingDataError(
                f"{folder} has two files for the case {name!r}, {found[name].name} and {path.name}; keep one of them."
            )
        found[name] = path
    return found


def _checked_dataset(folder: Path, channels: int) -> tuple[tuple[int, str], ...]:
    """Return values and names of the labels in the dataset description, if there is one."""
    try:
        declared, labels = declared_channels(folder), declared_labels(folder)
    except InputImageError as error:
        raise TrainingDataError(str(error)) from None
    if declared not in (None, channels):
        raise TrainingDataError(
            f"The file {folder / DATASET_FILE} declares {declared} channel(s), but {channels} are asked for."
        )
    return tuple((value, name) for name, value in labels.items() if value)

"""Finding training cases: a Decathlon or nnU-Net folder, plain images/ and labels/ folders, or a CSV file."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.core.errors import TrainingDataError

VOLUME_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")


@dataclass(frozen=True)
class Case:
    """One volume (one file per channel) with its labelmap.

    labelled holds the label values that the annotator looked for; None means all of them. A structure
    that is not in it may be present in the image without being marked, so the loss leaves it out.
    """

    name: str
    images: tuple[Path, ...]
    labelmap: Path
    labelled: tuple[int, ...] | None = None


def find_cases(folder: Path, layout: str, channels: int) -> list[Case]:
    """The labelled cases below folder (or in the CSV file), sorted by name.

    layout "decathlon": imagesTr/ and labelsTr/ (nnU-Net's ``_0000`` channel endings are understood, as is
    Decathlon's one file a case), or images/ and labels/ with equal file names. layout "csv": folder is a
    CSV file with the columns case, image (or image_0, image_1, ...), labelmap and optionally labelled, a
    list of label values separated by spaces; paths are relative to the CSV file. layout "labelmaps": the
    volumes of the folder, or of its folder labels/, each a case without an image.

    Raises TrainingDataError when a file is missing or the folder holds no case.
    """
    if not folder.exists():
        raise TrainingDataError(f"The training data {folder} does not exist.")
    if layout == "labelmaps":
        cases = _labelmaps_of_folder(folder)
    else:
        cases = _cases_of_csv(folder, channels) if layout == "csv" else _cases_of_folder(folder, channels)
    if not cases:
        raise TrainingDataError(f"The training data {folder} holds no labelled case.")
    names = [case.name for case in cases]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TrainingDataError(f"The case {repeated[0]!r} appears more than once in the training data {folder}.")
    return sorted(cases, key=lambda case: case.name)


def case_name(path: Path) -> str:
    """The file name without its volume ending; empty when the file is no volume."""
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
    _check_dataset_file(folder, channels)
    volumes = _volumes_by_name(folder / images)
    cases = []
    for name, labelmap in sorted(_volumes_by_name(folder / labels).items()):
        files = [volumes.get(f"{name}_{channel:04d}") for channel in range(channels)]
        if channels == 1 and files[0] is None:
            files = [volumes.get(name)]
        if any(file is None for file in files):
            raise TrainingDataError(f"The labelmap {labelmap.name} has no image of {channels} channel(s) in {images}.")
        cases.append(Case(name, tuple(file for file in files if file is not None), labelmap))
    return cases


def _volumes_by_name(folder: Path) -> dict[str, Path]:
    return {case_name(path): path for path in sorted(folder.iterdir()) if case_name(path) and path.name[0] != "."}


def _check_dataset_file(folder: Path, channels: int) -> None:
    path = folder / "dataset.json"
    if not path.is_file():
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise TrainingDataError(f"The file {path} is not valid JSON.") from None
    declared = content.get("channel_names", content.get("modality")) if isinstance(content, dict) else None
    if isinstance(declared, dict) and len(declared) != channels:
        raise TrainingDataError(
            f"The file {path} declares {len(declared)} channel(s), but the training configuration has {channels}."
        )


def _cases_of_csv(path: Path, channels: int) -> list[Case]:
    image_columns = ["image"] if channels == 1 else [f"image_{channel}" for channel in range(channels)]
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingDataError(f"The list of cases {path.name} cannot be read: {error}.") from None
    return [_case_of_row(row, path, number, image_columns) for number, row in enumerate(rows, start=2)]


def _case_of_row(row: dict[str, str | None], path: Path, number: int, image_columns: list[str]) -> Case:
    place = f"Line {number} of {path.name}"
    for column in ["case", "labelmap", *image_columns]:
        if not row.get(column):
            raise TrainingDataError(f"{place} has no value in the column {column!r}.")
    files = [path.parent / str(row[column]) for column in [*image_columns, "labelmap"]]
    for file in files:
        if not file.is_file():
            raise TrainingDataError(f"{place} names the file {file}, which does not exist.")
    written = row.get("labelled")
    try:
        labelled = None if written is None or not written.strip() else tuple(int(value) for value in written.split())
    except ValueError:
        raise TrainingDataError(f"{place} must list whole numbers in the column 'labelled', not {written!r}.") from None
    return Case(str(row["case"]), tuple(files[:-1]), files[-1], labelled)

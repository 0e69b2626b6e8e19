"""The cases that two folders of segmentations have in common, by their names without endings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.cases.dataset_description import declared_labels
from LightMedSegLib.io.datasets import case_name
from LightMedSegLib.storage.file_names import comparable_name


@dataclass(frozen=True)
class Matched:
    """The files of the cases that are in both folders, by name, and the names of those that are in one only."""

    pairs: dict[str, tuple[Path, Path]]
    only_predicted: tuple[str, ...]
    only_in_reference: tuple[str, ...]


def match_folders(predictions: Path, references: Path) -> Matched:
    """Return the cases of two folders, sorted by name: the path below the folder, without the ending.

    So a.nii.gz belongs to a.seg.nrrd, and PATIENT/a.nii.gz to PATIENT/a.mha. Raises InputImageError if a folder holds
    no segmentation or two of one case, and if no case is in both.
    """
    first, second = _segmentations(predictions), _segmentations(references)
    common = sorted(first.keys() & second.keys())
    if not common:
        raise InputImageError(
            f"No file of {predictions} has the name of a file of {references}, such as {min(first)} and "
            f"{min(second)}; give the files of a case the same name."
        )
    return Matched(
        {name: (first[name], second[name]) for name in common},
        tuple(sorted(first.keys() - second.keys())),
        tuple(sorted(second.keys() - first.keys())),
    )


def names_of_dataset(folder: Path) -> dict[int, str]:
    """Return value and name of the structures in the dataset.json of folder or, for labelsTr and so on, above it."""
    places = [folder, *([folder.parent] if folder.name.startswith("labels") else [])]
    declared = next(filter(None, map(declared_labels, places)), {})
    return {value: name for name, value in declared.items() if value}


def _segmentations(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        stem = case_name(path)
        if not stem or any(part.startswith(".") for part in parts) or not path.is_file():
            continue
        name = comparable_name("/".join([*parts[:-1], stem]))
        if name in found:
            raise InputImageError(
                f"{folder} has two files for the case {name}, {found[name].name} and {path.name}; keep one."
            )
        found[name] = path
    if not found:
        raise InputImageError(f"{folder} holds no segmentation.")
    return found

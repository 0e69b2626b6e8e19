"""Cases brought onto the model grid and stored as plain arrays.

The folder that prepare_cases writes is all that training needs: a machine without SimpleITK can train
from it. It holds ``images.npy`` (float16, the cases' voxels one after the other, channels first),
``labels.npy`` (uint8, 255 where the truth is unknown) and ``cases.json`` (names, shapes, labelled values
and the input description that the arrays were made with).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError, TrainingDataError
from LightMedSegLib.core.geometry import Grid, map_to_model_grid
from LightMedSegLib.core.progress import ProgressCallback
from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.labelmap_indices import cut_to_content, ids_in_order, indices_of
from LightMedSegLib.learning.model_input import input_spec, learnt_labels
from LightMedSegLib.storage.atomic_files import make_private_folder

INDEX_FILE = "cases.json"
"""Written last: a folder that has it is complete."""

IGNORED = 255
"""Label of voxels whose truth is unknown; they take part in no loss and no score."""

_FORMAT = 1
_GRID_KEYS = ("channels", "spacing_mm", "orientation")


@dataclass(frozen=True)
class PreparedCase:
    """One case on the model grid.

    image: float16 (C, z, y, x), normalised; no channel where images are made from labelmaps. labels: uint8
    (z, y, x). labelled: the label values that the annotator looked for, None for all.
    """

    name: str
    image: NDArray[np.float16]
    labels: NDArray[np.uint8]
    labelled: tuple[int, ...] | None = None


def prepare_cases(
    cases: Sequence[Case],
    configuration: TrainingConfiguration,
    folder: Path,
    progress: ProgressCallback | None = None,
    note: Callable[[str], None] | None = None,
) -> list[PreparedCase]:
    """Read, resample and normalise the cases as inference does, store them in folder, and return them.

    note is called with each new sentence about labels that were not as expected.

    Raises TrainingDataError for a labelmap on another grid than its image or with undeclared values, and if no case
    shows any structure.
    """
    prepared: list[PreparedCase] = []
    told: set[str] = set()

    def once(text: str) -> None:
        if note is not None and text not in told:
            note(text)
        told.add(text)

    for number, case in enumerate(cases):
        prepared.append(prepare_case(case, configuration, once))
        if progress is not None:
            progress(number + 1, len(cases), case.name)
    if not any(((case.labels > 0) & (case.labels != IGNORED)).any() for case in prepared):
        raise TrainingDataError("None of the cases has a voxel of any structure; there is nothing to learn.")
    write_prepared(folder, prepared, configuration)
    return prepared


def prepare_case(
    case: Case, configuration: TrainingConfiguration, note: Callable[[str], None] = lambda text: None
) -> PreparedCase:
    """One case on the model grid, by the same steps as inference; for synthesis, the labelmap's indices alone.

    note is called with sentences about labels that were not as expected. Raises TrainingDataError.
    """
    if configuration.synthesis.active:
        return _prepare_label_map(case, configuration)
    import SimpleITK as sitk

    from LightMedSegLib.inference.preprocessing import prepare, prepare_labelmap
    from LightMedSegLib.io.labelmaps.case_labels import read_case_labels
    from LightMedSegLib.io.volume_files import read_volume

    volumes = [read_volume(path) for path in case.images]
    for other in volumes[1:]:
        if not Grid.of(volumes[0]).same_as(Grid.of(other)):
            raise TrainingDataError(f"The volumes of the case {case.name!r} are not all on the same grid.")
    outside = [value for value in case.labelled or () if not 0 < value < configuration.num_classes]
    if outside:
        raise TrainingDataError(f"The case {case.name!r} is labelled for the value {outside[0]}, which no label has.")
    try:
        reading = read_case_labels(case, volumes[0], learnt_labels(configuration), (IGNORED,))
    except InputImageError as error:
        raise TrainingDataError(f"The case {case.name!r} cannot be used: {error}") from error
    for text in reading.notes:
        note(text)
    spec = input_spec(configuration)
    image, grid = prepare(volumes[0] if len(volumes) == 1 else volumes, spec)
    labels = prepare_labelmap(sitk.Cast(reading.image, sitk.sitkUInt8), grid)
    return PreparedCase(case.name, image.astype(np.float16), np.asarray(labels, dtype=np.uint8), case.labelled)


def _prepare_label_map(case: Case, configuration: TrainingConfiguration) -> PreparedCase:
    """The indices of a labelmap on the model grid, cut to what is not air, as a case without an image.

    Raises TrainingDataError for an id that the configuration does not name.
    """
    from LightMedSegLib.inference.preprocessing import prepare_labelmap
    from LightMedSegLib.io.labelmaps.reading import read_labelmap

    labelmap = read_labelmap(case.labelmap).image
    spec = input_spec(configuration)
    grid = map_to_model_grid(Grid.of(labelmap), spec.spacing, spec.orientation).model
    indices = indices_of(prepare_labelmap(labelmap, grid), configuration.synthesis, case.name)
    indices = np.ascontiguousarray(cut_to_content(indices, configuration.spacing_zyx))
    return PreparedCase(case.name, np.zeros((0, *indices.shape), np.float16), indices)


def write_prepared(folder: Path, cases: Sequence[PreparedCase], configuration: TrainingConfiguration) -> None:
    """Store the cases in folder, in place of older ones."""
    make_private_folder(folder)
    index_file = folder / INDEX_FILE
    index_file.unlink(missing_ok=True)
    np.save(folder / "images.npy", np.concatenate([case.image.ravel() for case in cases]), allow_pickle=False)
    np.save(folder / "labels.npy", np.concatenate([case.labels.ravel() for case in cases]), allow_pickle=False)
    index = {
        "format": _FORMAT,
        "input": _grid_description(configuration),
        "cases": [{"name": case.name, "shape": list(case.image.shape), "labelled": case.labelled} for case in cases],
    }
    temporary = folder / (INDEX_FILE + ".part")
    temporary.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    temporary.replace(index_file)


def read_prepared(folder: Path, configuration: TrainingConfiguration) -> list[PreparedCase]:
    """The cases that write_prepared stored in folder.

    Raises TrainingDataError when the folder is incomplete or was prepared for another input description.
    """
    index_file = folder / INDEX_FILE
    if not index_file.is_file():
        raise TrainingDataError(f"The folder {folder} holds no prepared cases; prepare them with --prepare-only.")
    try:
        index = json.loads(index_file.read_text(encoding="utf-8"))
        if index["format"] != _FORMAT or index["input"] != _grid_description(configuration):
            raise TrainingDataError(
                f"The folder {folder} was prepared for another input description; prepare the cases again."
            )
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", mmap_mode="r", allow_pickle=False)
        return _cut_into_cases(index["cases"], images, labels)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingDataError(f"The prepared cases in {folder} are damaged: {error}.") from None


def _cut_into_cases(entries: list[dict[str, Any]], images: NDArray[Any], labels: NDArray[Any]) -> list[PreparedCase]:
    cases = []
    image_start = label_start = 0
    for entry in entries:
        shape = tuple(int(size) for size in entry["shape"])
        image_stop, label_stop = image_start + int(np.prod(shape)), label_start + int(np.prod(shape[1:]))
        image = np.array(images[image_start:image_stop], dtype=np.float16).reshape(shape)
        label = np.array(labels[label_start:label_stop], dtype=np.uint8).reshape(shape[1:])
        labelled = None if entry["labelled"] is None else tuple(int(value) for value in entry["labelled"])
        cases.append(PreparedCase(str(entry["name"]), image, label, labelled))
        image_start, label_start = image_stop, label_stop
    return cases


def _grid_description(configuration: TrainingConfiguration) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(json.dumps({key: configuration.input[key] for key in _GRID_KEYS}))
    if configuration.synthesis.active:
        description["ids"] = list(ids_in_order(configuration.synthesis))
    return description

"""The draft of a new model from segmented scans in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from LightMedSegLib.core.errors import ModelPackageError, TrainingDataError
from LightMedSegLib.finetuning.job.description import JOB_FILE
from LightMedSegLib.learning.own_models import make_label
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.model.package import Model, load_model
from LightMedSegLib.storage.atomic_files import remove_folder

if TYPE_CHECKING:
    from LightMedSegLib.core.labels import Label
    from LightMedSegLib.io.cases.case import Case

DRAFT_FOLDER = "draft"


def draft_of_files(
    start: str | Path | Model, title: str, files: Path | None, folder: Path, names: Sequence[str] = ()
) -> Model:
    """Return the draft in the folder of a run, which is written unless a run there goes on.

    start: the promptable model. files: as cases of finetune. names: of the structures with the values 1, 2, ...; none:
    those of the dataset's description. Raises TrainingDataError where they are unknown, and for unusable cases.
    """
    from LightMedSegLib.core.geometry import Grid
    from LightMedSegLib.finetuning.new_model.draft import make_draft
    from LightMedSegLib.io.datasets import find_cases
    from LightMedSegLib.io.labelmaps.case_labels import read_case_labels
    from LightMedSegLib.io.results.output_checks import make_output_folder
    from LightMedSegLib.io.scan_tags import tags_of
    from LightMedSegLib.io.volume_files import read_volume
    from LightMedSegLib.learning.own_models import model_name
    from LightMedSegLib.model.store import resolve_model
    from LightMedSegLib.training.planning.scan_facts import scan_facts

    model_name(title)
    if files is None:
        raise TrainingDataError("A new model needs its segmented scans; name their folder or CSV file as the cases.")
    if (folder / JOB_FILE).exists():
        return load_model(folder / DRAFT_FOLDER)
    promptable, found = resolve_model(start), find_cases(files, "decathlon", 1)
    labels, scans = _labels(found, names), []
    for case in found:
        volume = read_volume(case.images[0])
        marked = read_case_labels(case, volume, labels).image
        array, values = _array(volume), _array(marked)
        if values.any():
            known = range(1, len(labels) + 1)
            scans.append(scan_facts(array, Grid.of(volume), values, known, tags_of(volume).modality))
    if not scans:
        raise TrainingDataError("None of the cases has a voxel of any structure; there is nothing to learn.")
    make_output_folder(folder)
    draft = folder / DRAFT_FOLDER
    if draft.exists():
        if not _is_draft(draft):
            raise TrainingDataError(f"{draft} is in the way; choose another folder for the run.")
        remove_folder(draft)
    return make_draft(draft, title, labels, scans, promptable)


def _is_draft(folder: Path) -> bool:
    try:
        return is_draft(load_model(folder).card)
    except ModelPackageError:
        return False


def _labels(cases: Sequence[Case], names: Sequence[str]) -> list[Label]:
    described = [name for value, name in sorted(cases[0].dataset_labels)]
    if not names and not described:
        raise TrainingDataError("Name the structures of the new model, in the order of their values in the labelmaps.")
    return [make_label(value, name) for value, name in enumerate(names or described, start=1)]


def _array(image: object) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    import SimpleITK as sitk

    return np.asarray(sitk.GetArrayViewFromImage(image))

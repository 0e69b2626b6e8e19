"""The folders of a run inside its own, which it replaces: what no run made stays, whatever its name."""

from __future__ import annotations

import os
from pathlib import Path

from LightMedSegLib.core.errors import ModelPackageError, TrainingDataError
from LightMedSegLib.finetuning.job.description import WORK_FOLDER
from LightMedSegLib.finetuning.job.work_folder import holds_results
from LightMedSegLib.storage.atomic_files import atomic_folder, is_temporary, remove_folder

CASES_FOLDER, CANDIDATE_FOLDER = "cases", "candidate"

_MARK = ".run"
"""An empty file in the cases of a run. A case store alone is no sign: the user's own is one too."""


def refuse_foreign(folder: Path, *names: str) -> None:
    """Raise TrainingDataError where one of these folders of a run is in folder already and no run made it."""
    made_by_a_run = {CASES_FOLDER: _has_mark, CANDIDATE_FOLDER: _is_fine_tuned, WORK_FOLDER: holds_results}
    for name in names:
        place = folder / name
        if os.path.lexists(place) and not _is_empty(place) and not made_by_a_run[name](place):
            raise TrainingDataError(
                f"{place} would be replaced, and nothing shows that a fine-tuning made it; move it away, "
                "or choose another folder."
            )


def new_cases_folder(place: Path) -> None:
    """Make the folder of a run's cases, without those that an interrupted run left there.

    Raises TrainingDataError for a folder that no run made, OutputError if the disk refuses.
    """
    refuse_foreign(place.parent, place.name)
    remove_folder(place)
    with atomic_folder(place, private=True) as fresh:
        (fresh / _MARK).touch()


def _is_empty(place: Path) -> bool:
    """Whether a killed run had begun with the folder at most."""
    return place.is_dir() and all(is_temporary(item) for item in place.iterdir())


def _has_mark(place: Path) -> bool:
    return (place / _MARK).is_file()


def _is_fine_tuned(place: Path) -> bool:
    from LightMedSegLib.finetuning.versions import gate_report
    from LightMedSegLib.model.package import load_model

    try:
        return place.is_dir() and gate_report(load_model(place).card) is not None
    except ModelPackageError:
        return False

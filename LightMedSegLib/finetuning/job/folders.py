"""Where the jobs that a panel starts live: one folder for each version that is taught, so that a job can go on."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.job.description import JOB_FILE, LOCK_FILE, RESULT_FILE, STOP_FILE, WORK_FOLDER
from LightMedSegLib.model.active_versions import remove_leftovers
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage.atomic_files import remove_stale
from LightMedSegLib.storage.file_lock import exclusive
from LightMedSegLib.storage.strict_json import parse_json


def jobs_folder() -> Path:
    """The folder of all jobs in the user's data, which may not exist yet."""
    return user_data_folder() / "jobs"


def was_interrupted(folder: Path) -> bool:
    """Whether a job in folder has started but has no verdict; started again with the same cases, it resumes."""
    return (folder / JOB_FILE).is_file() and (folder / WORK_FOLDER).is_dir() and not (folder / RESULT_FILE).exists()


def last_result(folder: Path) -> dict[str, Any] | None:
    """The verdict event of the last job in folder; None if there is none."""
    try:
        content = parse_json((folder / RESULT_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and "accepted" in content else None


def forget_result(folder: Path) -> None:
    """The result was seen, or a new job begins."""
    with contextlib.suppress(OSError):
        (folder / RESULT_FILE).unlink(missing_ok=True)


def clean_up(folder: Path, models: ModelStore, cases: CaseStore) -> None:
    """Remove what killed processes left half done in stores and jobs, and jobs of versions that are gone.

    What a living process is busy with stays.
    """
    cases.clean()
    remove_leftovers(models.user)
    known = {entry.identifier for entry in models.list()}
    for job in sorted(folder.iterdir()) if folder.is_dir() else ():
        with contextlib.suppress(OutputError, OSError):
            if not job.is_dir():
                continue
            with exclusive(job / LOCK_FILE, wait_seconds=0.0) as alone:
                if not alone:
                    continue
                (job / STOP_FILE).unlink(missing_ok=True)
                for place in (job, job / WORK_FOLDER, *(job / WORK_FOLDER).glob("*/")):
                    remove_stale(place, older_than=-1.0)
            if job.name not in known:
                shutil.rmtree(job)

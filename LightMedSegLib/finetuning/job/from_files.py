"""Fine-tuning on corrected segmentations in files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from LightMedSegLib.core.errors import DependencyError, TrainingDataError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.finetuning.job.description import JOB_FILE, RESULT_FILE, WORK_FOLDER, JobDescription
from LightMedSegLib.finetuning.job.own_folders import (
    CANDIDATE_FOLDER,
    CASES_FOLDER,
    new_cases_folder,
    refuse_foreign,
)
from LightMedSegLib.finetuning.job.progress import steps_shown
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.new_model.plan import training_settings
from LightMedSegLib.io.results.output_checks import make_output_folder
from LightMedSegLib.model.package import Model

if TYPE_CHECKING:
    from LightMedSegLib.core.progress import CancelToken, ProgressCallback
    from LightMedSegLib.finetuning.cases.record import CaseRecord
    from LightMedSegLib.finetuning.job.job import JobResult

OnCase = Callable[[str, "CaseRecord", Sequence[str]], None]
"""Called with a case's name in the files, its record, and sentences about it, once it is stored."""


def finetune(
    model: str | Path | Model,
    cases: str | Path | None,
    out: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    new_labels: Sequence[str] = (),
    new_model: str | None = None,
    install: bool = False,
    adopt: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
    **settings: float,
) -> JobResult:
    """Fine-tune a model, and return what the tests of the new version say: accepted or not, and why.

    Args:
        model: name, "name@version", folder or zip of the parent, or a loaded Model.
        cases: folder with images/ and labels/ of equal names, or a CSV file with the columns case, image, labelmap and
            optionally labelled (reviewed label values); None for the cases that were added in 3D Slicer.
        out: folder of this run, which receives the new version as out/candidate unless it is installed.
        device: "auto", "cpu", "cuda" or "cuda:1".
        threads: processor threads; None for all but one.
        new_labels: names of structures that follow the model's last label.
        new_model: the name of a new model for new_labels alone, which is made from these cases; model is then the
            promptable one that it starts from, such as "interactive".
        install: put the new version into the user's models.
        adopt: install it, and use it in place of its parent if the tests accept it.
        progress: called as progress(step, steps, message).
        cancel: a token that any thread may set.
        settings: numbers of FinetuneSettings, such as steps, learning_rate and seed.

    A run that was interrupted goes on when it is called again with the same arguments.

    Raises TrainingDataError, InputImageError, ModelPackageError, DeviceError, DependencyError, OutputError or
    CancelledError.
    """
    try:
        from LightMedSegLib.finetuning.job.job import run_job
    except ModuleNotFoundError as error:
        raise DependencyError(f"Fine-tuning needs the Python package {error.name}; install it first.") from error
    folder, files = Path(out).expanduser(), _files(cases)
    if new_model is not None:
        model, new_labels = new_draft(model, new_model, files, folder, new_labels, install or adopt), ()
    job = describe_job(
        model, files, folder, device=device, threads=threads, install=install, adopt=adopt, settings=settings
    )
    prepare_job(job, files, folder, new_labels)
    return run_job(job, folder, steps_shown(progress) if progress else None, cancel)


def new_draft(
    start: str | Path | Model, title: str, files: Path | None, folder: Path, names: Sequence[str], install: bool
) -> Model:
    """The draft of a new model in folder, as the parent of a job there; arguments as in finetune.

    Raises ModelStoreError if it is to be installed and its name is taken, and what making it raises.
    """
    from LightMedSegLib.finetuning.new_model.draft import refuse_known_name
    from LightMedSegLib.finetuning.new_model.from_files import draft_of_files
    from LightMedSegLib.model.store import ModelStore

    if install and not (folder / JOB_FILE).exists():
        refuse_known_name(ModelStore(), title)
    return draft_of_files(start, title, files, folder, names)


def describe_job(
    model: str | Path | Model,
    files: Path | None,
    folder: Path,
    *,
    device: str,
    threads: int | None,
    install: bool,
    adopt: bool,
    settings: Mapping[str, float],
) -> JobDescription:
    """The job in folder that finetune does for these arguments; raises TrainingDataError for a wrong one."""
    usual = training_settings(model.card, FinetuneSettings()) if isinstance(model, Model) else FinetuneSettings()
    return JobDescription(
        model=str(model.folder if isinstance(model, Model) else model),
        device=device,
        threads=threads or 0,
        adopt="if_better" if adopt else "ask",
        install=install or adopt,
        settings=FinetuneSettings.from_json({**usual.to_json(), **settings}),
        cases_folder=None if files is None else str(folder / CASES_FOLDER),
    )


def prepare_job(
    job: JobDescription, files: Path | None, folder: Path, new_labels: Sequence[str] = (), on_case: OnCase | None = None
) -> None:
    """Store the cases of files in job.cases_folder and write the job into folder, unless a run there goes on.

    files: as cases of finetune; None for a job on cases that are stored already.

    The job's file is written last, so that a folder that has one is complete. Raises TrainingDataError where folder
    holds another run, a finished one, or folders that this one would replace and no run made, and for cases that
    cannot be used.
    """
    if (folder / RESULT_FILE).exists():
        raise TrainingDataError(f"{folder} holds a finished run; choose another folder.")
    if (folder / JOB_FILE).exists():
        if JobDescription.read(folder / JOB_FILE) != job:
            raise TrainingDataError(f"{folder} holds a run with other settings; choose another folder.")
        return
    make_output_folder(folder)
    refuse_foreign(folder, WORK_FOLDER, CANDIDATE_FOLDER)
    if files is not None and job.cases_folder:
        _store_cases(job, files, Path(job.cases_folder), new_labels, on_case)
    job.write(folder)


def _files(cases: str | Path | None) -> Path | None:
    if cases is None:
        return None
    if not isinstance(cases, (str, os.PathLike)):
        raise TrainingDataError(
            f"Cases are given as a folder or a CSV file, not as an object of type {type(cases).__name__}."
        )
    return Path(cases).expanduser()


def _store_cases(
    job: JobDescription, files: Path, folder: Path, new_labels: Sequence[str], on_case: OnCase | None
) -> None:
    from LightMedSegLib.finetuning.cases.building import build_case, crop_problem
    from LightMedSegLib.finetuning.cases.same_scan import same_scan_notes
    from LightMedSegLib.finetuning.cases.store import CaseStore
    from LightMedSegLib.io.datasets import find_cases
    from LightMedSegLib.io.labelmaps.case_labels import absent_labels, read_case_labels
    from LightMedSegLib.io.labelmaps.values import present_values
    from LightMedSegLib.io.volume_files import read_volume
    from LightMedSegLib.io.volume_notes import notes_of
    from LightMedSegLib.learning.own_models import make_label
    from LightMedSegLib.model.promptable import refuse_promptable
    from LightMedSegLib.model.store import resolve_model

    model = resolve_model(job.model)
    refuse_promptable(model.card, "be fine-tuned")
    first = model.card.num_classes
    added = [make_label(first + number, name) for number, name in enumerate(new_labels)]
    labels = [*model.card.labels, *added]
    found = find_cases(files, "decathlon", model.card.in_channels)
    kept = folder.resolve()
    if any(kept in path.resolve().parents for case in found for path in (*case.images, case.labelmap)):
        raise TrainingDataError(f"{folder} holds the cases, and this run would replace it; choose another folder.")
    refuse_foreign(folder.parent, folder.name)
    # All are checked before the first is segmented, which takes a while for each.
    present: list[Sequence[int]] = []
    for case in found:
        volume = read_volume(case.images[0])
        problem = crop_problem(model.card, Grid.of(volume), None)
        if problem:
            raise TrainingDataError(f"The case {case.name} is too large: {problem}")
        present.append(present_values(read_case_labels(case, volume, labels).image))
    if not any(present):
        raise TrainingDataError("None of the cases has a voxel of any structure; there is nothing to learn.")
    # What an interrupted run left would be learnt from twice.
    new_cases_folder(folder)
    store, told = CaseStore(folder), set[str]()
    for case in found:
        volumes = [read_volume(path) for path in case.images]
        reading = read_case_labels(case, volumes[0], labels)
        absent = absent_labels(reading, case.labelled)
        about = dict.fromkeys(note for volume in volumes for note in notes_of(volume))
        built = build_case(
            volumes,
            reading.image,
            model,
            reviewed_labels=case.labelled,
            new_labels=added,
            absent=list(absent),
            device=job.device,
        )
        record = store.add(built)
        if on_case:
            known = [entry.record for entry in store.list()]
            notes = [*about, *(note for note in reading.notes if note not in told)]
            told.update(reading.notes)
            if absent:
                notes.append(f"no voxel of {', '.join(absent.values())}; taken as not in the scan.")
            on_case(case.name, record, [*notes, *same_scan_notes(known, record, None)])

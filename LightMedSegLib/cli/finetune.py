"""``lightmedseg finetune``: a new version of a model from corrected segmentations."""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LightMedSegLib.cli.parser import Commands, file_path, positive_float, positive_int
from LightMedSegLib.cli.progress_bar import ProgressBar
from LightMedSegLib.cli.tables import format_number, format_table
from LightMedSegLib.core.errors import DependencyError, TrainingDataError

if TYPE_CHECKING:
    from LightMedSegLib.finetuning.gate.gate import Verdict
    from LightMedSegLib.finetuning.job.description import JobDescription

NAME = "finetune"

_DESCRIPTION = """Fine-tune a model on corrected segmentations, and test it on what is held out of them by turns.

The new version is written to OUT/candidate, with what the tests said in its card and in OUT/result.json. It is only
installed with --install, and only used instead of its parent once it is adopted. A run that was interrupted goes on
when it is started again with the same OUT."""


def add_command(commands: Commands[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        NAME,
        help="fine-tune a model on corrected segmentations",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, help="name, name@version, folder or zip file of the model")
    parser.add_argument(
        "--cases",
        type=file_path,
        metavar="FOLDER|CSV",
        help="images/ and labels/ of equal names, or a CSV file with the columns case, image, labelmap and optionally "
        "labelled (reviewed label values); default: the cases that were added in 3D Slicer",
    )
    parser.add_argument("--out", type=file_path, required=True, metavar="OUT", help="folder for this run")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument("--threads", type=positive_int, help="processor threads")
    parser.add_argument("--steps", type=positive_int, help="training steps a turn")
    parser.add_argument("--learning-rate", type=positive_float)
    parser.add_argument("--seed", type=int, help="same seed, same device: same result")
    parser.add_argument(
        "--new-label", action="append", default=[], metavar="NAME", help="a structure after the model's last label"
    )
    parser.add_argument("--install", action="store_true", help="put the new version into your models")
    parser.add_argument("--adopt", action="store_true", help="install it, and use it if the tests accept it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fine-tune and print the table; exit code 0 also for a version that was not accepted."""
    try:
        from LightMedSegLib.finetuning.job.job import run_job
    except ModuleNotFoundError as error:
        raise DependencyError(f"Fine-tuning needs the Python package {error.name}; install it first.") from error
    description = _prepare(arguments)
    expected = _expected(description)
    if expected:
        print(expected)
    with ProgressBar(sys.stderr) as bar:
        shown = _Shown(bar)
        result = run_job(description, arguments.out, shown)
    print(_report(result.verdict))
    if result.candidate is None:
        print("No new version was made.")
        return 0
    place = "your models" if description.install else str(arguments.out / "candidate")
    print(f"Wrote {result.candidate} to {place}.")
    if not result.verdict.accepted and description.install:
        print(f"It is not used; if you see that it is better: lightmedseg models use {result.candidate} --force")
    if result.adopted:
        print(f"{result.candidate.split('@')[0]} now means this version.")
    return 0


def _expected(description: JobDescription) -> str:
    """What to know before a job that can show little."""
    from LightMedSegLib.finetuning.cases.selection import usable_records
    from LightMedSegLib.finetuning.cases.store import CaseStore
    from LightMedSegLib.finetuning.gate.advice import before_run
    from LightMedSegLib.models.store import resolve_model

    store = CaseStore(Path(description.cases_folder) if description.cases_folder else None)
    return before_run(usable_records(store, description.cases, resolve_model(description.model).card))


class _Shown:
    """Events of the job on the progress bar."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar, self._steps = bar, 1

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "start":
            self._steps = event["steps"]
        if event["event"] == "step":
            done = (event["part"] - 1) * self._steps + event["step"]
            message = f"turn {event['part']} of {event['parts']}, loss {event['loss']:.3f}"
            self._bar(done, self._steps * event["parts"], message)


def _prepare(arguments: argparse.Namespace) -> JobDescription:
    """The job; its cases are stored in OUT first, and the job's file last, so that a run can go on."""
    from LightMedSegLib.finetuning.job.description import JOB_FILE, RESULT_FILE, JobDescription
    from LightMedSegLib.finetuning.job.settings import FinetuneSettings

    out: Path = arguments.out
    values = {"steps": arguments.steps, "learning_rate": arguments.learning_rate, "seed": arguments.seed}
    description = JobDescription(
        model=str(arguments.model),
        device=arguments.device,
        threads=arguments.threads or 0,
        adopt="if_better" if arguments.adopt else "ask",
        install=arguments.install or arguments.adopt,
        settings=FinetuneSettings.from_json({key: value for key, value in values.items() if value is not None}),
        cases_folder=str(out / "cases") if arguments.cases else None,
    )
    if (out / RESULT_FILE).exists():
        raise TrainingDataError(f"{out} holds a finished run; choose another folder.")
    if (out / JOB_FILE).exists():
        if JobDescription.read(out / JOB_FILE) != description:
            raise TrainingDataError(f"{out} holds a run with other settings; choose another folder.")
        return description
    if arguments.cases:
        _store_cases(arguments, out / "cases")
    description.write(out)
    return description


def _store_cases(arguments: argparse.Namespace, folder: Path) -> None:
    import SimpleITK as sitk

    from LightMedSegLib.finetuning.cases.building import build_case
    from LightMedSegLib.finetuning.cases.own_labels import make_label
    from LightMedSegLib.finetuning.cases.same_scan import same_scan_notes
    from LightMedSegLib.finetuning.cases.store import CaseStore
    from LightMedSegLib.io.datasets import find_cases
    from LightMedSegLib.io.volume_files import read_volume
    from LightMedSegLib.models.store import resolve_model

    model = resolve_model(arguments.model)
    first = model.card.num_classes
    new_labels = [make_label(first + number, name) for number, name in enumerate(arguments.new_label)]
    layout = "csv" if arguments.cases.suffix.lower() == ".csv" else "decathlon"
    found = find_cases(arguments.cases, layout, model.card.in_channels)
    # What an interrupted run left would be learnt from twice.
    shutil.rmtree(folder, ignore_errors=True)
    store, rows, notes = CaseStore(folder), [], []
    for case in found:
        built = build_case(
            [read_volume(path) for path in case.images],
            sitk.Cast(read_volume(case.labelmap), sitk.sitkInt32),
            model,
            reviewed_labels=case.labelled,
            new_labels=new_labels,
            device=arguments.device,
        )
        record = store.add(built)
        known = [entry.record for entry in store.list()]
        notes += [f"{case.name}: {note}" for note in same_scan_notes(known, record, None)]
        trial = record.test_then_train
        rows.append([str(record.number), case.name, format_number(trial.mean if trial else math.nan, 3)])
    print("\n".join([format_table(["Case", "Name", "Dice before"], rows), *notes]))


def _report(verdict: Verdict) -> str:
    rows = []
    for where, table in (("held out", verdict.held_out), ("reference", verdict.reference)):
        rows += [[where, row.name, format_number(row.before, 3), format_number(row.after, 3)] for row in table]
    lines = [format_table(["Tested on", "Structure", "Dice before", "Dice after"], rows)] if rows else []
    lines += [*verdict.notes, *verdict.reasons]
    lines.append("Accepted." if verdict.accepted else "Not accepted.")
    if verdict.next_steps:
        lines += ["What to do next:", *(f"- {step}" for step in verdict.next_steps)]
    return "\n".join(lines)

"""``lightmedseg finetune``: a new version of a model from corrected segmentations."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LightMedSegLib.cli.parser import Commands, file_path, positive_float, positive_int
from LightMedSegLib.cli.printing.messages import Messages, add_quiet
from LightMedSegLib.cli.tables import format_number, format_table
from LightMedSegLib.core.errors import DependencyError, TrainingDataError
from LightMedSegLib.core.torch_loading import import_torch

if TYPE_CHECKING:
    from LightMedSegLib.finetuning.cases.record import CaseRecord
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
    parser.add_argument(
        "--model",
        help="name, name@version, folder or zip file of the model; with --new-model the promptable model that the new "
        "one starts from (default then: interactive)",
    )
    parser.add_argument(
        "--new-model",
        metavar="NAME",
        help="make a new model of this name from one to five segmented scans, for the structures of --new-label, or of "
        "the dataset's description",
    )
    parser.add_argument(
        "-i",
        "--cases",
        "--input",
        type=file_path,
        metavar="FOLDER|CSV",
        help="images/ and labels/ of equal names, or a CSV file with the columns case, image, labelmap and optionally "
        "labelled (reviewed label values); default: the cases that were added in 3D Slicer",
    )
    parser.add_argument(
        "-o", "--out", "--output", type=file_path, required=True, metavar="OUT", help="folder for this run"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument("--threads", type=positive_int, help="processor threads")
    parser.add_argument("--steps", type=positive_int, help="steps of each training")
    parser.add_argument("--learning-rate", type=positive_float)
    parser.add_argument("--seed", type=int, help="same seed, same device: same result")
    parser.add_argument(
        "--new-label", action="append", default=[], metavar="NAME", help="a structure after the model's last label"
    )
    parser.add_argument("--install", action="store_true", help="put the new version into your models")
    parser.add_argument("--adopt", action="store_true", help="install it, and use it if the tests accept it")
    add_quiet(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fine-tune and print the table; exit code 0 also for a version that was not accepted."""
    try:
        import_torch()
        from LightMedSegLib.finetuning.job.job import run_job
        from LightMedSegLib.finetuning.job.progress import steps_shown
    except ModuleNotFoundError as error:
        raise DependencyError(f"Fine-tuning needs the Python package {error.name}; install it first.") from error
    if arguments.model is None and arguments.new_model is None:
        raise TrainingDataError("Choose the model that is fine-tuned (--model), or name a new one (--new-model).")
    messages = Messages(arguments)
    description = _prepare(arguments, messages)
    expected = _expected(description)
    if expected:
        messages.tell(expected)
    with messages.progress_bar() as bar:
        result = run_job(description, arguments.out, steps_shown(bar))
    messages.tell(_report(result.verdict))
    if messages.quiet and not result.verdict.accepted:
        messages.warn("\n".join([*result.verdict.reasons, "Not accepted."]))
    if result.candidate is None:
        messages.warn("No new version was made.")
        return 0
    place = "your models" if description.install else str(arguments.out / "candidate")
    messages.tell(f"Wrote {result.candidate} to {place}.")
    if not result.verdict.accepted and description.install:
        messages.tell(
            f"It is not used; if you see that it is better: lightmedseg models use {result.candidate} --force"
        )
    if result.adopted:
        messages.tell(f"{result.candidate.split('@')[0]} now means this version.")
    return 0


def _expected(description: JobDescription) -> str:
    """What to know before a job that can show little."""
    from LightMedSegLib.finetuning.cases.selection import usable_records
    from LightMedSegLib.finetuning.cases.store import CaseStore
    from LightMedSegLib.finetuning.gate.advice import before_run
    from LightMedSegLib.model.store import resolve_model

    store = CaseStore(Path(description.cases_folder) if description.cases_folder else None)
    return before_run(usable_records(store, description.cases, resolve_model(description.model).card))


def _prepare(arguments: argparse.Namespace, messages: Messages) -> JobDescription:
    """The job, prepared in OUT; prints a table of the cases that are stored there."""
    from LightMedSegLib.finetuning.job.from_files import describe_job, new_draft, prepare_job
    from LightMedSegLib.finetuning.new_model.draft import PROMPTABLE

    model, new_labels, out = arguments.model or PROMPTABLE, arguments.new_label, arguments.out
    if arguments.new_model is not None:
        installed = arguments.install or arguments.adopt
        model = new_draft(model, arguments.new_model, arguments.cases, out, new_labels, installed)
        new_labels = ()
    values = {"steps": arguments.steps, "learning_rate": arguments.learning_rate, "seed": arguments.seed}
    job = describe_job(
        model,
        arguments.cases,
        out,
        device=arguments.device,
        threads=arguments.threads,
        install=arguments.install,
        adopt=arguments.adopt,
        settings={key: value for key, value in values.items() if value is not None},
    )
    rows: list[list[str]] = []
    notes: list[str] = []

    def on_case(name: str, record: CaseRecord, sentences: Sequence[str]) -> None:
        trial = record.baseline_dice
        rows.append([str(record.number), name, format_number(trial.mean if trial else math.nan, 3)])
        notes.extend(f"{name}: {sentence}" for sentence in sentences)

    prepare_job(job, arguments.cases, out, new_labels, on_case)
    if rows:
        messages.tell("\n".join([format_table(["Case", "Name", "Dice before"], rows), *notes]))
    return job


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

"""Segmenting the scans of a cohort for a command: progress, a line for each scan, a summary."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.cli.printing.messages import Messages
from LightMedSegLib.cli.printing.text_output import files
from LightMedSegLib.cli.printing.volume_tables import write_cohort_volumes
from LightMedSegLib.cli.segmenting.cohort_arguments import chosen_executor
from LightMedSegLib.cli.segmenting.report import format_dice
from LightMedSegLib.cli.tables import format_table
from LightMedSegLib.cohorts.existing_results import existing_segments
from LightMedSegLib.cohorts.log_file import check_log, cohort_log
from LightMedSegLib.cohorts.report import (
    DOUBTFUL,
    FAILED,
    SEGMENTED,
    SKIPPED,
    ScanReport,
    by_expected_dice,
    count_states,
)
from LightMedSegLib.cohorts.run import run_cohort
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.cohorts.time_left import CohortTimeLeft
from LightMedSegLib.core.console import one_line
from LightMedSegLib.core.errors import CancelledError, DoubtfulResultError, InputImageError
from LightMedSegLib.core.process import interruption
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.io.results.output_checks import check_inputs_stay, check_names_differ
from LightMedSegLib.io.scan_folders import FoundScans
from LightMedSegLib.io.segmentation_files import check_output_path
from LightMedSegLib.model.package import Model
from LightMedSegLib.storage.atomic_files import remove_stale
from LightMedSegLib.storage.file_names import without_folders

_LOOKED_AT_FIRST = 10


def segment_cohort(
    arguments: argparse.Namespace,
    model: Model,
    found: FoundScans,
    tasks: Sequence[ScanTask],
    about: Sequence[str] = (),
    on_report: Callable[[ScanReport], None] | None = None,
) -> int:
    """Segment the scans, print a line for each and a summary, and return 0.

    arguments: output, json, csv, quiet and those of cohort_arguments. tasks: one for each of the scans that were found.
    about: lines to print before the first scan. on_report gets the report of each scan, after its line is printed.

    Raises OutputError before the first scan, InputImageError if any failed, DoubtfulResultError if any got a warning in
    a strict run.
    """
    messages = Messages(arguments)
    outputs = files([arguments.json, arguments.csv, arguments.log_file])
    for path in outputs:
        check_output_path(path)
    pictures = [task.picture for task in tasks]
    check_names_differ([*outputs, *pictures, *(task.path for task in tasks)])
    check_inputs_stay(outputs, [path for scan in found.scans for path in scan.images])
    check_log(arguments.log_file)
    for folder in {arguments.output, *(folder for task in tasks for folder in task.folders)}:
        remove_stale(folder)
    executor, tasks, changes = chosen_executor(arguments, tasks, model.card)
    header = f"{len(tasks)} {'scan' if len(tasks) == 1 else 'scans'} with {model.card.identifier} {executor.where}."
    messages.tell("\n".join([header, *changes, *about]))
    left_out = [one_line(f"{one.name}: left out: {one.reason}") for one in found.left_out]
    for line in left_out:
        messages.tell(line)
    cancel = CancelToken()
    with (
        cohort_log(arguments.log_file, len(tasks)) as log,
        messages.progress_bar(CohortTimeLeft()) as bar,
        # The scans in work end within a second, instead of being torn down.
        interruption.calling(cancel.cancel),
    ):
        for line in (header, *changes, *left_out):
            log.line(line)

        def take(report: ScanReport) -> None:
            tell = messages.tell if report.state in (SEGMENTED, SKIPPED) and not report.warnings else messages.warn
            tell(_line(report))
            log.report(report)
            if on_report is not None:
                on_report(report)

        def progress(done: int, total: int, message: str) -> None:
            bar(done, total, message)
            log.progress(done, total, message)

        reports = by_expected_dice(run_cohort(tasks, executor, take, progress, cancel))
    if arguments.json:
        write_json(arguments.json, _as_json(model, found, reports))
    if arguments.csv and not cancel.cancelled:
        _write_volumes(arguments.csv, model, tasks, reports, messages)
    states = count_states(reports)
    rows = [[state, str(count)] for state, count in states.items()]
    table = format_table(["Scans", "Count"], rows)
    messages.tell(f"\n{table}\n\nThe results are in {arguments.output}.{_look_first(reports)}")
    warned = sum(bool(report.warnings) for report in reports)
    if warned:
        messages.tell(f"{warned} of them {'has' if warned == 1 else 'have'} warnings: see the lines above.")
    if cancel.cancelled:
        raise CancelledError("Interrupted: finished results stay, and the same command goes on with the rest.")
    if FAILED in states:
        raise InputImageError(
            f"{states[FAILED]} of {len(reports)} scans could not be segmented; the lines above say why."
        )
    if DOUBTFUL in states:
        raise DoubtfulResultError(
            f"{states[DOUBTFUL]} of {len(reports)} scans got a warning and no result; the lines above say why."
        )
    return 0


def _line(report: ScanReport) -> str:
    reason = f": {report.reason}" if report.reason else ""
    first = one_line(f"{report.name}: {report.state}{reason}")
    return "\n".join([first, *(f"  Warning: {text}" for text in report.warnings)])


def _write_volumes(
    output: Path | str, model: Model, tasks: Sequence[ScanTask], reports: Sequence[ScanReport], messages: Messages
) -> None:
    """Write the volumes of all results: those of this run, and of what has a result of an earlier one."""
    volumes, unknown = {}, []
    by_name = {report.name: report for report in reports}
    with messages.progress_bar() as progress:
        for number, task in enumerate(tasks):
            progress(number, len(tasks), "Volumes of existing results")
            report = by_name[task.name]
            if report.state == SEGMENTED:
                volumes[task.scan.name] = report.segments
            elif report.state == SKIPPED:
                try:
                    volumes[task.scan.name] = existing_segments(task, model.card)
                except InputImageError as error:
                    unknown.append(f"{task.name}: not in the table of volumes: {error}")
    write_cohort_volumes(output, volumes)
    for line in unknown:
        messages.warn(one_line(without_folders(line, [task.path for task in tasks])))


def _look_first(reports: Sequence[ScanReport]) -> str:
    """The scans of the lowest expected Dice as a table; nothing where no Dice is expected."""
    rows = [[one_line(report.name), format_dice(report.expected_dice)] for report in reports if report.is_judged]
    if not rows:
        return ""
    return f"\n\nLook first at:\n{format_table(['Scan', 'Expected Dice'], rows[:_LOOKED_AT_FIRST])}"


def _as_json(model: Model, found: FoundScans, reports: Sequence[ScanReport]) -> dict[str, Any]:
    """What became of the scans and, where there are some, what was left out."""
    told: dict[str, Any] = {"model": model.card.identifier, "scans": [report.to_json() for report in reports]}
    if model.card.expected_dice is not None and any(report.is_judged for report in reports):
        told["expected_dice_error"] = model.card.expected_dice.mean_absolute_error
    if found.left_out:
        told["left_out"] = [{"name": one.name, "reason": one.reason} for one in found.left_out]
    return told

"""``lightmedseg evaluate FOLDER FOLDER``: every case that two folders have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from LightMedSegLib.cli.evaluating.tables import (
    difference_table,
    rows_as_csv,
    rows_as_json,
    summary_table,
    titles,
)
from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.cli.printing.messages import Messages
from LightMedSegLib.cli.printing.text_output import write_text
from LightMedSegLib.cli.tables import format_number
from LightMedSegLib.core.console import one_line
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.evaluation.folders import CaseResult, FolderEvaluation, evaluate_folder
from LightMedSegLib.evaluation.metrics import mean_without_nan
from LightMedSegLib.evaluation.scores import METRICS, scores_as_csv
from LightMedSegLib.evaluation.summary import Row, compare_scores

_MOST_NAMES = 5


def run_folder(arguments: argparse.Namespace, messages: Messages) -> int:
    """Evaluate every case, print a line for each and the means, write the files.

    Raises InputImageError at the end if any case could not be compared.
    """
    tolerance = arguments.tolerance
    found = _evaluated(arguments, messages, arguments.prediction)
    rows = found.summary()
    report = _report(found, rows, tolerance)
    text = [summary_table(rows, tolerance), *_unmatched(found)]
    evaluations = [found]
    if arguments.against:
        messages.tell(f"\nAgainst {arguments.against.name}:")
        other = _evaluated(arguments, messages, arguments.against)
        evaluations.append(other)
        differences = compare_scores(found.scores, other.scores)
        report["against"] = {**_report(other, other.summary(), tolerance), "differences": rows_as_json(differences)}
        text += [
            f"\nAgainst {arguments.against.name}:\n",
            summary_table(other.summary(), tolerance),
            *_unmatched(other),
            f"\n{arguments.prediction.name} minus {arguments.against.name}, case by case:\n",
            difference_table(differences, tolerance),
        ]
    # The files first: the reader of what is printed may go away.
    if arguments.json:
        write_json(arguments.json, report)
    if arguments.csv:
        write_text(arguments.csv, scores_as_csv(found.scores, tolerance, rows_as_csv(rows)))
    messages.tell("\n" + "\n".join(text) + "\n\nIn brackets: 95 % bootstrap intervals over the cases.")
    failed = sum(bool(case.failure) for one in evaluations for case in one.cases)
    if failed:
        raise InputImageError(f"{failed} case(s) could not be compared; the lines above say why.")
    return 0


def _evaluated(arguments: argparse.Namespace, messages: Messages, predictions: Path) -> FolderEvaluation:
    done = 0
    with messages.progress_bar() as progress, without_native_messages():

        def show(case: CaseResult, total: int) -> None:
            nonlocal done
            done += 1
            (messages.warn if case.failure else messages.tell)(_line(case, arguments.tolerance))
            progress(done, total, f"Case {done} of {total}")

        return evaluate_folder(
            predictions,
            arguments.reference,
            arguments.model,
            labels=arguments.labels,
            marked_only=arguments.marked_only,
            tolerance_mm=arguments.tolerance,
            on_case=show,
        )


def _line(case: CaseResult, tolerance_mm: float) -> str:
    if case.failure:
        return one_line(f"{case.case}: failed: {case.failure}")
    means = {metric: mean_without_nan(value_of(item) for item in case.labels) for metric, value_of in METRICS.items()}
    shown = ", ".join(
        f"{title} {format_number(means[metric], 2 if metric == 'hd95_mm' else 4)}"
        for metric, title in titles(tolerance_mm).items()
    )
    return "\n".join([one_line(f"{case.case}: {shown}"), *(one_line(f"  {note}") for note in case.notes)])


def _unmatched(found: FolderEvaluation) -> list[str]:
    """Return a sentence for each folder that has cases which the other one lacks."""
    kinds = {"without a reference": found.only_predicted, "without a prediction": found.only_in_reference}
    return [
        f"\nNot compared, {kind}: {', '.join(names[:_MOST_NAMES])}"
        f"{f' and {len(names) - _MOST_NAMES} more' if len(names) > _MOST_NAMES else ''}."
        for kind, names in kinds.items()
        if names
    ]


def _report(found: FolderEvaluation, rows: list[Row], tolerance_mm: float) -> dict[str, Any]:
    return {
        "nsd_tolerance_mm": tolerance_mm,
        "cases": [_case_report(case) for case in found.cases],
        "labels": rows_as_json(rows[:-1]),
        "mean": rows_as_json(rows[-1:])[0],
        "without_reference": list(found.only_predicted),
        "without_prediction": list(found.only_in_reference),
    }


def _case_report(case: CaseResult) -> dict[str, Any]:
    if case.failure:
        return {"case": case.case, "failure": case.failure}
    labels = [{**vars(item), "volume_difference_ml": item.volume_difference_ml} for item in case.labels]
    return {"case": case.case, "labels": labels, "notes": list(case.notes)}

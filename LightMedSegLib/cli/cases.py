"""``lightmedseg cases``: list and delete the corrected cases that fine-tuning learns from."""

from __future__ import annotations

import argparse
import math
from typing import Any

from LightMedSegLib.cli.parser import Commands
from LightMedSegLib.cli.tables import format_number, format_table
from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.finetuning.cases.same_scan import by_scan
from LightMedSegLib.finetuning.cases.store import CaseEntry, CaseStore


def add_command(commands: Commands[Any]) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser(
        "cases",
        help="list or delete the corrected cases",
        description="Look after the corrected cases that were added in 3D Slicer for fine-tuning.",
    )
    parser.set_defaults(run=run_list)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")

    actions.add_parser("list", help="list the cases and their size on the disk (default)").set_defaults(run=run_list)

    delete = actions.add_parser("delete", help="delete cases from the disk")
    delete.add_argument("case", nargs="+", help="number or identifier of a case, or 'all'")
    delete.set_defaults(run=run_delete)


def run_list(arguments: argparse.Namespace) -> int:
    """Print one line for each case, and the size of all."""
    entries = CaseStore().list()
    if not entries:
        print("There are no corrected cases; add one in 3D Slicer.")
        return 0
    titles = ["Case", "Identifier", "Added", "Model", "Reviewed", "Dice before", "MB", "Same scan as"]
    records = [entry.record for entry in entries if entry.record]
    print(format_table(titles, [[*_row(entry), _same_scan(entry, records)] for entry in entries]))
    print(f"{len(entries)} case{'s' if len(entries) != 1 else ''}, {_megabytes(sum(e.size for e in entries))} MB.")
    return 0


def run_delete(arguments: argparse.Namespace) -> int:
    """Delete the named cases, or none if one of them does not exist."""
    store = CaseStore()
    entries = store.list()
    doomed = entries if arguments.case == ["all"] else [_find(entries, name) for name in arguments.case]
    for case_id in dict.fromkeys(entry.case_id for entry in doomed):
        store.remove(case_id)
        print(f"Deleted {case_id}.")
    return 0


def _find(entries: list[CaseEntry], name: str) -> CaseEntry:
    for entry in entries:
        if name in (entry.case_id, str(entry.record.number) if entry.record else ""):
            return entry
    known = ", ".join(str(entry.record.number) if entry.record else entry.case_id for entry in entries) or "none"
    raise TrainingDataError(f"There is no case {name}; there are: {known}.")


def _row(entry: CaseEntry) -> list[str]:
    record = entry.record
    if record is None:
        return ["", entry.case_id, "", "", entry.problem or "", "", _megabytes(entry.size)]
    trial = record.baseline_dice
    return [
        str(record.number),
        record.case_id,
        record.added,
        trial.model if trial else "",
        f"{len(record.reviewed)} labels, {record.reviewed_share:.0%}",
        format_number(trial.mean if trial else math.nan, 3),
        _megabytes(entry.size),
    ]


def _same_scan(entry: CaseEntry, records: list[CaseRecord]) -> str:
    group = next((group for group in by_scan(records) if entry.record in group), [])
    return ", ".join(str(record.number) for record in group if record is not entry.record)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"

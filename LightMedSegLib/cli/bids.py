"""``lightmedseg bids``: the scans of a BIDS dataset into a BIDS derivative, with the arguments of a BIDS App."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from LightMedSegLib.cli.auto import model_for_all
from LightMedSegLib.cli.label_words import add_labels
from LightMedSegLib.cli.parser import Commands, file_path, named, positive_int
from LightMedSegLib.cli.printing.messages import Messages, add_quiet
from LightMedSegLib.cli.printing.text_output import text_output
from LightMedSegLib.cli.segmenting.cohort import segment_cohort
from LightMedSegLib.cli.segmenting.cohort_arguments import (
    LABELS_WRITTEN,
    add_cohort_arguments,
    check_labels,
    prepare_workers,
)
from LightMedSegLib.cohorts.bids.contrasts import model_contrasts
from LightMedSegLib.cohorts.bids.dataset import check_dataset, find_bids_scans
from LightMedSegLib.cohorts.bids.derivative import check_place, prepare_derivative
from LightMedSegLib.cohorts.bids.group import write_group_table
from LightMedSegLib.cohorts.bids.names import RESULT_ENDING
from LightMedSegLib.cohorts.bids.result_files import is_complete, remove_table, write_result_files
from LightMedSegLib.cohorts.model_reference import ModelReference
from LightMedSegLib.cohorts.report import SEGMENTED, ScanReport
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.store import resolve_model

PARTICIPANT, GROUP = "participant", "group"


def add_command(commands: Commands[Any]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "bids",
        help="segment the scans of a BIDS dataset",
        description="Segment the scans of a BIDS dataset into a BIDS derivative: at the level participant each scan of "
        "the folders anat, at the level group the volumes of all results into one table.",
    )
    parser.add_place("dataset", "-i", "--input", type=file_path, metavar="BIDS_DIR", help="the BIDS dataset")
    parser.add_place(
        "output",
        "-o",
        "--output",
        type=file_path,
        metavar="OUTPUT_DIR",
        help="the derivative, such as BIDS_DIR/derivatives/lightmedseg",
    )
    parser.add_argument("level", choices=(PARTICIPANT, GROUP), help="what to do")
    for key, what in (("participant", "participants"), ("session", "sessions")):
        # BIDS Apps write the first with an underscore.
        parser.add_argument(
            f"--{key}-label",
            f"--{key}_label",
            type=named,
            nargs="+",
            default=[],
            metavar="LABEL",
            help=f"only these {what}, with or without {key[:3]}-",
        )
    parser.add_argument("--model", help="name, name@version, folder or zip file (default: the only one that fits)")
    parser.add_argument(
        "--contrast",
        type=named,
        nargs="+",
        metavar="SUFFIX",
        help="suffixes of the scans, the preferred one first, such as T1w (default: what the model is for)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default auto)")
    parser.add_argument("--threads", type=positive_int, help="processor threads (default: torch's choice)")
    add_labels(parser, LABELS_WRITTEN)
    parser.add_argument(
        "--json", type=text_output, metavar="FILE", help="also write volumes and times to this file (- standard output)"
    )
    parser.add_argument("--strict", action="store_true", help="a warning about a scan or a result is an error")
    parser.add_argument("--overwrite", action="store_true", help="segment again what has a result")
    add_cohort_arguments(parser)
    add_quiet(parser)
    parser.set_defaults(run=run, csv=None)


def run(arguments: argparse.Namespace) -> int:
    """Do the work of one level."""
    check_dataset(arguments.dataset)
    check_place(arguments.dataset, arguments.output)
    return _group(arguments) if arguments.level == GROUP else _participants(arguments)


def _participants(arguments: argparse.Namespace) -> int:
    dataset, output = arguments.dataset.absolute(), arguments.output.absolute()
    model = resolve_model(arguments.model) if arguments.model else model_for_all(1)
    check_labels(arguments, model.card)
    contrasts = model_contrasts(model.card, arguments.contrast)
    prepare_workers(arguments)
    found = find_bids_scans(dataset, contrasts, arguments.participant_label, arguments.session_label)
    if not found.scans:
        raise InputImageError(f"{arguments.dataset}: {found.left_out[0].name} is left out: {found.left_out[0].reason}.")
    prepare_derivative(dataset, output, model.card)
    options = SegmentOptions(arguments.device, threads=arguments.threads, strict=arguments.strict)
    plain = ScanTask(found.scans[0], output, ModelReference.of(model), options, RESULT_ENDING, labels=arguments.labels)
    tasks = [
        replace(plain, scan=scan, overwrite=arguments.overwrite or not is_complete(output, scan))
        for scan in found.scans
    ]
    scans = {task.name: task.scan for task in tasks}
    if arguments.overwrite:
        for scan in found.scans:
            remove_table(output, scan)

    def add_tables(report: ScanReport) -> None:
        if report.state == SEGMENTED:
            write_result_files(dataset, output, model.card, scans[report.name], report)

    return segment_cohort(arguments, model, found, tasks, on_report=add_tables)


def _group(arguments: argparse.Namespace) -> int:
    path, count = write_group_table(arguments.output, arguments.participant_label)
    results = "1 result is" if count == 1 else f"{count} results are"
    Messages(arguments).tell(f"The volumes of {results} in {path}.")
    return 0

"""``lightmedseg evaluate``: agreement of a segmentation with a reference, or of a folder with a folder."""

from __future__ import annotations

import argparse
from typing import Any

from LightMedSegLib.cli.evaluating.folder import run_folder
from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.cli.label_words import add_labels
from LightMedSegLib.cli.parser import Commands, file_path, positive_float
from LightMedSegLib.cli.printing.messages import Messages, add_quiet
from LightMedSegLib.cli.printing.text_output import files, text_output, write_text
from LightMedSegLib.cli.tables import format_number, format_table
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.evaluation.comparison import compare
from LightMedSegLib.evaluation.folders import Choice, header_notes
from LightMedSegLib.evaluation.metrics import LabelMetrics, mean_without_nan
from LightMedSegLib.evaluation.scores import CaseScore, scores_as_csv
from LightMedSegLib.io.datasets import case_name
from LightMedSegLib.io.results.output_checks import check_inputs_stay, check_names_differ
from LightMedSegLib.io.segmentation_files import check_output_path


def add_command(commands: Commands[Any]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="compare segmentations with references",
        description="Print Dice, HD95, NSD and the volume difference of every label of two segmentations. Of two "
        "folders, every case that is in both is compared, whatever the endings of its files, and the means over the "
        "cases are printed with their 95 % intervals.",
    )
    parser.add_argument("prediction", type=file_path, help="segmentation to judge: labelmap, .seg.nrrd, or a folder")
    parser.add_argument(
        "reference", type=file_path, help="segmentation taken as the truth, on the same grid, or a folder of them"
    )
    parser.add_argument("--model", help="take the labels and their names from this model")
    parser.add_argument("--tolerance", type=positive_float, default=1.0, metavar="MM", help="of NSD (default 1)")
    add_labels(parser, "names or values to compare (default: all)")
    parser.add_argument(
        "--marked-only", action="store_true", help="leave out labels that the reference of a case does not have"
    )
    parser.add_argument(
        "--against", type=file_path, metavar="FOLDER", help="compare with the predictions of another method, in pairs"
    )
    parser.add_argument(
        "--csv", type=text_output, metavar="FILE", help="also write a table of all cases and labels (- standard output)"
    )
    parser.add_argument(
        "--json", type=text_output, metavar="FILE", help="also write the figures to this file (- standard output)"
    )
    add_quiet(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the table, write the files."""
    inputs = [arguments.prediction, arguments.reference, *filter(None, [arguments.against])]
    messages = Messages(arguments)
    outputs = files([arguments.json, arguments.csv])
    for path in outputs:
        check_output_path(path)
    check_names_differ(outputs)
    missing = [path for path in inputs if not path.exists()]
    if missing:
        raise InputImageError(f"{missing[0]} does not exist; give two segmentations, or two folders of them.")
    folders = [path for path in inputs if path.is_dir()]
    segmentations = [path for folder in folders for path in folder.rglob("*") if case_name(path)] if outputs else []
    check_inputs_stay(outputs, [*segmentations, *(path for path in inputs if path not in folders)])
    if len(folders) == len(inputs):
        return run_folder(arguments, messages)
    if folders or arguments.against:
        raise InputImageError(
            "Some arguments are files and some are folders; give two segmentations, or two folders. --against compares "
            "folders only."
        )
    with without_native_messages():
        found = compare(arguments.prediction, arguments.reference, arguments.model, tolerance_mm=arguments.tolerance)
    choice = Choice(arguments.labels, arguments.marked_only)
    choice.check_known(found.labels)
    labels = list(choice.of(found.labels))
    notes = [*found.notes, *header_notes(arguments.prediction, arguments.reference)]
    # The files first: the reader of what is printed may go away.
    if arguments.json:
        write_json(arguments.json, {**_report(labels, arguments.tolerance), "notes": notes})
    if arguments.csv:
        name = case_name(arguments.prediction)
        write_text(arguments.csv, scores_as_csv([CaseScore(name, item) for item in labels], arguments.tolerance))
    messages.tell("\n".join([_table(labels, arguments.tolerance), *([""] if notes else []), *notes]))
    return 0


def _table(results: list[LabelMetrics], tolerance: float) -> str:
    header = ["Label", "Dice", "HD95 (mm)", f"NSD {tolerance:g} mm", "Volume (ml)", "Reference (ml)", "Difference (ml)"]
    rows = [
        [
            one.name,
            format_number(one.dice, 4),
            format_number(one.hd95_mm, 2),
            format_number(one.nsd, 4),
            format_number(one.volume_ml, 3),
            format_number(one.reference_volume_ml, 3),
            f"{one.volume_difference_ml:+.3f}",
        ]
        for one in results
    ]
    means = _means(results)
    rows.append(
        [
            "Mean",
            format_number(means["dice"], 4),
            format_number(means["hd95_mm"], 2),
            format_number(means["nsd"], 4),
            *([""] * 3),
        ]
    )
    return format_table(header, rows)


def _means(results: list[LabelMetrics]) -> dict[str, float]:
    return {key: mean_without_nan(getattr(one, key) for one in results) for key in ("dice", "hd95_mm", "nsd")}


def _report(results: list[LabelMetrics], tolerance: float) -> dict[str, Any]:
    labels = [{**vars(one), "volume_difference_ml": one.volume_difference_ml} for one in results]
    return {"nsd_tolerance_mm": tolerance, "labels": labels, "mean": _means(results)}

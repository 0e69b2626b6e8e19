"""``lightmedseg evaluate``: agreement of a segmentation with a reference."""

from __future__ import annotations

import argparse
from typing import Any

from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.cli.parser import Commands, file_path, positive_float
from LightMedSegLib.cli.printing.messages import Messages, add_quiet
from LightMedSegLib.cli.printing.text_output import files, text_output
from LightMedSegLib.cli.tables import format_number, format_table
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.evaluation.comparison import compare
from LightMedSegLib.evaluation.metrics import LabelMetrics, mean_without_nan
from LightMedSegLib.io.headers.header_geometry import header_geometry
from LightMedSegLib.io.results.output_checks import check_inputs_stay
from LightMedSegLib.io.segmentation_files import check_output_path


def add_command(commands: Commands[Any]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="compare a segmentation with a reference",
        description="Print Dice, HD95, NSD and the volume difference of every label of two segmentations.",
    )
    parser.add_argument("prediction", type=file_path, help="segmentation to judge: labelmap or .seg.nrrd")
    parser.add_argument("reference", type=file_path, help="segmentation taken as the truth, on the same grid")
    parser.add_argument("--model", help="take the labels and their names from this model")
    parser.add_argument("--tolerance", type=positive_float, default=1.0, metavar="MM", help="of NSD (default 1)")
    parser.add_argument(
        "--json", type=text_output, metavar="FILE", help="also write the figures to this file (- standard output)"
    )
    add_quiet(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the table, write the JSON file."""
    messages = Messages(arguments)
    for path in files([arguments.json]):
        check_output_path(path)
        check_inputs_stay([path], [arguments.prediction, arguments.reference])
    with without_native_messages():
        found = compare(arguments.prediction, arguments.reference, arguments.model, tolerance_mm=arguments.tolerance)
    headers = [
        f"{which}: {note}"
        for which, path in (("Prediction", arguments.prediction), ("Reference", arguments.reference))
        for note in header_geometry(path).notes
    ]
    notes = [*found.notes, *headers]
    # The file first: the reader of what is printed may go away.
    if arguments.json:
        write_json(arguments.json, {**_report(found.labels, arguments.tolerance), "notes": notes})
    messages.tell("\n".join([_table(found.labels, arguments.tolerance), *([""] if notes else []), *notes]))
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

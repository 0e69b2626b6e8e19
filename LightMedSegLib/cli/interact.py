"""``lightmedseg interact``: a structure from prompts, or a segment corrected by them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.cli.parser import Commands, file_path
from LightMedSegLib.cli.printing.messages import Messages, add_quiet
from LightMedSegLib.cli.printing.text_output import files, text_output
from LightMedSegLib.cli.tables import format_table
from LightMedSegLib.core.errors import InputImageError, OutputError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.io.labelmaps.reading import read_labelmap
from LightMedSegLib.io.results.output_checks import check_can_hold, check_inputs_stay
from LightMedSegLib.io.results.result_rescue import kept_anyway
from LightMedSegLib.io.segmentation_files import (
    SEGMENTATION_SUFFIXES,
    check_output_path,
    check_segmentation_path,
    write_segmentation,
)
from LightMedSegLib.io.volume_files import read_volume

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.interaction.strokes import Change, Stroke

_MOST_NAMES = 10
_COORDINATES = '{"coordinates": "LPS", "prompts": [{"include": true, "point": [x, y, z]}]}'


def add_command(commands: Commands[Any]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "interact",
        help="segment a structure from points and strokes",
        description="Segment a structure from points and strokes, or correct a segment by them. The prompts are taken "
        f"one after the other from a JSON file such as {_COORDINATES}.",
    )
    parser.add_place(
        "volume",
        "-i",
        "--input",
        type=file_path,
        metavar="VOLUME",
        help="NIfTI, NRRD or MetaImage file, or DICOM folder",
    )
    parser.add_argument("--prompts", type=file_path, required=True, metavar="FILE", help="JSON file of prompts")
    parser.add_argument(
        "-o",
        "--out",
        "--output",
        type=file_path,
        required=True,
        metavar="SEG",
        help=f"segmentation to write ({', '.join(SEGMENTATION_SUFFIXES)})",
    )
    parser.add_argument(
        "--mask",
        type=file_path,
        metavar="SEG",
        help="segmentation with the segment to correct; only that one is written",
    )
    parser.add_argument("--segment", metavar="NAME", help="name or value of that segment (default: the only one)")
    parser.add_argument("--model", default="interactive", help="a promptable model (default interactive)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default auto)")
    parser.add_argument(
        "--json", type=text_output, metavar="FILE", help="also write what each prompt changed (- standard output)"
    )
    add_quiet(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take the prompts one after the other, write the segmentation, print what each changed."""
    messages = Messages(arguments)
    _check_outputs(arguments)
    if arguments.segment is not None and not arguments.mask:
        raise InputImageError("--segment names a segment of a segmentation; give that with --mask.")
    from dataclasses import replace

    from LightMedSegLib.interaction.completer import Completer
    from LightMedSegLib.interaction.prompt_file import read_prompts
    from LightMedSegLib.interaction.session import CorrectionSession

    completer = Completer(arguments.model, arguments.device)
    with without_native_messages():
        volume = read_volume(arguments.volume)
        check_can_hold(arguments.out, volume.GetSize())
        grid = Grid.of(volume)
        strokes = read_prompts(arguments.prompts, grid)
        mask, name = _segment(arguments, volume) if arguments.mask else (None, "")
    session = CorrectionSession(volume, completer, mask, new_object=mask is None)
    changes = []
    with messages.progress_bar() as progress:
        for number, stroke in enumerate(strokes):
            progress(number, len(strokes), f"Prompt {number + 1} of {len(strokes)}")
            changes.append(session.add_stroke(stroke))
    card = completer.model.card
    labels = [replace(card.labels[0], value=1, name=name or card.labels[0].name)]
    labelmap = grid.image(session.mask.astype("uint8"))
    labelmap.CopyInformation(volume)
    attributes = {"LightMedSeg_Model": card.identifier}
    with kept_anyway(arguments.out, labelmap, labels, attributes):
        write_segmentation(arguments.out, labelmap, labels, attributes)
    rows = [_row(stroke, change) for stroke, change in zip(strokes, changes, strict=True)]
    notes = list(dict.fromkeys([*completer.notes, *(change.note for change in changes if change.note)]))
    empty = "The segmentation is empty; add a prompt that includes a part of the structure."
    if not session.mask.any():
        notes.append(empty)
    if arguments.json:
        write_json(arguments.json, {"model": card.identifier, "prompts": rows, "notes": notes})
    messages.tell("\n".join([_table(rows), *([""] if notes else []), *notes]))
    if messages.quiet and empty in notes:
        messages.warn(empty)
    return 0


def _segment(arguments: argparse.Namespace, volume: sitk.Image) -> tuple[Any, str]:
    """The mask (z, y, x) and the name of the segment to correct."""
    import SimpleITK as sitk

    from LightMedSegLib.io.labelmaps.values import present_values

    path, wanted = arguments.mask, arguments.segment
    found = read_labelmap(path, volume)
    names = found.names or {value: str(value) for value in present_values(found.image)}
    chosen = [value for value, name in names.items() if wanted in (None, name, str(value))]
    if len(chosen) != 1:
        first = [repr(name) for name in list(names.values())[:_MOST_NAMES]]
        known = ", ".join([*first, *(["..."] if len(names) > len(first) else [])]) or "none"
        lacks = wanted is not None and not chosen
        reason = f"has no segment {wanted!r}" if lacks else f"has {len(chosen)} segments to choose from"
        raise InputImageError(f"{path} {reason}; name one with --segment: {known}.")
    return sitk.GetArrayViewFromImage(found.image) == chosen[0], found.names.get(chosen[0], "")


def _check_outputs(arguments: argparse.Namespace) -> None:
    texts = files([arguments.json])
    outputs = [arguments.out, *texts]
    inputs = [arguments.volume, arguments.prompts, *([arguments.mask] if arguments.mask else [])]
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise OutputError("The segmentation and the JSON file need two different names.")
    check_inputs_stay(outputs, inputs)
    check_segmentation_path(arguments.out)
    for path in texts:
        check_output_path(path)


def _row(stroke: Stroke, change: Change) -> dict[str, Any]:
    return {
        "include": stroke.include,
        "marked_voxels": int(stroke.voxels.sum()),
        "changed_voxels": int(change.changed.sum()),
        "passes": change.passes,
        "seconds": change.seconds,
    }


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        [
            str(number + 1),
            "include" if row["include"] else "exclude",
            str(row["marked_voxels"]),
            str(row["changed_voxels"]),
            str(row["passes"]),
            f"{row['seconds']:.2f}",
        ]
        for number, row in enumerate(rows)
    ]
    return format_table(["Prompt", "Kind", "Marked voxels", "Changed voxels", "Windows", "Seconds"], lines)

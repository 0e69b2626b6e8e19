"""``lightmedseg export``: a model for other programs, as an ONNX file or a MONAI bundle."""

from __future__ import annotations

import argparse
from typing import Any

from LightMedSegLib.cli.parser import Commands, file_path
from LightMedSegLib.cli.printing.messages import Messages, add_quiet
from LightMedSegLib.export.monai_bundle.export import check_bundle_path, export_monai_bundle
from LightMedSegLib.export.onnx_file import check_onnx_path, export_onnx
from LightMedSegLib.io.segmentation_files import check_output_path
from LightMedSegLib.model.store import resolve_model


def add_command(commands: Commands[Any]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "export",
        help="write a model for other programs",
        description="Write the network of a model as an ONNX file, which carries the model card in its metadata, "
        "or the whole model as a bundle that MONAI runs with the same labels.",
    )
    parser.add_argument("model", help="name, name@version, folder or zip file")
    parser.add_place(
        "output", "-o", "--output", type=file_path, metavar="OUTPUT", help="file .onnx, or folder of the new bundle"
    )
    parser.add_argument("--format", choices=("onnx", "monai-bundle"), default="onnx", help="default: onnx")
    add_quiet(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export and say what was written."""
    messages = Messages(arguments)
    if arguments.format == "monai-bundle":
        check_bundle_path(arguments.output)
        model = resolve_model(arguments.model)
        export_monai_bundle(model, arguments.output)
        messages.tell(f"Wrote the bundle {arguments.output}; its docs/README.md tells how MONAI runs it.")
        return 0
    check_onnx_path(arguments.output)
    check_output_path(arguments.output)
    model = resolve_model(arguments.model)
    messages.tell("Tracing the network; this takes a minute or two.")
    stride = export_onnx(model, arguments.output)
    card = model.card
    messages.tell(f"Wrote {arguments.output}; z, y and x must be multiples of {stride}:")
    messages.tell(f"'image' (1, {card.in_channels}, z, y, x) to 'logits' (1, {card.num_classes}, z, y, x).")
    return 0

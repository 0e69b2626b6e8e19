"""``lightmedseg segment``: a labelled segmentation of a scan, or of every scan of a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from LightMedSegLib.cli.auto import model_for, model_for_all, only_model
from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.cli.label_words import add_labels
from LightMedSegLib.cli.parser import Commands, file_path, fraction, named, positive_int
from LightMedSegLib.cli.printing.messages import Messages, add_quiet
from LightMedSegLib.cli.printing.text_output import files, text_output
from LightMedSegLib.cli.printing.volume_tables import write_volumes
from LightMedSegLib.cli.segmenting.cohort_arguments import (
    LABELS_WRITTEN,
    add_cohort_arguments,
    check_labels,
    refuse_cohort_arguments,
)
from LightMedSegLib.cli.segmenting.folder import is_folder_run, run_folder
from LightMedSegLib.cli.segmenting.report import no_expected_dice, report_text, segmentation_report
from LightMedSegLib.core.errors import InputImageError, OutputError
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.core.progress import StageTimer
from LightMedSegLib.export.dicom_seg import DICOM_SUFFIX, DicomSegWriter
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.io.montage import check_montage_path, write_montage
from LightMedSegLib.io.results.output_checks import check_can_hold, check_inputs_stay
from LightMedSegLib.io.results.result_rescue import kept_anyway
from LightMedSegLib.io.sample_data import SAMPLES, sample_path
from LightMedSegLib.io.segmentation_files import (
    SEGMENTATION_SUFFIXES,
    check_doubt_path,
    check_output_path,
    check_segmentation_path,
    write_doubt,
    write_segmentation,
)
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.store import resolve_model

SAMPLE_PREFIX = "sample:"

Roi = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def add_command(commands: Commands[Any]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "segment",
        help="segment a scan, or all scans of a folder",
        description="Segment a scan and print the volume of every segment. Where OUTPUT is a folder, every scan of the "
        "folder INPUT is segmented: volumes, folders of DICOM slices, or imagesTs of an nnU-Net dataset. With "
        "--all-frames it may also be one 4D file or series, of which every frame is segmented.",
    )
    samples = ", ".join(SAMPLE_PREFIX + name for name in SAMPLES)
    parser.add_place(
        "inputs",
        "-i",
        "--input",
        type=named,
        nargs="+",
        metavar="INPUT",
        help=f"NIfTI, NRRD or MetaImage file, DICOM folder, or {samples}; one for each input channel of the model",
    )
    parser.add_place(
        "output",
        "-o",
        "--output",
        type=file_path,
        metavar="OUTPUT",
        help=f"segmentation to write ({', '.join(SEGMENTATION_SUFFIXES)}; {DICOM_SUFFIX}, a DICOM segmentation, for a "
        "DICOM folder), or a folder",
    )
    parser.add_argument("--model", help="name, name@version, folder or zip file (default: what auto suggests)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default auto)")
    add_labels(parser, LABELS_WRITTEN)
    parser.add_argument(
        "--roi",
        type=_roi,
        metavar="i0,i1,j0,j1,k0,k1",
        help="segment only these voxels, ends excluded; of a folder, in scans of one grid, or a CSV file with a region "
        "for each scan",
    )
    parser.add_argument("--overlap", type=fraction, help="of neighbouring windows, 0 to below 1 (default: the model's)")
    parser.add_argument(
        "--mirror", type=_axes, metavar="AXES", help="also average over mirrored copies: x, xy, xyz ... or none"
    )
    parser.add_argument("--threads", type=positive_int, help="processor threads (default: torch's choice)")
    parser.add_argument(
        "--all-frames",
        action="store_true",
        help="segment every frame of a 4D NIfTI or NRRD file, of a sequence of 3D Slicer (.seq.nrrd) or of a DICOM "
        "series of several time points, into a folder",
    )
    parser.add_argument("--series", type=positive_int, help="which series of a DICOM folder, as its message lists them")
    parser.add_argument(
        "--montage",
        type=file_path,
        metavar="FILE.png",
        help="also write a picture with overlays; of a folder, one for each scan into this folder",
    )
    parser.add_argument(
        "--json", type=text_output, metavar="FILE", help="also write volumes and times to this file (- standard output)"
    )
    parser.add_argument(
        "--csv", type=text_output, metavar="FILE", help="also write a table of volumes to this file (- standard output)"
    )
    parser.add_argument(
        "--uncertainty",
        type=file_path,
        metavar="FILE",
        help="also write the doubt of every voxel, 0 (sure) to 255 (two labels equally likely), and the expected Dice",
    )
    parser.add_argument(
        "--expected-dice", action="store_true", help="also say which Dice is expected of every segment, in a folder too"
    )
    parser.add_argument(
        "--suffix",
        choices=SEGMENTATION_SUFFIXES,
        default=".nii.gz",
        help="of the results of a folder (default .nii.gz)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="a warning about the scan or the result is an error, with exit code 3"
    )
    parser.add_argument("--overwrite", action="store_true", help="in a folder: segment again what has a result")
    parser.add_argument(
        "--derived", action="store_true", help="of a DICOM archive: also series computed from other images"
    )
    add_cohort_arguments(parser)
    add_quiet(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Segment, write what was asked for, print the tables."""
    messages = Messages(arguments)
    if is_folder_run(arguments):
        every = resolve_model(arguments.model) if arguments.model else model_for_all(1)
        check_labels(arguments, every.card)
        return run_folder(arguments, every, _options(arguments))
    paths = [_input_path(text) for text in arguments.inputs]
    _refuse_missing(paths)
    refuse_cohort_arguments(arguments)
    if isinstance(arguments.roi, Path):
        raise InputImageError("--roi FILE.csv is for a folder of scans, and this is one scan; give six numbers.")
    # Before any computing: a wrong output name should not cost the wait for a result.
    _check_outputs(arguments, paths)
    model = resolve_model(arguments.model) if arguments.model else only_model(len(paths))
    chosen: list[str] = []
    timer = StageTimer()
    with timer.stage("read"), without_native_messages():
        images = [read_volume(path, arguments.series) for path in paths]
        check_can_hold(arguments.output, images[0].GetSize())
        if model is None:
            model, reason = model_for(images)
            chosen.append(reason)
        check_labels(arguments, model.card)
        dicom = _dicom_writer(arguments, model, paths[0])

    from LightMedSegLib.inference.segmentation import segment_with

    with messages.progress_bar() as progress:
        result = segment_with(images if len(images) > 1 else images[0], model, _options(arguments), progress)
    result = result.with_labels(model.card.labels, arguments.labels)
    result.notes.extend([*chosen, *no_expected_dice(arguments, model.card)])
    timer.seconds.update(result.timings)
    if dicom and dicom.note:
        result.notes.append(dicom.note)
    with timer.stage("write"):
        attributes = {"LightMedSeg_Model": model.card.identifier}
        labels = result.card.labels
        with kept_anyway(arguments.output, result.labelmap, labels, attributes):
            if dicom:
                dicom.write(result.labelmap, labels)
            else:
                write_segmentation(arguments.output, result.labelmap, labels, attributes)
    try:
        with timer.stage("write"):
            if arguments.uncertainty:
                assert result.doubt is not None
                write_doubt(arguments.uncertainty, result.doubt)
            if arguments.montage:
                write_montage(arguments.montage, images[0], result.labelmap, labels, result.card.modality)
        report = segmentation_report(result, timer)
        if arguments.json:
            write_json(arguments.json, report)
        if arguments.csv:
            write_volumes(arguments.csv, report["segments"])
    except (OutputError, OSError) as error:
        raise OutputError(f"{str(error).rstrip('.')}; the segmentation is complete: {arguments.output}.") from error
    messages.tell(report_text(report))
    if messages.quiet:
        for warning in result.warnings:
            messages.warn(f"Warning: {warning}")
    return 0


def _options(arguments: argparse.Namespace) -> SegmentOptions:
    roi = None if isinstance(arguments.roi, Path) else arguments.roi
    return SegmentOptions(
        arguments.device,
        roi,
        arguments.overlap,
        arguments.mirror,
        arguments.threads,
        arguments.strict,
        doubt=arguments.expected_dice or arguments.uncertainty is not None,
    )


def _dicom_writer(arguments: argparse.Namespace, model: Model, source: Path) -> DicomSegWriter | None:
    if arguments.output.suffix != DICOM_SUFFIX:
        return None
    return DicomSegWriter(arguments.output, model.card, source, arguments.series)


def _input_path(text: str) -> Path:
    if text.startswith(SAMPLE_PREFIX):
        return sample_path(text.removeprefix(SAMPLE_PREFIX))
    return file_path(text)


def _refuse_missing(inputs: list[Path]) -> None:
    """Raise InputImageError for a missing input, before the output's name is judged by what the input seems to be."""
    for path in inputs:
        if not path.exists():
            raise InputImageError(f"{path} does not exist.")


def _check_outputs(arguments: argparse.Namespace, inputs: list[Path]) -> None:
    texts = files([arguments.json, arguments.csv])
    outputs = [path for path in (arguments.output, arguments.uncertainty, arguments.montage, *texts) if path]
    names = {path.resolve() for path in outputs}
    if len(names) < len(outputs):
        raise OutputError("The segmentation, the doubt, the montage, the JSON and the CSV file need different names.")
    check_inputs_stay(outputs, inputs)
    if arguments.output.suffix == DICOM_SUFFIX:
        check_output_path(arguments.output)
    else:
        check_segmentation_path(arguments.output)
    if arguments.uncertainty:
        check_doubt_path(arguments.uncertainty)
    if arguments.montage:
        check_montage_path(arguments.montage)
        check_output_path(arguments.montage)
    for path in texts:
        check_output_path(path)


def _roi(text: str) -> Roi | Path:
    if text.lower().endswith(".csv"):
        return file_path(text)
    try:
        i0, i1, j0, j1, k0, k1 = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not six whole numbers i0,i1,j0,j1,k0,k1") from None
    return (i0, i1), (j0, j1), (k0, k1)


def _axes(text: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    axes = tuple(text.replace(",", ""))
    if not axes or len(set(axes)) < len(axes) or not set(axes) <= set("xyz"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither none nor axes such as x or xyz")
    return axes

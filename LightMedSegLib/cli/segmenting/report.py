"""What ``lightmedseg segment`` tells about its result."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from LightMedSegLib.cli.tables import format_number, format_table
from LightMedSegLib.core.progress import StageTimer
from LightMedSegLib.doubt.expected_dice import mean_expected_dice

if TYPE_CHECKING:
    from LightMedSegLib.inference.segmentation import Segmentation
    from LightMedSegLib.model.card import ModelCard


def segmentation_report(result: Segmentation, timer: StageTimer) -> dict[str, Any]:
    """Everything that is printed, as JSON; it names no input, which may hold a patient's name."""
    segments = result.segments()
    return {
        "model": result.card.identifier,
        "device": result.device,
        "explanation": result.explanation,
        "segments": segments,
        **_expected_dice(segments, result.card),
        "seconds": {**timer.seconds, "total": timer.total},
        "notes": list(result.notes),
        "warnings": list(result.warnings),
    }


def no_expected_dice(arguments: argparse.Namespace, card: ModelCard) -> list[str]:
    """A sentence where a Dice was asked for that cannot be expected; none elsewhere."""
    if not arguments.expected_dice or card.expected_dice is not None:
        return []
    return [f"No Dice is expected of segments by {card.identifier}: its card lacks the calibration (expected_dice)."]


def report_text(report: dict[str, Any]) -> str:
    """The report for people: device, volume of every segment, seconds of every stage, notes with warnings marked."""
    volumes = _volumes_table(report["segments"], "expected_dice" in report)
    times = format_table(
        ["Stage", "Seconds"], [[stage, f"{seconds:.2f}"] for stage, seconds in report["seconds"].items()]
    )
    lines = [f"Model {report['model']} on {report['device']}", "", volumes, *_about_expected_dice(report), "", times]
    notes = [f"{'Warning: ' if note in report['warnings'] else ''}{note}" for note in report["notes"]]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _expected_dice(segments: Sequence[Mapping[str, Any]], card: ModelCard) -> dict[str, float | None]:
    """The items of the whole scan, none where no Dice is expected of any segment."""
    if card.expected_dice is None or not any("expected_dice" in one for one in segments):
        return {}
    error = card.expected_dice.mean_absolute_error
    return {"expected_dice": mean_expected_dice(segments), "expected_dice_error": error}


def _volumes_table(segments: Sequence[Mapping[str, Any]], with_dice: bool) -> str:
    header = ["Segment", "Voxels", "Volume (ml)"]
    rows = [[one["name"], str(one["voxels"]), f"{one['ml']:.3f}"] for one in segments]
    if not with_dice:
        return format_table(header, rows)
    cells = [format_dice(one["expected_dice"]) for one in segments]
    return format_table([*header, "Expected Dice"], [[*row, cell] for row, cell in zip(rows, cells, strict=True)])


def _about_expected_dice(report: Mapping[str, Any]) -> list[str]:
    if "expected_dice" not in report:
        return []
    mean, error = format_dice(report["expected_dice"]), report["expected_dice_error"]
    return [
        "",
        f"Expected Dice of the scan: {mean}. In validation that of one segment was wrong by {error:.3f} (mean).",
    ]


def format_dice(value: float | None) -> str:
    """An expected Dice with two digits; a dash where there is none."""
    return format_number(math.nan if value is None else value, 2)

"""What ``lightmedseg segment`` tells about its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from LightMedSegLib.cli.tables import format_table
from LightMedSegLib.core.label_volumes import label_volumes
from LightMedSegLib.core.progress import StageTimer

if TYPE_CHECKING:
    from LightMedSegLib.inference.segmentation import Segmentation


def segmentation_report(result: Segmentation, timer: StageTimer) -> dict[str, Any]:
    """Everything that is printed, as JSON; it names no input, which may hold a patient's name."""
    return {
        "model": result.card.identifier,
        "device": result.device,
        "explanation": result.explanation,
        "segments": label_volumes(result.labelmap, result.card.labels),
        "seconds": {**timer.seconds, "total": timer.total},
        "notes": list(result.notes),
        "warnings": list(result.warnings),
    }


def report_text(report: dict[str, Any]) -> str:
    """The report for people: device, volume of every segment, seconds of every stage, notes with warnings marked."""
    volumes = format_table(
        ["Segment", "Voxels", "Volume (ml)"],
        [[one["name"], str(one["voxels"]), f"{one['ml']:.3f}"] for one in report["segments"]],
    )
    times = format_table(
        ["Stage", "Seconds"], [[stage, f"{seconds:.2f}"] for stage, seconds in report["seconds"].items()]
    )
    lines = [f"Model {report['model']} on {report['device']}", "", volumes, "", times]
    notes = [f"{'Warning: ' if note in report['warnings'] else ''}{note}" for note in report["notes"]]
    return "\n".join([*lines, *(["", *notes] if notes else [])])

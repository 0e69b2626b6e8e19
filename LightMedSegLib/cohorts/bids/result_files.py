"""The files beside one result in a BIDS derivative: its table of labels and its sidecar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LightMedSegLib.cohorts.bids.derivative import SOURCE, json_text, source_link, write_text
from LightMedSegLib.cohorts.bids.label_tables import write_label_table
from LightMedSegLib.cohorts.bids.names import RESULT_ENDING
from LightMedSegLib.cohorts.report import ScanReport
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.io.scan_folders import Scan
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card
from LightMedSegLib.storage.atomic_files import why_not_written


def write_result_files(dataset: Path, output: Path, card: ModelCard, scan: Scan, report: ScanReport) -> None:
    """Write the table and the sidecar of a scan that was segmented; the table last, by which is_complete goes.

    Raises OutputError.
    """
    content: dict[str, Any] = {"Model": card.identifier}
    places = [image.relative_to(dataset).as_posix() for image in scan.images]
    if source_link(dataset, output):
        content["Sources"] = [f"bids:{SOURCE}:{place}" for place in places]
        content["SpatialReference"] = content["Sources"][0]
    else:
        content["SegmentedFiles"] = places
    if report.notes:
        content["Notes"] = list(report.notes)
    if report.warnings:
        content["Warnings"] = list(report.warnings)
    write_text(output / f"{scan.name}.json", json_text(content))
    write_label_table(output / f"{scan.name}.tsv", (*card.labels, *located_card(card).labels), report.segments)


def remove_table(output: Path, scan: Scan) -> None:
    """Remove the table of a result that is to be replaced, so that it never stands beside another result.

    A later run then goes on with what was not replaced yet. Raises OutputError.
    """
    table = output / f"{scan.name}.tsv"
    try:
        table.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{table} cannot be replaced: {why_not_written(error, table)}.") from error


def is_complete(output: Path, scan: Scan) -> bool:
    """Whether a scan has a result with its table; one without was interrupted between both."""
    return (output / f"{scan.name}{RESULT_ENDING}").exists() and (output / f"{scan.name}.tsv").exists()

"""What became of one scan of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from LightMedSegLib.doubt.expected_dice import mean_expected_dice

SEGMENTED, SKIPPED, DOUBTFUL, FAILED, NOT_STARTED = (
    "segmented", "exists already", "doubtful", "failed", "not started",
)  # fmt: skip

STATES = (SEGMENTED, SKIPPED, DOUBTFUL, FAILED, NOT_STARTED)


@dataclass(frozen=True)
class ScanReport:
    """The outcome of one scan, without arrays: it is sent between processes.

    name: the result's file, relative to the folder of results, with "/" between folders. state: one of STATES; doubtful
    is what got a warning in a strict run. reason: of a failure or a doubt, in sentences that name no folder.
    segments: as of a Segmentation. seconds: by stage. notes and warnings: as in a Segmentation. The last four are empty
    unless the scan was segmented.
    """

    name: str
    state: str
    reason: str = ""
    segments: Sequence[Mapping[str, Any]] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()

    @property
    def is_judged(self) -> bool:
        """Whether the Dice of its segments was asked for."""
        return any("expected_dice" in one for one in self.segments)

    @property
    def expected_dice(self) -> float | None:
        """The mean expected Dice of the segments; None where no segment has one."""
        return mean_expected_dice(self.segments)

    def to_json(self) -> dict[str, Any]:
        """Return the report for a JSON file; the name of the result file identifies the scan."""
        row: dict[str, Any] = {"file": self.name, "state": self.state}
        if self.reason:
            row["reason"] = self.reason
        if self.state == SEGMENTED:
            row["segments"] = [dict(one) for one in self.segments]
            if self.is_judged:
                row["expected_dice"] = self.expected_dice
            row["seconds"] = {**self.seconds, "total": sum(self.seconds.values())}
            row["notes"] = list(self.notes)
            row["warnings"] = list(self.warnings)
        return row


def count_states(reports: Sequence[ScanReport]) -> dict[str, int]:
    """How many of the reports have each state, for the states that occur, in the order of STATES."""
    states = [report.state for report in reports]
    return {state: states.count(state) for state in STATES if state in states}


def counted(state: str, count: int) -> str:
    """The number of scans with a state in words, such as "2 exist already"."""
    return f"{count} {'exist already' if state == SKIPPED and count > 1 else state}"


def by_expected_dice(reports: Sequence[ScanReport]) -> list[ScanReport]:
    """The reports with the lowest expected Dice first, before them those of empty results; the others follow."""
    judged = [report for report in reports if report.is_judged]
    return [
        *sorted(judged, key=lambda report: report.expected_dice or 0.0),
        *(report for report in reports if not report.is_judged),
    ]

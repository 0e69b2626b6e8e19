"""What became of one scan of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SEGMENTED, SKIPPED, DOUBTFUL, FAILED, NOT_STARTED = (
    "segmented", "exists already", "doubtful", "failed", "not started",
)  # fmt: skip

STATES = (SEGMENTED, SKIPPED, DOUBTFUL, FAILED, NOT_STARTED)


@dataclass(frozen=True)
class ScanReport:
    """The outcome of one scan, without arrays: it is sent between processes.

    name: the result's file, relative to the folder of results, with "/" between folders. state: one of STATES; doubtful
    is what got a warning in a strict run. reason: of a failure or a doubt, in sentences that name no folder.
    segments: value, name, voxels and ml of each label. seconds: by stage. notes and warnings: as in a Segmentation. The
    last four are empty unless the scan was segmented.
    """

    name: str
    state: str
    reason: str = ""
    segments: Sequence[Mapping[str, Any]] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report for a JSON file; the name of the result file identifies the scan."""
        row: dict[str, Any] = {"file": self.name, "state": self.state}
        if self.reason:
            row["reason"] = self.reason
        if self.state == SEGMENTED:
            row["segments"] = [dict(one) for one in self.segments]
            row["seconds"] = {**self.seconds, "total": sum(self.seconds.values())}
            row["notes"] = list(self.notes)
            row["warnings"] = list(self.warnings)
        return row


def count_states(reports: Sequence[ScanReport]) -> dict[str, int]:
    """How many of the reports have each state, for the states that occur, in the order of STATES."""
    states = [report.state for report in reports]
    return {state: states.count(state) for state in STATES if state in states}

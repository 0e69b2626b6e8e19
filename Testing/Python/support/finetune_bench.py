"""The panel with the shipped hippocampus model on its sample scan, and corrections as a user makes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from panel_bench import PanelAccess
from paths import REPOSITORY

_VERSION = str(json.loads((REPOSITORY / "Resources/Models/hippocampus-t1-mr/model.json").read_text())["version"])
MODEL = f"hippocampus-t1-mr@{_VERSION}"
TUNED_VERSION = f"{_VERSION.split('.')[0]}.{int(_VERSION.split('.')[1]) + 1}.0-tuned.1"
FIRST_TUNED = f"hippocampus-t1-mr@{TUNED_VERSION}"
ANTERIOR, POSTERIOR = "Anterior_hippocampus", "Posterior_hippocampus"


@dataclass
class FinetuneBench(PanelAccess):
    """session: the runtime. panel: the LightMedSegWidget. home: the user's data folder."""

    session: Any
    panel: Any
    home: Path

    def segment(self) -> Any:
        """The small sample, then Segment; the segmentation node."""
        from LightMedSegLib.gui.segment.samples import fill_panel

        fill_panel(self.panel, "hippocampus")
        self.ui.segmentButton.click()
        self.session.wait_until(lambda: not self.panel.run.running, 120, "the segmentation")
        assert self.parameters.outputSegmentation is not None, self.ui.statusLabel.text
        return self.parameters.outputSegmentation

    def add_case(self) -> Any:
        """Click, wait, and return the newest case's record."""
        self.ui.addCaseButton.click()
        assert self.panel.addCase.adding, self.ui.addCaseLabel.text
        self.session.wait_until(lambda: not self.panel.addCase.adding, 60, "the case")
        assert "is stored" in self.ui.addCaseLabel.text, self.ui.addCaseLabel.text
        return max(self.panel.logic.cases.list(), key=lambda entry: entry.record.number).record

    def start(self) -> None:
        """Click Fine-tune."""
        self.ui.finetuneButton.click()
        assert self.panel.finetune.running, self.ui.finetuneLabel.text

    def finish(self) -> None:
        """Wait until the job has ended."""
        self.session.wait_until(lambda: not self.panel.finetune.running, 120, "the end of the fine-tuning")


def change_segment(node: Any, segment_id: str, volume: Any, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """What an effect of the Segment Editor does: the voxels of one segment become others."""
    import slicer

    mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume)
    slicer.util.updateSegmentBinaryLabelmapFromArray(change(mask), node, segment_id, volume)


def grow(mask: np.ndarray) -> np.ndarray:
    """A voxel more on one side."""
    return np.maximum(mask, np.roll(mask, 1, axis=1))


def correct(node: Any, volume: Any) -> None:
    """Both structures a little larger."""
    for segment_id in (ANTERIOR, POSTERIOR):
        change_segment(node, segment_id, volume, grow)


def table_texts(table: Any) -> list[list[str]]:
    """The texts of a QTableWidget, row by row; cells without an item are left out."""
    rows = ([table.item(row, column) for column in range(table.columnCount)] for row in range(table.rowCount))
    return [[item.text() for item in row if item is not None] for row in rows]

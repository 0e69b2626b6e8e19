"""The module's panel in the runtime, with a store of its own and a stand-in for the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from paths import REPOSITORY

MODULE_FILE = REPOSITORY / "LightMedSeg" / "LightMedSeg.py"


class PanelAccess:
    """What every bench says of its panel."""

    panel: Any

    @property
    def ui(self) -> Any:
        return self.panel.ui

    @property
    def parameters(self) -> Any:
        """The scene's, also while the panel is not in use."""
        return self.panel.logic.getParameterNode()


@dataclass
class Bench(PanelAccess):
    """session: the runtime. panel: the LightMedSegWidget. segment: the stand-in. model: its identifier."""

    session: Any
    panel: Any
    segment: Any
    model: str
    folder: Path

    def add_model(self, name: str, version: str = "1.0.0", preview_spacing_mm: Any = None, **changes: Any) -> str:
        """Add a model to the store; changes replace items of its card."""
        from LightMedSegLib.gui.self_test.stand_in_model import save_scenario_model

        identifier = save_scenario_model(self.folder, name, version, preview_spacing_mm, **changes)
        self.panel.models.reload()
        self.panel.update()
        return identifier

    def choose_volume(self, name: str = "Scan", side: int = 24) -> Any:
        from LightMedSegLib.gui.self_test.scenarios import make_volume

        self.parameters.inputVolume = make_volume(name, side)
        return self.parameters.inputVolume

    def start(self) -> None:
        """Click Segment; the work has begun when this returns."""
        calls = len(self.segment.calls)
        self.ui.segmentButton.click()
        assert self.panel.run.running, self.ui.statusLabel.text
        self.session.wait_until(lambda: len(self.segment.calls) > calls, what="the work to begin")

    def finish(self) -> None:
        """Wait until nothing runs any more."""
        self.session.wait_until(lambda: not self.panel.run.running, what="the end of the run")

    def run(self) -> Any:
        """Click Segment, wait, return the segmentation node."""
        self.ui.segmentButton.click()
        assert self.panel.run.running, self.ui.statusLabel.text
        self.finish()
        return self.parameters.outputSegmentation


def equip(session: Any, panel: Any, folder: Path) -> Bench:
    """Replace the panel's store and library."""
    from LightMedSegLib.gui.self_test.stand_in_model import ThresholdSegment, save_scenario_model
    from LightMedSegLib.model.store import ModelStore

    folder.mkdir()
    model = save_scenario_model(folder)
    panel.logic.store = ModelStore(folder / "none", folder)
    panel.logic.segment = ThresholdSegment()
    panel.models.reload()
    panel.parameters.model = model
    panel.update()
    return Bench(session, panel, panel.logic.segment, model, folder)


def segment_names(node: Any) -> list[str]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(index).GetName() for index in range(segmentation.GetNumberOfSegments())]


def shown_segments(bench: Bench) -> list[str]:
    """Names in the panel's table of the result."""
    table = bench.ui.segmentsTable
    return [table.item(row, 0).text() for row in range(table.rowCount)]


def segmentation_nodes() -> list[Any]:
    import slicer

    return list(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))


def blocks() -> np.ndarray:
    """What ThresholdSegment finds in scenarios.make_volume()."""
    labels = np.zeros((24, 24, 24), dtype=np.uint8)
    labels[4:12, 4:12, 4:12] = 1
    labels[14:20, 14:20, 14:20] = 2
    return labels


def two_channels() -> dict[str, Any]:
    """The input of a card of a model that reads two volumes."""
    normalization = {"kind": "zscore", "clip_percentiles": [0.5, 99.5]}
    names = ("T1", "FLAIR")
    return {
        "channels": [{"name": name, "normalization": normalization} for name in names],
        "spacing_mm": [1.0, 1.0, 1.0], "orientation": "LPS", "patch": [32, 32, 32], "view": "windows", "overlap": 0.5,
        "background_value": None,
    }  # fmt: skip

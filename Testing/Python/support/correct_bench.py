"""The section Correct in the runtime: a scan with a bright block, the Segment Editor replayed, a stub as network."""

from __future__ import annotations

from typing import Any

import numpy as np
from panel_bench import Bench
from segment_editor_replay import SegmentEditorReplay, cube
from stub_completer import StubCompleter

SIDE = 24
BLOCK = ((4, 16), (5, 17), (6, 18))

UNKNOWN_MASK_MODE = 99
"""An editable area that Slicer refuses to compute, as one of a later version would be."""


class CorrectBench:
    """bench: of the panel. switch_on() opens the Segment Editor on a segment and switches "Complete my strokes" on."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.session = bench, bench.session
        self.completer = StubCompleter()
        self.section.make_completer = lambda: self.completer
        self.replay: Any = None

    @property
    def section(self) -> Any:
        return self.bench.panel.correct

    @property
    def completing(self) -> Any:
        return self.section.completing

    @property
    def status(self) -> str:
        return str(self.bench.ui.completeStatusLabel.text)

    def add_scan(self, name: str = "Scan", seed: int = 0) -> Any:
        import slicer

        array = np.random.default_rng(seed).normal(0, 3, (SIDE, SIDE, SIDE)).astype(np.int16)
        array[cube(array.shape, BLOCK) > 0] += 100
        volume = slicer.util.addVolumeFromArray(array, name=name)
        self.bench.parameters.inputVolume = volume
        return volume

    def add_segmentation(self, volume: Any, *segments: str) -> Any:
        import slicer

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segments")
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        for name in segments:
            node.GetSegmentation().AddEmptySegment(name, name)
        return node

    def edit(self, node: Any, volume: Any) -> SegmentEditorReplay:
        """Open the Segment Editor with nodes; its undo stack is that of the runtime's editor."""
        import slicer

        slicer.util.selectModule("SegmentEditor")
        editor = slicer.util.getModuleWidget("SegmentEditor").editor
        editor.setSegmentationNode(node)
        editor.setSourceVolumeNode(volume)
        logic = editor._checked().logic
        self.replay = SegmentEditorReplay(slicer.mrmlScene, node, volume, logic)
        if node.GetSegmentation().GetNumberOfSegments():
            self.replay.select(node.GetSegmentation().GetNthSegmentID(0))
        return self.replay

    def switch_on(self) -> SegmentEditorReplay:
        """A scan, a segmentation with the empty segment "object", the editor on it, and the switch on."""
        volume = self.add_scan()
        replay = self.edit(self.add_segmentation(volume, "object"), volume)
        self.bench.ui.completeCheckBox.checked = True
        self.settle()
        return replay

    def cube(self, *box: tuple[int, int]) -> np.ndarray:
        return cube((SIDE, SIDE, SIDE), (box[0], box[1], box[2]))

    def settle(self) -> None:
        """Let the event loop run until everything is completed."""
        self.session.process_events()
        self.session.wait_until(lambda: not self.completing.busy, what="the completion")

    def in_step(self) -> bool:
        """Whether the session has the segment as it is in the scene."""
        correction = self.completing.correction
        return correction is None or bool((correction.session.mask == correction.voxels.mask()).all())

"""The whole loop in the panel with a real model: Segment, paint, complete, undo, accept, add the case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from correct_bench import CorrectBench
from panel_bench import MODULE_FILE, Bench
from segment_editor_replay import SegmentEditorReplay, raw_segments

from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.finetuning.cases.store import CaseStore

SEGMENT, OTHER = "Anterior_hippocampus", "Posterior_hippocampus"


@pytest.mark.slow
def test_from_the_sample_to_a_case(slicer_runtime: Any) -> None:
    import slicer

    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    from LightMedSegLib.gui.segment.samples import fill_panel

    fill_panel(panel, "hippocampus")
    panel.ui.segmentButton.click()
    slicer_runtime.wait_until(lambda: not panel.run.running, 300, "the segmentation")
    node, volume = panel.parameters.outputSegmentation, panel.result.volume()
    correct = CorrectBench(Bench(slicer_runtime, panel, None, panel.parameters.model, user_data_folder()))

    panel.ui.completeCheckBox.checked = True
    panel.ui.editButton.click()
    assert slicer.util.selectedModule() == "SegmentEditor"
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    replay = SegmentEditorReplay(slicer.mrmlScene, node, volume, editor._checked().logic)
    replay.select(SEGMENT)
    correct.settle()
    before, mask = raw_segments(node), replay.mask(SEGMENT)

    z, y, x = np.argwhere(mask).mean(axis=0).astype(int)
    stroke = np.zeros(replay.shape, dtype=bool)
    stroke[z - 1 : z + 2, :, :] = True
    stroke &= ~mask & np.roll(mask, 2, axis=2)
    assert stroke.any() and x > 0 and y > 0
    replay.paint(stroke)
    correct.settle()
    completed = replay.mask(SEGMENT)
    assert completed[mask | stroke].all() and correct.in_step()
    assert "s." in panel.ui.completeStatusLabel.text or "s)." in panel.ui.completeStatusLabel.text

    editor.undo()
    correct.settle()
    assert raw_segments(node) == before and correct.in_step()
    editor.redo()
    correct.settle()
    assert (replay.mask(SEGMENT) == completed).all() and correct.in_step()

    slicer_runtime.open_module("LightMedSeg")
    correct.bench.ui.clicksButton.click()
    slicer_runtime.wait_until(lambda: not correct.section.clicks.busy, 60, "the volume")
    outside = np.argwhere(~np.isin(slicer.util.arrayFromVolume(volume), (0,)) & ~completed)[0]
    point = correct.section.clicks.structure.lattice.grid.point(tuple(float(index) for index in outside[::-1]))
    correct.section.clicks.points.lists[True].AddControlPointWorld((-point[0], -point[1], point[2]))
    slicer_runtime.wait_until(lambda: not correct.section.clicks.busy, 60, "the structure")
    panel.ui.acceptButton.click()
    assert node.GetSegmentation().GetNumberOfSegments() == 3, panel.ui.clicksLabel.text

    panel.logic.cases = CaseStore(user_data_folder() / "cases")
    panel.ui.finetuneSectionButton.collapsed = False
    panel.cases.reload()
    panel.update()
    panel.ui.addCaseButton.click()
    slicer_runtime.wait_until(lambda: not panel.addCase.adding, 300, "the case")
    assert len(panel.cases.usable) == 1, panel.ui.addCaseLabel.text
    correct.section.close()

"""A new model in the panel, from the segments of one scan to its first version, in a real process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from finetune_bench import FinetuneBench, change_segment, table_texts
from promptable_factory import promptable_model

from LightMedSegLib.finetuning.job.settings import FinetuneSettings


@pytest.mark.slow
def test_a_new_model_learns_the_segments_of_a_scan_and_segments_it(
    finetune_bench: FinetuneBench, tmp_path: Path
) -> None:
    import slicer

    bench, ui, logic = finetune_bench, finetune_bench.ui, finetune_bench.panel.logic
    if not any(entry.identifier.startswith("interactive@") for entry in logic.store.list()):
        logic.store.add(promptable_model(tmp_path / "promptable", "interactive").folder)
    bench.segment()
    volume = bench.parameters.inputVolume
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Painted")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment_id = node.GetSegmentation().AddEmptySegment("", "Bright part")
    array = slicer.util.arrayFromVolume(volume)
    bright = (array > np.percentile(array, 70)).astype(np.uint8)
    change_segment(node, segment_id, volume, lambda mask: bright)
    bench.parameters.outputSegmentation = node
    ui.newModelEdit.text = "Bright"
    ui.newModelButton.click()
    bench.session.wait_until(lambda: not bench.panel.addCase.adding, 60, "the new model")
    assert bench.parameters.model == "bright@1.0.0-draft", ui.addCaseLabel.text
    logic.finetune_settings = FinetuneSettings(steps=6, pull=0.0, rehearsal=0.0, learning_rate=3e-3, averaging=0.5)
    bench.start()
    bench.finish()
    assert ui.verdictTitleLabel.text == "Version 1.0.0-tuned.1 passed the tests. Adopt it?", ui.verdictLabel.text
    assert "How well it does on other scans is not known." in ui.verdictLabel.text
    rows = [row for row in table_texts(ui.verdictTable) if row[0] == "Bright part"]
    assert rows[0][1] == rows[0][3] == "-" and float(rows[0][2]) >= 0.5
    ui.adoptButton.click()
    assert bench.parameters.model == "bright@1.0.0-tuned.1"
    ui.segmentButton.click()
    bench.session.wait_until(lambda: not bench.panel.run.running, 120, "the segmentation")
    result = bench.parameters.outputSegmentation
    found = slicer.util.arrayFromSegmentBinaryLabelmap(result, result.GetSegmentation().GetNthSegmentID(0), volume)
    assert 2 * np.count_nonzero(found & bright) > 0.5 * (np.count_nonzero(found) + np.count_nonzero(bright))
    # Going back leads to the draft, which is trained again with further cases.
    ui.rollBackButton.click()
    assert bench.parameters.model == "bright@1.0.0-draft" and not ui.segmentButton.enabled

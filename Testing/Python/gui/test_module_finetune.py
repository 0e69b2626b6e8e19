"""Fine-tuning in the panel, from a correction to the new version and back, in the real scene and a real process."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from finetune_bench import (
    ANTERIOR,
    FIRST_TUNED,
    MODEL,
    POSTERIOR,
    TUNED_VERSION,
    FinetuneBench,
    change_segment,
    correct,
    table_texts,
)
from promptable_factory import make_promptable

from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.gui.finetune.process import LocalProcess


def tuned_versions(bench: FinetuneBench) -> list[str]:
    """The models in the panel that did not come with the program."""
    return [name for name in bench.panel.models.names() if "-tuned." in name]


def test_from_a_correction_to_a_new_version_that_segments_again_and_back(
    finetune_bench: FinetuneBench,
) -> None:
    bench, ui = finetune_bench, finetune_bench.ui
    # Started as in Slicer, unlike those of the other tests.
    bench.panel.logic.launch = LocalProcess
    assert not ui.addCaseButton.enabled and not ui.finetuneButton.enabled
    node = bench.segment()
    volume = bench.parameters.inputVolume
    assert "not changed it yet" in ui.caseSourceLabel.text
    correct(node, volume)
    bench.panel.update()
    assert "not changed it yet" not in ui.caseSourceLabel.text

    record = bench.add_case()
    assert record.baseline_dice.model == MODEL
    assert 0.5 < record.baseline_dice.mean < 0.99
    assert table_texts(ui.casesTable)[0][2] == f"{record.baseline_dice.mean:.3f}"
    assert "MB on the disk" in ui.casesLabel.text

    bench.start()
    assert ui.finetuneButton.text == "Cancel the fine-tuning"
    bench.finish()
    progress = bench.panel.finetune.progress
    assert [step for step, _ in progress.loss] == [1, 2, 3, 4]
    dice, loss = (view._checked().series() for view in bench.panel.finetune.curves.plots.views)
    assert [points for _, _, points in loss] == [progress.loss]
    assert [points for _, _, points in dice] == [[(0, progress.before), (4, progress.before)], progress.dice]
    assert len(progress.dice) >= 2

    rows = table_texts(ui.verdictTable)
    parts = ["Mean", "Anterior hippocampus", "Posterior hippocampus"]
    titles = ["Your corrections, held out from the training", "What the model knew before"]
    assert [row[0] for row in rows] == [titles[0], *parts, titles[1], *parts]
    assert all(
        0.5 < float(row[1]) < 1 and float(row[2]) - float(row[1]) == pytest.approx(float(row[3]), abs=2e-3)
        for row in rows
        if len(row) > 1 and row[1]
    )
    assert ui.verdictTitleLabel.text == f"Better: version {TUNED_VERSION} passed the tests. Adopt it?"
    assert bench.parameters.model == MODEL, "nothing is adopted without a click"
    assert bench.panel.logic.store.chosen("hippocampus-t1-mr") is None

    ui.adoptButton.click()
    assert bench.parameters.model == FIRST_TUNED
    assert bench.panel.logic.store.find("hippocampus-t1-mr").card.identifier == FIRST_TUNED
    assert "is in use now" in ui.verdictTitleLabel.text
    assert [row[3] for row in table_texts(ui.versionsTable)] == ["in use", "-"]

    ui.segmentAgainButton.click()
    bench.session.wait_until(lambda: not bench.panel.run.running, 120, "the second segmentation")
    again = bench.parameters.outputSegmentation
    assert again is not node, "the corrected segmentation is kept"
    assert again.GetAttribute("LightMedSeg.Version") == TUNED_VERSION

    ui.rollBackButton.click()
    assert bench.parameters.model == MODEL
    assert bench.panel.logic.store.find("hippocampus-t1-mr").card.identifier == MODEL
    assert not ui.rollBackButton.enabled
    assert ui.adoptButton.visible and "passed the tests. Adopt it?" in ui.verdictTitleLabel.text


@pytest.mark.slow
def test_cancelled_in_the_middle_it_goes_on_later_where_it_was(finetune_bench: FinetuneBench) -> None:
    bench, ui = finetune_bench, finetune_bench.ui
    correct(bench.segment(), bench.parameters.inputVolume)
    bench.add_case()
    bench.start()
    progress = bench.panel.finetune.progress
    bench.session.wait_until(lambda: len(progress.loss) > 0, 60, "the first step")
    ui.finetuneButton.click()
    assert ui.finetuneButton.text == "Stopping..." and not ui.finetuneButton.enabled
    bench.finish()
    assert "Stopped: nothing was changed" in ui.finetuneLabel.text
    assert ui.finetuneButton.text == "Resume the fine-tuning"
    assert not tuned_versions(bench)
    steps = progress.loss[-1][0]
    bench.start()
    bench.finish()
    assert bench.panel.finetune.progress.loss[0][0] == steps + 1
    assert f"version {TUNED_VERSION}" in ui.verdictTitleLabel.text


@pytest.mark.parametrize("mistake", ["swapped", "emptied"])
def test_a_wrong_correction_is_refused_and_the_panel_says_why(
    finetune_bench: FinetuneBench,
    mistake: str,
) -> None:
    import slicer

    bench, ui = finetune_bench, finetune_bench.ui
    node, volume = bench.segment(), bench.parameters.inputVolume
    masks = {item: slicer.util.arrayFromSegmentBinaryLabelmap(node, item, volume) for item in (ANTERIOR, POSTERIOR)}
    if mistake == "swapped":
        change_segment(node, ANTERIOR, volume, lambda mask: 0 * mask)
        change_segment(node, POSTERIOR, volume, lambda mask: masks[ANTERIOR])
        change_segment(node, ANTERIOR, volume, lambda mask: masks[POSTERIOR])
    else:
        change_segment(node, ANTERIOR, volume, lambda mask: 0 * mask)
    bench.panel.update()
    ui.adoptCheckBox.checked = True
    bench.add_case()
    bench.start()
    bench.finish()
    assert "something looks wrong" in ui.verdictTitleLabel.text
    expected = "are the two labels swapped?" if mistake == "swapped" else "'Anterior hippocampus' is empty"
    assert expected in ui.verdictLabel.text
    assert not ui.adoptButton.visible and not ui.segmentAgainButton.visible
    assert bench.parameters.model == MODEL and not tuned_versions(bench)
    ui.keepAsideButton.click()
    assert not ui.verdictFrame.visible


@pytest.mark.slow
def test_nothing_that_is_written_names_the_patient(
    finetune_bench: FinetuneBench,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import slicer

    from LightMedSegLib.io.sample_data import sample_path

    bench = finetune_bench
    secrets = ("DOEJANE", "MRN4711", "1.2.840.99.4711", "WARD9")
    folder = tmp_path / "WARD9"
    folder.mkdir()
    scan = folder / "DOEJANE_MRN4711.nii.gz"
    shutil.copy(sample_path("hippocampus"), scan)
    volume = slicer.util.loadVolume(str(scan))
    volume.SetName("DOEJANE MRN4711")
    volume.SetAttribute("DICOM.instanceUIDs", "1.2.840.99.4711")
    volume.SetAttribute("DICOM.PatientName", "DOEJANE")
    bench.parameters.inputVolume = volume
    bench.ui.segmentButton.click()
    bench.session.wait_until(lambda: not bench.panel.run.running, 120, "the segmentation")
    node = bench.parameters.outputSegmentation
    assert "DOEJANE" in node.GetName()
    correct(node, volume)
    node.SetName("WARD9 DOEJANE corrected")
    bench.panel.update()
    bench.add_case()
    seen: dict[str, int] = {}

    def look() -> bool:
        """Into every file that is new or has changed, because the job removes most of what it writes."""
        for place, _, names in os.walk(bench.home):
            for name in names:
                with contextlib.suppress(OSError):
                    path = Path(place, name)
                    content = path.read_bytes() if path.stat().st_mtime_ns != seen.get(str(path)) else b""
                    seen[str(path)] = path.stat().st_mtime_ns
                    assert not any(secret.encode() in content for secret in secrets), path.name
        bench.session.process_events(0.1)
        return not bench.panel.finetune.running

    bench.start()
    bench.session.wait_until(look, 120, "the end of the fine-tuning")
    bench.ui.adoptButton.click()
    look()
    names = {Path(path).name for path in seen}
    assert {"case.json", "case.safetensors", "job.json", "events.jsonl", "log.txt", "model.json"} <= names
    assert not any(secret in path.removeprefix(str(bench.home)) for secret in secrets for path in seen)
    printed = "".join(capfd.readouterr()) + caplog.text
    assert not any(secret in printed for secret in secrets)


@pytest.mark.slow
def test_a_new_model_learns_the_segments_of_a_scan_and_segments_it(
    finetune_bench: FinetuneBench, tmp_path: Path
) -> None:
    import slicer

    from LightMedSegLib.gui.segment.samples import fill_panel

    bench, ui, logic = finetune_bench, finetune_bench.ui, finetune_bench.panel.logic
    if not any(entry.identifier.startswith("interactive@") for entry in logic.store.list()):
        logic.store.add(make_promptable(tmp_path / "promptable").folder)
    fill_panel(bench.panel, "hippocampus")
    volume = bench.parameters.inputVolume
    # A corner of the sample: the training takes as long as the scan is large.
    slicer.util.updateVolumeFromArray(volume, slicer.util.arrayFromVolume(volume)[:24, :24, :24].copy())
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

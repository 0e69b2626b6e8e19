"""The fine-tune section before a job: what is missing, what was reviewed of a scan, and the list of cases."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from finetune_bench import change_segment, table_texts
from mrml_nodes import add_painted_segment
from panel_bench import two_channels
from promptable_factory import make_promptable
from scripted_finetuning import Finetune
from stroke_marks import painted_state

from LightMedSegLib.finetuning.cases import building
from LightMedSegLib.finetuning.cases.effort import Effort
from LightMedSegLib.mrml.strokes.marks import forget_marks, keep_marks


def test_the_panel_says_what_is_missing_from_step_to_step(finetune: Finetune) -> None:
    ui = finetune.ui
    assert ui.caseSourceLabel.text == "Segment a scan and correct the result first."
    assert not ui.addCaseButton.enabled and not ui.reviewTable.visible
    assert ui.finetuneLabel.text == "Add a corrected scan first (step 1)." and not ui.finetuneButton.enabled
    assert ui.casesLabel.text == "There is no case yet."
    finetune.result()
    assert ui.addCaseButton.enabled and ui.addCaseButton.text == "Add this case"
    finetune.add_case()
    assert ui.addCaseButton.text == "Update this case"
    assert ui.finetuneButton.enabled
    assert ui.finetuneLabel.text.startswith("Little can be shown with this one scan"), "nothing was corrected"


def test_without_torch_nothing_is_offered(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.bench.panel.logic.segment = None
    finetune.bench.session.torch.hide()
    finetune.bench.panel.update()
    assert not finetune.ui.addCaseButton.enabled and not finetune.ui.finetuneButton.enabled
    assert finetune.ui.finetuneLabel.text == "Install PyTorch first (see above)."


def test_a_result_that_is_too_large_for_a_model_of_crops_is_refused_in_words(
    finetune: Finetune, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = finetune.result()
    monkeypatch.setattr(building, "is_located", lambda card, volume, box: box == volume.box)
    finetune.bench.panel.update()
    assert "is fine-tuned on crops of up to" in finetune.ui.caseSourceLabel.text
    assert not finetune.ui.addCaseButton.enabled and not finetune.ui.reviewTable.visible
    node.SetAttribute("LightMedSeg.Region", "0 8 0 8 0 8")
    finetune.bench.panel.update()
    assert finetune.ui.addCaseButton.enabled


def test_structures_can_be_left_out_confirmed_absent_and_added(finetune: Finetune) -> None:
    node = finetune.result()
    volume = finetune.bench.parameters.inputVolume
    change_segment(node, "Very_bright", volume, lambda mask: 0 * mask)
    mask = np.zeros((24, 24, 24), dtype=bool)
    mask[:3, :3, :3] = True
    add_painted_segment(node, volume, mask, "Tumour")
    finetune.bench.panel.update()
    table = finetune.ui.reviewTable
    assert [row[0] for row in table_texts(table)] == ["Bright", "Very bright", "Tumour"]
    assert table.cellWidget(2, 1).currentText == "Leave it out", "a new structure is the user's choice"
    finetune.choose(r0=2, r1=1, r2=1)
    record = finetune.add_case()
    assert [label.name for label in record.labels] == ["Bright", "Very bright", "Tumour"]
    assert (record.reviewed, record.absent) == ((2, 3), (2,))
    assert (finetune.bench.panel.logic.cases.load(record.case_id).labels == 3).sum() == 27


def test_choices_stay_when_something_else_changes_and_a_nameless_structure_is_refused(finetune: Finetune) -> None:
    node = finetune.result(r0=2)
    add_painted_segment(node, finetune.bench.parameters.inputVolume, np.ones((24, 24, 24), dtype=bool), "x" * 65)
    finetune.bench.panel.update()
    assert finetune.ui.reviewTable.cellWidget(0, 1).currentText == "Not checked"
    finetune.choose(r2=1)
    finetune.ui.addCaseButton.click()
    assert "needs a name of 1 to 64 characters" in finetune.ui.addCaseLabel.text
    finetune.choose(r0=2, r1=2, r2=0)
    finetune.ui.addCaseButton.click()
    assert finetune.ui.addCaseLabel.text == "No structure is marked as checked; mark at least one."


def test_only_a_box_or_some_slices_may_have_been_reviewed(finetune: Finetune) -> None:
    import slicer

    finetune.result()
    ui = finetune.ui
    assert not ui.reviewedRoiSelector.visible and not ui.slicesWidget.visible
    ui.reviewedSelector.currentIndex = 1
    assert ui.reviewedRoiSelector.visible
    ui.addCaseButton.click()
    assert "Choose or create the box" in ui.addCaseLabel.text
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Reviewed")
    ui.reviewedRoiSelector.setCurrentNode(roi)
    assert all(size > 0 for size in roi.GetSize()), "a new box is placed over the scan"
    record = finetune.add_case()
    assert finetune.bench.panel.logic.cases.load(record.case_id).reviewed.sum() == 12**3
    # The work has gone on to the next step.
    assert ui.addCaseGroup.collapsed and not ui.trainGroup.collapsed
    ui.addCaseGroup.collapsed = False
    ui.reviewedSelector.currentIndex = 2
    assert ui.slicesWidget.visible
    assert (ui.firstSliceSpinBox.value, ui.lastSliceSpinBox.value) == (-0.5, 23.5), "all slices at first"
    node = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    node.JumpSliceByOffsetting(0, 0, 5.0)
    ui.firstSliceButton.click()
    node.JumpSliceByOffsetting(0, 0, 9.0)
    ui.lastSliceButton.click()
    assert (ui.firstSliceSpinBox.value, ui.lastSliceSpinBox.value) == (5.0, 9.0)
    record = finetune.add_case()
    assert record.revision == 2
    assert finetune.bench.panel.logic.cases.load(record.case_id).reviewed.sum() == 5 * 24 * 24


def test_a_case_of_a_model_with_two_inputs_has_both(finetune: Finetune) -> None:
    finetune.bench.parameters.model = finetune.bench.add_model("two", input=two_channels())
    finetune.bench.parameters.secondVolume = finetune.bench.choose_volume("FLAIR")
    finetune.result()
    record = finetune.add_case()
    assert finetune.bench.panel.logic.cases.load(record.case_id).image.shape == (2, 24, 24, 24)
    finetune.bench.parameters.secondVolume = None
    assert not finetune.ui.addCaseButton.enabled
    assert finetune.ui.caseSourceLabel.text == "Choose a volume for every input of the model."


def test_the_list_shows_the_dice_before_the_correction_and_cases_are_deleted_after_a_question(
    finetune: Finetune,
) -> None:
    import qt

    node = finetune.result()
    change_segment(node, "Bright", finetune.bench.parameters.inputVolume, lambda mask: np.roll(mask, 4, axis=0))
    finetune.bench.panel.update()
    record = finetune.add_case()
    ui = finetune.ui
    row = table_texts(ui.casesTable)[0]
    assert row[0] == "1" and row[2] == f"{record.baseline_dice.mean:.3f}" and row[3].endswith(" MB")
    assert "Bright: 0.500" in ui.casesTable.item(0, 0).toolTip()
    finetune.choose(r1=2)
    assert finetune.add_case().revision == 2
    assert table_texts(ui.casesTable)[0][0] == "1 (2)"
    assert not ui.deleteCaseButton.enabled
    ui.casesTable.selectRow(0)
    finetune.bench.session.dialogs.answer(qt.QMessageBox.Cancel)
    ui.deleteCaseButton.click()
    assert len(finetune.bench.panel.logic.cases.list()) == 1
    finetune.bench.session.dialogs.answer(qt.QMessageBox.Ok)
    ui.deleteCaseButton.click()
    assert finetune.bench.panel.logic.cases.list() == [] and ui.casesLabel.text == "There is no case yet."


def test_cases_of_models_with_another_input_are_counted_but_not_learnt_from(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    other = {"spacing_mm": [2.0, 2.0, 2.0], "patch": [16, 16, 16]}
    card = finetune.bench.panel.logic.store.find(finetune.bench.model).card.to_json()
    finetune.bench.parameters.model = finetune.bench.add_model("other", input={**card["input"], **other})
    assert finetune.ui.casesLabel.text.startswith("0 cases for this model, 1 for others; together 0.")
    assert not finetune.ui.finetuneButton.enabled


def test_the_same_scan_from_another_segmentation_corrects_its_case_and_the_panel_says_so(finetune: Finetune) -> None:
    node = finetune.result()
    change_segment(node, "Bright", finetune.bench.parameters.inputVolume, lambda mask: 0 * mask)
    first = finetune.add_case()
    finetune.bench.parameters.inputVolume.SetName("Another name")
    assert finetune.bench.run() is not node
    finetune.bench.panel.update()
    assert finetune.ui.addCaseButton.text == "Add this case"
    second = finetune.add_case()
    assert (second.case_id, second.revision) == (first.case_id, 2)
    assert "This scan was case 1 already: the new correction takes the place" in finetune.ui.addCaseLabel.text
    assert len(table_texts(finetune.ui.casesTable)) == 1


def test_a_new_model_begins_with_the_checked_segments_and_takes_further_scans(
    finetune: Finetune, tmp_path: Path
) -> None:
    node = finetune.result(r0=0, r1=2)
    add_painted_segment(node, finetune.bench.parameters.inputVolume, np.ones((24, 24, 24), dtype=bool), "Tumour")
    panel, ui = finetune.bench.panel, finetune.ui
    panel.update()
    first = finetune.add_case()
    assert ui.addCaseButton.text == "Update this case"
    ui.addCaseGroup.collapsed = False
    assert ui.newModelWidget.visible and not ui.newModelButton.enabled
    ui.newModelEdit.text = "Left kidney"
    assert ui.newModelButton.enabled
    begin(finetune)
    assert "There is no model 'interactive'" in ui.addCaseLabel.text
    assert [entry.identifier for entry in panel.logic.store.list()] == [finetune.bench.model]
    panel.logic.store.add(make_promptable(tmp_path / "promptable").folder)
    begin(finetune)
    assert "Case 2 is stored." in ui.addCaseLabel.text and "can be trained now" in ui.addCaseLabel.text
    assert finetune.bench.parameters.model == "left-kidney@1.0.0-draft"
    assert ui.modelSelector.currentText == "Left kidney, not trained yet"
    card = panel.logic.store.find("left-kidney").card
    assert [label.name for label in card.labels] == ["Bright"], "only what was marked as right"
    assert not ui.segmentButton.enabled and "not trained yet" in ui.segmentButton.toolTip
    # The case of the other model stays: it is on another grid.
    assert next(entry.record.case_id for entry in panel.logic.cases.list()) == first.case_id
    assert len(panel.cases.usable) == 1 and ui.addCaseButton.text == "Update this case"
    finetune.start()
    settings = json.loads((finetune.process.folder / "job.json").read_text())["settings"]
    assert settings["pull"] == 0 and settings["rehearsal"] == 0
    assert ui.newModelEdit.text == ""
    ui.newModelEdit.text = "left KIDNEY"
    begin(finetune)
    assert "There is a model left-kidney already" in ui.addCaseLabel.text


def test_where_strokes_corrected_is_proposed_as_the_reviewed_region(finetune: Finetune) -> None:
    node = finetune.result()
    ui = finetune.ui
    assert ui.reviewedSelector.count == 3
    box, completed = ((4, 6), (4, 6), (4, 6)), ((14, 16), (14, 16), (14, 16))
    keep_marks(node, "Bright", painted_state((24, 24, 24), box, completed))
    finetune.bench.panel.update()
    assert ui.reviewedSelector.currentText == "Only where strokes corrected it"
    record = finetune.add_case()
    reviewed = finetune.bench.panel.logic.cases.load(record.case_id).reviewed
    assert reviewed.sum() == 11**3 + 12**3 - 2**3, "each grown by 5 mm, and cut by the volume"
    # Another choice stays until other strokes appear, and without them the region is gone.
    ui.reviewedSelector.currentIndex = 0
    finetune.bench.panel.update()
    assert ui.reviewedSelector.currentIndex == 0
    forget_marks(node)
    finetune.bench.panel.update()
    assert ui.reviewedSelector.count == 3
    keep_marks(node, "Bright", painted_state((9, 9, 9), box))
    finetune.bench.panel.update()
    ui.addCaseButton.click()
    assert "No stroke corrected this segmentation on this scan" in ui.addCaseLabel.text


def test_a_case_keeps_what_it_took_and_the_curves_go_over_the_cases(finetune: Finetune) -> None:
    import slicer

    section, ui, parameters = finetune.bench.panel.effort, finetune.ui, finetune.bench.parameters
    for number in range(2):
        node = finetune.result()
        array = slicer.util.arrayFromVolume(parameters.inputVolume)
        array[:] = np.roll(array, number, axis=2)
        slicer.util.arrayFromVolumeModified(parameters.inputVolume)
        section.counter._time.seconds = 60.0 * (number + 1)
        segmentation = node.GetSegmentation()
        segmentation.InvokeEvent(segmentation.RepresentationModified)
        finetune.add_case()
    records = [entry.record for entry in finetune.bench.panel.logic.cases.list()]
    assert [record.effort for record in records if record is not None] == [Effort(60, 1), Effort(120, 1)]
    assert "Mean of 2 cases: 1 min 30 s, strokes: 1.0." in ui.effortLabel.text
    ui.effortSectionButton.collapsed = False
    finetune.bench.session.process_events()
    assert [len(view._checked().series()) for view in section.plots.views] == [1, 1, 1]
    finetune.bench.session.close_scene()


def begin(finetune: Finetune) -> None:
    finetune.ui.newModelButton.click()
    finetune.bench.session.wait_until(lambda: not finetune.bench.panel.addCase.adding, what="the new model")

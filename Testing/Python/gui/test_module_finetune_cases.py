"""The fine-tune section before a job: what is missing, what was reviewed of a scan, and the list of cases."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import numpy as np
import pytest
from finetune_bench import change_segment, table_texts
from mrml_nodes import add_painted_segment
from panel_bench import two_channels
from scripted_finetuning import Finetune

from LightMedSegLib.finetuning.cases import building


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

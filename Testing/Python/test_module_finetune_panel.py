"""The fine-tune section around a job: choices, broken and interrupted jobs, scenes that close, versions, deletion.

The model is a stand-in without a network, and the process a script of events, so that every way a job may go is quick.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finetune_bench import change_segment, table_texts
from module_fixtures import Bench, bench, two_channels  # noqa: F401
from mrml_fixtures import add_painted_segment
from runtime_fixtures import slicer_runtime  # noqa: F401

START = {"event": "start", "model": "self-test@1.0.0", "device": "cpu", "cases": 1, "parts": 2, "steps": 10,
         "labels": ["Bright", "Very bright"], "resumed": False}  # fmt: skip
TABLE = {"before": 0.8, "after": 0.9, "labels": {"Bright": {"before": 0.8, "after": 0.9}}}
BASELINE = {"event": "baseline", "held_out": {**TABLE, "after": 0.8}}
NOTHING = {"before": None, "after": None, "labels": {}}


def step(part: int, number: int) -> dict[str, Any]:
    return {"event": "step", "part": part, "parts": 2, "step": number, "loss": 1 / (10 * part + number)}


def verdict(**changes: Any) -> dict[str, Any]:
    words = {"accepted": True, "adopted": False, "reasons": [], "notes": ["A note."]}
    return {"event": "verdict", "candidate": "self-test@1.1.0-tuned.1", "held_out": TABLE, "reference": NOTHING,
            **words, **changes}  # fmt: skip


@dataclass
class ScriptedProcess:
    """A JobProcess whose events a test makes; nothing else of the protocol is answered."""

    folder: Path
    alive: bool = True
    waiting: list[dict[str, Any]] = field(default_factory=list)
    stop_requests: int = 0
    ended: bool = False

    def running(self) -> bool:
        return self.alive

    def events(self) -> list[dict[str, Any]]:
        taken, self.waiting = self.waiting, []
        return taken

    def ask_to_stop(self) -> None:
        self.stop_requests += 1

    def end(self) -> None:
        self.ended = True

    def last_words(self) -> str:
        return "Traceback: it broke"


@dataclass
class Finetune:
    """bench: the panel. process: the last one that was started."""

    bench: Bench
    started: list[ScriptedProcess] = field(default_factory=list)

    @property
    def ui(self) -> Any:
        return self.bench.ui

    @property
    def process(self) -> ScriptedProcess:
        return self.started[-1]

    @property
    def section(self) -> Any:
        return self.bench.panel.finetune

    def launch(self, folder: Path) -> ScriptedProcess:
        self.started.append(ScriptedProcess(folder))
        return self.process

    def result(self, **choices: int) -> Any:
        """A result; choices: index in the review table's selectors, by row number as r0, r1."""
        self.bench.choose_volume()
        node = self.bench.run()
        self.choose(**choices)
        return node

    def choose(self, **choices: int) -> None:
        for name, index in choices.items():
            self.ui.reviewTable.cellWidget(int(name[1:]), 1).currentIndex = index

    def add_case(self) -> Any:
        self.ui.addCaseButton.click()
        self.bench.session.wait_until(lambda: not self.bench.panel.addCase.adding, what="the case")
        entries = self.bench.panel.logic.cases.list()
        return entries[-1].record if entries else None

    def start(self) -> None:
        self.ui.finetuneButton.click()
        assert self.section.running, self.ui.finetuneLabel.text

    def see(self, *events: dict[str, Any], alive: bool = True) -> None:
        """Let the process say this, and the panel look at it."""
        self.process.waiting += events
        self.process.alive = alive
        self.bench.session.wait_until(
            lambda: not self.process.waiting and self.section.running == alive, what="the panel to look"
        )

    def install(self, version: str, accepted: bool = True, parent: str | None = None) -> str:
        """A fine-tuned version in the store."""
        report = {"accepted": accepted, "reasons": [] if accepted else ["It forgets."], "notes": [],
                  "held_out": TABLE, "reference": NOTHING}  # fmt: skip
        made_from = None
        if parent is not None:
            card = self.bench.panel.logic.store.find(parent).card
            made_from = {"name": card.name, "version": card.version, "weights_sha256": card.weights.sha256}
        training = {"data": "x", "cases": {"train": 2, "validation": 0, "test": 0}, "split_sha256": None,
                    "configuration": None}  # fmt: skip
        changes = {"metrics": {"fine_tuning": report}, "parent": made_from, "training": training}
        identifier = self.bench.add_model("self-test", version, **changes)
        self.bench.panel.versions.reload()
        self.bench.panel.update()
        return identifier


@pytest.fixture
def finetune(bench: Bench, tmp_path: Path) -> Iterator[Finetune]:  # noqa: F811
    from LightMedSegLib.finetuning.case_store import CaseStore

    logic, made = bench.panel.logic, Finetune(bench)
    logic.cases, logic.jobs_folder, logic.launch = CaseStore(tmp_path / "cases"), tmp_path / "jobs", made.launch
    bench.ui.finetuneSectionButton.collapsed = False
    bench.panel.cases.reload()
    bench.panel.update()
    yield made
    made.section.close()


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
    assert ui.finetuneButton.enabled and ui.finetuneLabel.text == ""


def test_without_torch_nothing_is_offered(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.bench.panel.logic.segment = None
    finetune.bench.session.torch.hide()
    finetune.bench.panel.update()
    assert not finetune.ui.addCaseButton.enabled and not finetune.ui.finetuneButton.enabled
    assert finetune.ui.finetuneLabel.text == "Install PyTorch first (see above)."


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
    assert finetune.ui.addCaseLabel.text == "Nothing is chosen as checked; choose at least one structure."


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
    assert row[0] == "1" and row[2] == f"{record.test_then_train.mean:.3f}" and row[3].endswith(" MB")
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


def test_while_it_runs_bar_text_and_button_tell_how_far_it_is(finetune: Finetune) -> None:
    finetune.result()
    record = finetune.add_case()
    finetune.start()
    ui = finetune.ui
    description = json.loads((finetune.process.folder / "job.json").read_text())
    assert description["model"] == "self-test@1.0.0" and description["cases"] == [record.case_id]
    assert description["adopt"] == "ask"
    finetune.see(START)
    assert ui.finetuneLabel.text.startswith("Comparing the present version with your corrections. Elapsed:")
    finetune.see(
        BASELINE, step(1, 1), step(1, 2), {"event": "dice", "held_out": 0.85, "part": 1, "parts": 2, "step": 2}
    )
    finetune.bench.session.wait_until(lambda: "left" in ui.finetuneLabel.text, what="the estimate")
    assert "Test 1 of 1: training without a part of your corrections, step 2 of 10" in ui.finetuneLabel.text
    assert ui.finetuneBar.visible and ui.finetuneBar.value == 10
    finetune.see({"event": "part", "part": 1, "parts": 2, "held_out": TABLE}, step(2, 10), {"event": "testing"})
    assert ui.finetuneLabel.text.startswith("Testing the new version.")
    assert finetune.section.progress.dice == [(2, 0.85), (10, 0.9)]
    assert not any(node.GetSaveWithScene() for node in plot_nodes())
    finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    finetune.see(verdict(), alive=False)
    assert not ui.finetuneBar.visible and ui.finetuneButton.text == "Fine-tune"
    assert ui.verdictLabel.text == "A note."


def plot_nodes() -> list[Any]:
    import slicer

    kinds = ("vtkMRMLPlotViewNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode", "vtkMRMLTableNode")
    return [node for kind in kinds for node in slicer.util.getNodesByClass(kind) if "statistics" not in node.GetName()]


def test_closing_the_scene_does_not_touch_the_job_and_its_curves_come_back(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see(START, BASELINE, step(1, 1))
    finetune.bench.session.close_scene()
    assert finetune.section.running and finetune.process.stop_requests == 0
    finetune.bench.parameters.model = finetune.bench.model
    finetune.see(step(1, 2))
    finetune.bench.session.process_events(0.3)
    dice, loss = (widget.plotView()._checked().series() for widget in finetune.section.curves.widgets)
    assert [len(points) for _, _, points in loss] == [2] and len(dice) == 2
    finetune.see(verdict(candidate=None, accepted=False, reasons=["Swapped?"]), alive=False)
    assert finetune.ui.verdictTitleLabel.text == "Nothing was trained, because something looks wrong:"


def test_a_job_that_ends_while_another_module_is_open_is_shown_afterwards(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.ui.adoptCheckBox.checked = True
    finetune.start()
    assert json.loads((finetune.process.folder / "job.json").read_text())["adopt"] == "if_better"
    finetune.bench.session.leave_module()
    finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    finetune.bench.panel.logic.store.choose("self-test", "1.1.0-tuned.1")  # as the job does
    finetune.see(START, BASELINE, step(1, 1), verdict(adopted=True), alive=False)
    finetune.bench.session.open_module("LightMedSeg")
    assert finetune.bench.parameters.model == "self-test@1.1.0-tuned.1"
    assert "is in use now" in finetune.ui.verdictTitleLabel.text and finetune.ui.verdictFrame.visible
    assert finetune.ui.keepAsideButton.text == "Close" and not finetune.ui.adoptButton.visible


def test_slicer_ending_or_the_module_reloading_stops_the_job(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see(START, BASELINE, step(1, 1))
    finetune.bench.panel.cleanup()
    assert finetune.process.ended and not finetune.section.running
    assert plot_nodes() == []
    assert not [path for path in finetune.process.folder.iterdir() if path.name == "result.json"]


def test_a_cancelled_job_is_asked_until_it_ends(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.ui.finetuneButton.click()
    asked = finetune.process.stop_requests
    finetune.bench.session.wait_until(lambda: finetune.process.stop_requests > asked, what="asking again")
    assert finetune.ui.finetuneLabel.text == "Stopping..."
    finetune.see({"event": "cancelled"}, alive=False)
    assert finetune.ui.finetuneLabel.text.startswith("Stopped: nothing was changed.")


def test_a_process_that_breaks_down_or_fails_says_so(finetune: Finetune, caplog: pytest.LogCaptureFixture) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see({"event": "failed", "message": "There is no case 00."}, alive=False)
    assert finetune.ui.finetuneLabel.text == "The fine-tuning failed. There is no case 00."
    finetune.start()
    finetune.see(START, alive=False)
    assert finetune.ui.finetuneLabel.text.startswith("The fine-tuning broke down; the Python console says where.")
    assert "it broke" in caplog.text


def test_a_process_that_cannot_be_started_says_so(finetune: Finetune) -> None:
    def refuse(folder: Path) -> Any:
        raise OSError(12, "Cannot allocate memory")

    finetune.result()
    finetune.add_case()
    finetune.bench.panel.logic.launch = refuse
    finetune.ui.finetuneButton.click()
    assert "Cannot allocate memory" in finetune.ui.finetuneLabel.text
    assert not finetune.section.running


def test_an_interrupted_job_and_an_unseen_verdict_are_found_after_a_restart(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    folder = finetune.bench.panel.logic.jobs_folder / "self-test@1.0.0"
    (folder / "work").mkdir(parents=True)
    (folder / "job.json").write_text("{}")
    (folder / "stop").touch()
    gone = finetune.bench.panel.logic.jobs_folder / "gone-model@1.0.0"
    gone.mkdir()
    (folder / ".lightmedseg-tmp-0123456789abcdef").write_text("half")
    finetune.section.clear_up()
    assert not gone.exists() and sorted(path.name for path in folder.iterdir()) == [".lock", "job.json", "work"]
    finetune.bench.panel.update()
    assert finetune.ui.finetuneButton.text == "Go on with the fine-tuning"
    assert "was interrupted" in finetune.ui.finetuneLabel.text
    (folder / "result.json").write_text(json.dumps(verdict(candidate=None, accepted=False, reasons=["Empty."])))
    finetune.bench.panel.update()
    assert finetune.ui.verdictFrame.visible and "Empty." in finetune.ui.verdictLabel.text
    finetune.ui.keepAsideButton.click()
    finetune.bench.panel.update()
    assert not finetune.ui.verdictFrame.visible and not (folder / "result.json").exists()


def test_versions_are_used_rolled_back_and_deleted(finetune: Finetune) -> None:
    import qt

    ui, store, dialogs = finetune.ui, finetune.bench.panel.logic.store, finetune.bench.session.dialogs
    assert not ui.versionsGroup.visible, "nothing to choose from"
    first = finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    second = finetune.install("1.1.0-tuned.2", accepted=False, parent=first)
    rows = table_texts(ui.versionsTable)
    assert [row[0] for row in rows] == ["1.1.0-tuned.2", "1.1.0-tuned.1", "1.0.0"]
    assert [row[3] for row in rows] == ["not passed", "passed", "-"]
    assert rows[0][1].startswith("2 cases, ") and rows[0][2] == "0.800 → 0.900"
    assert not ui.useVersionButton.enabled and not ui.rollBackButton.enabled
    ui.versionsTable.selectRow(1)
    ui.useVersionButton.click()
    assert store.find("self-test").card.identifier == first == finetune.bench.parameters.model
    ui.versionsTable.selectRow(0)
    dialogs.answer(qt.QMessageBox.No)
    ui.useVersionButton.click()
    assert "did not pass the tests. It forgets." in dialogs.texts("question")[-1]
    assert store.find("self-test").card.identifier == first
    dialogs.answer(qt.QMessageBox.Yes)
    ui.useVersionButton.click()
    assert store.find("self-test").card.identifier == second == finetune.bench.parameters.model
    ui.versionsTable.selectRow(0)
    assert not ui.deleteVersionButton.enabled, "it is in use"
    ui.rollBackButton.click()
    assert store.find("self-test").card.identifier == first == finetune.bench.parameters.model
    ui.versionsTable.selectRow(0)
    dialogs.answer(qt.QMessageBox.Ok)
    ui.deleteVersionButton.click()
    assert [entry.identifier for entry in store.list()] == ["self-test@1.0.0", first]
    finetune.bench.session.close_scene()
    assert finetune.bench.panel.parameters.model == first, "a new scene begins with the version in use"


def test_a_new_version_can_be_tried_before_it_is_adopted_or_kept_aside(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    tuned = finetune.install("1.1.0-tuned.1", accepted=False, parent="self-test@1.0.0")
    finetune.see(START, verdict(accepted=False, reasons=["It is not better."]), alive=False)
    ui = finetune.ui
    assert not ui.adoptButton.enabled and "reasons are above" in ui.adoptButton.toolTip
    ui.segmentAgainButton.click()
    finetune.bench.finish()
    assert finetune.bench.parameters.outputSegmentation.GetAttribute("LightMedSeg.Version") == "1.1.0-tuned.1"
    assert finetune.bench.parameters.model == "self-test@1.0.0", "a trial changes nothing"
    ui.keepAsideButton.click()
    assert tuned in finetune.bench.panel.models.names()
    assert finetune.bench.panel.logic.store.chosen("self-test") is None


def test_the_verdict_of_one_model_is_not_shown_for_another(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    folder = finetune.process.folder
    finetune.bench.parameters.model = finetune.bench.add_model("other")
    finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    finetune.see(START, verdict(), alive=False)
    (folder / "result.json").write_text(json.dumps(verdict()))
    assert not finetune.ui.verdictFrame.visible
    finetune.bench.parameters.model = "self-test@1.0.0"
    assert finetune.ui.verdictFrame.visible and finetune.ui.adoptButton.enabled
    finetune.ui.adoptButton.click()
    assert finetune.bench.parameters.model == "self-test@1.1.0-tuned.1"


def test_automatic_adoption_is_remembered_for_the_user(finetune: Finetune) -> None:
    from LightMedSegLib.gui import settings

    assert not settings.adopts_at_once() and not finetune.ui.adoptCheckBox.checked
    finetune.ui.adoptCheckBox.checked = True
    assert settings.adopts_at_once()

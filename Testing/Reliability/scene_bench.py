"""The panel with a stand-in for the network, the actions of scene_actions.py on it, and what must hold after each."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from panel_bench import MODULE_FILE, PanelAccess, equip
from Runtime.bootstrap import start
from scripted_finetuning import BASELINE, START, Finetune, step, verdict

from LightMedSegLib.gui.self_test.stand_in_model import ThresholdSegment

SIDE = 24


class HeldSegment(ThresholdSegment):
    """A network whose end the test decides, so that what happens does not depend on the computer's speed."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.waiting = threading.Event()

    def __call__(self, image: Any, model: Any, options: Any, progress: Any, cancel: Any) -> Any:
        """As ThresholdSegment, after go."""
        self.waiting.set()
        try:
            while not self.go.wait(0.001):
                cancel.raise_if_cancelled()
        finally:
            self.waiting.clear()
        return super().__call__(image, model, options, progress, cancel)


class SceneBench(PanelAccess):
    """What the user sees, and what the user must find again: voxels of volumes, and segmentations that were edited."""

    def __init__(self, home: Path, slicer_home: Path) -> None:
        from LightMedSegLib.finetuning.cases.store import CaseStore

        self.home = home
        home.mkdir()
        self.session = start(slicer_home)
        self.session.reset()
        self.session.load_module(MODULE_FILE)
        self.panel = self.session.open_module("LightMedSeg")
        self._bench = equip(self.session, self.panel, home / "models")
        self.segment = self.panel.logic.segment = HeldSegment()
        self._bench.add_model("other")
        self._finetune = Finetune(self._bench)
        logic = self.panel.logic
        logic.cases, logic.jobs_folder, logic.launch = CaseStore(home / "cases"), home / "jobs", self._finetune.launch
        self.ui.finetuneSectionButton.collapsed = False
        self.panel.cases.reload()
        self.panel.update()
        self._volumes: dict[Any, str] = {}
        self._edited: dict[Any, dict[str, str]] = {}
        self._histories: list[tuple[Any, Any]] = []
        self._number = 0
        self._tuned = 0
        self.cases_added = 0
        self._most_results = 0

    # --- what is there

    def volumes(self) -> list[Any]:
        return _nodes("vtkMRMLScalarVolumeNode")

    def results(self) -> list[Any]:
        return _nodes("vtkMRMLSegmentationNode")

    def nodes(self) -> list[Any]:
        return [*self.volumes(), *self.results(), *_nodes("vtkMRMLLinearTransformNode"), *_nodes("vtkMRMLTableNode")]

    def models(self) -> list[str]:
        return [entry.identifier for entry in self.panel.logic.store.list()]

    def undoable(self) -> bool:
        self._histories = [pair for pair in self._histories if pair[0].GetScene() is not None]
        return bool(self._histories)

    def can_adopt(self) -> bool:
        return bool(self.ui.verdictFrame.visible and self.ui.adoptButton.visible and self.ui.adoptButton.enabled)

    def can_roll_back(self) -> bool:
        return bool(self.ui.versionsGroup.visible and self.ui.rollBackButton.enabled)

    # --- actions

    def load_volume(self) -> None:
        self._number += 1
        array = np.random.default_rng(self._number).integers(0, 90, (SIDE, SIDE, SIDE)).astype(np.int16)
        array[4:12, 4:12, 4:12] = 150
        array[14:20, 14:20, 14:20] = 250
        node = slicer.util.addVolumeFromArray(array, name=f"Scan {self._number}")
        self._volumes[node] = _voxels(node)
        if self.panel.parameters is not None and self.parameters.inputVolume is None:
            self.parameters.inputVolume = node

    def click_segment(self, held: bool) -> None:
        """A held run is in the middle of its work until finish()."""
        if held:
            self.segment.go.clear()
        else:
            self.segment.go.set()
        self._most_results = len(self.results()) + 1
        if self.ui.segmentButton.enabled:
            self.ui.segmentButton.click()

    def settle(self) -> None:
        """Let everything happen that is due: a run is over, or held in the middle of its work."""
        for _ in range(3):
            self.session.process_events()
        self.session.wait_until(self._is_settled, 120, "the run to be over or held")

    def _is_settled(self) -> bool:
        job = self.panel.logic.job
        return job is None or (self.segment.waiting.is_set() and not self.segment.go.is_set() and not job.stopping)

    def finish(self) -> None:
        self.segment.go.set()
        self.session.wait_until(lambda: not self.panel.run.running, 120, "the end of the run")
        assert self.ui.statusLabel.text, "nothing was said about how the run ended"

    def edit(self, node: Any, kind: str) -> None:
        segmentation = node.GetSegmentation()
        history = slicer.vtkSegmentationHistory()
        history.SetSegmentation(segmentation)
        history.SaveState()
        if kind == "add" or not segmentation.GetNumberOfSegments():
            segmentation.AddEmptySegment()
        elif kind == "rename":
            segmentation.GetNthSegment(0).SetName(f"By hand {self._number}")
        elif kind == "remove":
            segmentation.RemoveSegment(segmentation.GetNthSegmentID(0))
        else:
            self._paint(node, segmentation.GetNthSegmentID(0))
        self._histories.append((node, history))
        self._remember(node)

    def undo(self) -> None:
        node, history = self._histories.pop()
        history.RestorePreviousState()
        self._remember(node)

    def change_volume(self, node: Any) -> None:
        array = slicer.util.arrayFromVolume(node)
        array[0, 0, 0] += 1
        slicer.util.arrayFromVolumeModified(node)
        self._volumes[node] = _voxels(node)

    def move(self, node: Any) -> None:
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Move")
        matrix = slicer.util.vtkMatrixFromArray(np.array([[0, -1, 0, 5], [1, 0, 0, -3], [0, 0, 1, 9], [0, 0, 0, 1.0]]))
        transform.SetMatrixTransformToParent(matrix)
        node.SetAndObserveTransformNodeID(transform.GetID())

    def delete(self, node: Any) -> None:
        self._forget(node)
        slicer.mrmlScene.RemoveNode(node)

    def close_scene(self) -> None:
        self.session.close_scene()
        self._volumes.clear()
        self._edited.clear()
        self._histories.clear()

    def save_and_load(self) -> None:
        path = str(self.home / "scene.mrb")
        before = {node.GetName(): _counts(node) for node in self._edited if node.GetScene() is not None}
        voxels = {node.GetName(): text for node, text in self._volumes.items()}
        assert slicer.util.saveScene(path)
        self.close_scene()
        slicer.util.loadScene(path)
        self.session.process_events(0.05)
        assert {node.GetName(): _voxels(node) for node in self.volumes()} == voxels, "volumes changed in the file"
        loaded = {node.GetName(): node for node in self.results()}
        for name, counts in before.items():
            assert _counts(loaded[name]) == counts, f"{name} changed in the file"
        self._volumes = {node: _voxels(node) for node in self.volumes()}
        self._edited = {loaded[name]: _content(loaded[name]) for name in before}
        self._most_results = len(self.results())

    def add_case(self) -> None:
        self.cases_added += 1
        self.ui.addCaseButton.click()
        self.session.wait_until(lambda: not self.panel.addCase.adding, 120, "the case")

    def end_finetuning(self, how: str) -> None:
        name = self.panel.finetune._model.split("@")[0]
        if how in ("accepted", "rejected"):
            self._tuned += 1
            candidate = self._bench.add_model(name, f"1.1.0-tuned.{self._tuned}", **_tuned(how == "accepted"))
            end = [START, BASELINE, step(1, 1), verdict(candidate=candidate, accepted=how == "accepted")]
        else:
            end = {"cancelled": [{"event": "cancelled"}], "broken": [],
                   "failed": [{"event": "failed", "message": "No room."}]}[how]  # fmt: skip
        self._finetune.see(*end, alive=False)

    def close(self) -> None:
        """End everything, and look whether anything was swallowed."""
        self.panel.finetune.close()
        self.panel.logic.cancel()
        self.session.wait_until(lambda: not self.panel.run.running, 120, "the end")
        self.panel.cleanup()
        self.session.dialogs.clear()
        self.session.finish()

    # --- what must hold

    def check(self) -> None:
        """Raises AssertionError for the first thing that does not hold."""
        self.settle()
        swallowed = self.session.errors.take()
        assert not swallowed, "\n".join(error.text for error in swallowed)
        assert self.session.dialogs.texts("error") == []
        logic, parameters = self.panel.logic, self.parameters
        assert self.panel.run.running == (logic.job is not None)
        if self.panel.parameters is not None:
            running = self.ui.segmentButton.text in ("Cancel", "Stopping...")
            assert running == self.panel.run.running, f"the button says {self.ui.segmentButton.text!r}"
        for node in (parameters.inputVolume, parameters.outputSegmentation, parameters.statisticsTable):
            assert node is None or node.GetScene() is slicer.mrmlScene, "the panel holds a node that is gone"
        for node, text in self._volumes.items():
            assert node.GetScene() is None or _voxels(node) == text, f"{node.GetName()}: its voxels changed"
        for node, content in self._edited.items():
            assert node.GetScene() is None or _content(node) == content, f"{node.GetName()}: an edit was lost"
        if self._most_results:
            assert len(self.results()) <= self._most_results, "there is a result that nobody asked for"
        problems = [entry.problem for entry in [*logic.store.list(), *logic.cases.list()] if entry.problem]
        assert not problems, problems
        for name in ("self-test", "other"):
            assert logic.store.find(name).card.name == name
        if self.panel.parameters is not None and self.panel.models.card is not None:
            assert parameters.model in self.models()

    def _remember(self, node: Any) -> None:
        """An edit; a segmentation without any segment holds nothing that could be lost, and may be filled."""
        self._edited[node] = _content(node)
        if not self._edited[node]:
            del self._edited[node]

    def _forget(self, node: Any) -> None:
        self._volumes.pop(node, None)
        self._edited.pop(node, None)

    def _paint(self, node: Any, segment_id: str) -> None:
        image = node.GetSegmentation().GetSegment(segment_id).GetRepresentation("Binary labelmap")
        if image is None or image.IsEmpty():
            node.GetSegmentation().GetSegment(segment_id).SetColor(0.2, 0.3, 0.4)
            return
        from vtk.util.numpy_support import vtk_to_numpy

        values = vtk_to_numpy(image.GetPointData().GetScalars())
        values[: 5 + self._number] = node.GetSegmentation().GetSegment(segment_id).GetLabelValue()
        image.Modified()
        node.GetSegmentation().Modified()


def _tuned(accepted: bool) -> dict[str, Any]:
    table = {"before": 0.8, "after": 0.9, "labels": {"Bright": {"before": 0.8, "after": 0.9}}}
    report = {"accepted": accepted, "reasons": [] if accepted else ["It forgets."], "notes": [], "held_out": table,
              "reference": {"before": None, "after": None, "labels": {}}}  # fmt: skip
    return {"metrics": {"fine_tuning": report}}


def _nodes(kind: str) -> list[Any]:
    return list(slicer.util.getNodesByClass(kind))


def _voxels(node: Any) -> str:
    return hashlib.sha256(slicer.util.arrayFromVolume(node).tobytes()).hexdigest()


def _masks(node: Any) -> dict[str, np.ndarray]:
    from vtk.util.numpy_support import vtk_to_numpy

    found = {}
    segmentation = node.GetSegmentation()
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        image = segment.GetRepresentation("Binary labelmap")
        empty = image is None or image.GetPointData().GetScalars() is None
        values = np.zeros(0) if empty else vtk_to_numpy(image.GetPointData().GetScalars())
        found[f"{index} {segment.GetName()}"] = values == segment.GetLabelValue()
    return found


def _content(node: Any) -> dict[str, str]:
    return {name: hashlib.sha256(mask.tobytes()).hexdigest() for name, mask in _masks(node).items()}


def _counts(node: Any) -> dict[str, int]:
    return {name: int(mask.sum()) for name, mask in _masks(node).items()}

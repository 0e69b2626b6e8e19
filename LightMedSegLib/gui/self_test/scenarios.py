"""The steps of a user: the module's self test, inside Slicer and outside.

The last two scenarios need torch and a shipped model, corrections by stroke need torch; else they are left out.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from LightMedSegLib.gui.segment.processing import usable_models
from LightMedSegLib.gui.segment.samples import NODE_NAMES, TRY_IT, fill_panel
from LightMedSegLib.gui.self_test.correcting import (
    a_stroke_is_completed_and_undo_takes_both,
    a_structure_from_clicks_is_accepted_and_another_discarded,
)
from LightMedSegLib.gui.self_test.doubting import the_doubtful_places_of_a_result_are_looked_at
from LightMedSegLib.gui.self_test.finetuning import a_correction_teaches_a_real_model
from LightMedSegLib.gui.self_test.panel import opened, reloaded
from LightMedSegLib.gui.self_test.stand_in_model import ThresholdSegment, save_scenario_model
from LightMedSegLib.gui.self_test.stand_in_network import BrightnessCompleter
from LightMedSegLib.gui.self_test.versions import a_new_version_is_adopted_and_rolled_back
from LightMedSegLib.gui.self_test.waiting import wait_until
from LightMedSegLib.gui.torch_setup import torch_installed
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.mrml.segmentations.reading import read_labelmap

_LONG = 30.0


def run_all(test: Any) -> None:
    """Run every scenario on the module's own panel. test: a ScriptedLoadableModuleTest."""
    panel = opened(test)
    for scenario in SCENARIOS:
        slicer.mrmlScene.Clear(0)
        test.delayDisplay(scenario.__name__.replace("_", " "))
        with _stand_ins(panel) as model:
            scenario(test, panel, model)
    test.delayDisplay("the module is reloaded")
    panel = reloaded(test, panel)
    slicer.mrmlScene.Clear(0)
    a_real_model_segments_the_sample(test, panel)
    slicer.mrmlScene.Clear(0)
    a_correction_teaches_a_real_model(test, panel)


def make_volume(name: str = "Scan", side: int = 24) -> Any:
    """A volume node with a bright block and a very bright one, as noisy as a scan."""
    array = np.random.default_rng(0).integers(0, 40, (side, side, side), dtype=np.int16)
    array[4:12, 4:12, 4:12] += 150
    array[14:20, 14:20, 14:20] += 250
    return slicer.util.addVolumeFromArray(array, name=name)


def a_click_on_segment_gives_named_segments_and_numbers(test: Any, panel: Any, model: str) -> None:
    """Choose volume and model, click, look at the result."""
    volume = _choose(panel, model)
    panel.ui.segmentButton.click()
    test.assertTrue(panel.run.running)
    wait_until(test, lambda: not panel.run.running, "the result")
    node = panel.logic.getParameterNode().outputSegmentation
    test.assertIsNotNone(node, panel.ui.statusLabel.text)
    names = [segment.GetName() for segment in _segments(node)]
    test.assertEqual(names, ["Bright", "Very bright"])
    labels = read_labelmap(node, volume).labels
    test.assertEqual([int((labels == value).sum()) for value in (1, 2)], [8**3, 6**3])
    test.assertEqual(panel.logic.getParameterNode().statisticsTable.GetNumberOfRows(), 2)


def try_it_loads_the_sample_once(test: Any, panel: Any, model: str) -> None:
    """The button "Try it" chooses the sample; clicked again it loads no second one."""
    panel.ui.tryItButton.click()
    sample = panel.logic.getParameterNode().inputVolume
    test.assertEqual(sample.GetName(), NODE_NAMES[TRY_IT])
    panel.ui.tryItButton.click()
    test.assertIs(panel.logic.getParameterNode().inputVolume, sample)


def the_places_of_doubt_are_looked_at(test: Any, panel: Any, model: str) -> None:
    """A run with doubt, then from place to place."""
    _choose(panel, model)
    panel.logic.getParameterNode().doubt = True
    _run(test, panel)
    the_doubtful_places_of_a_result_are_looked_at(test, panel)


def a_second_click_cancels_and_nothing_is_written(test: Any, panel: Any, model: str) -> None:
    """The button is Cancel while something runs."""
    _choose(panel, model)
    panel.logic.segment.seconds = _LONG
    panel.ui.segmentButton.click()
    wait_until(test, lambda: bool(panel.logic.segment.calls), "the work to begin")
    panel.ui.segmentButton.click()
    wait_until(test, lambda: not panel.run.running, "the end of the cancelled run")
    test.assertEqual(len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")), 0)
    test.assertTrue(panel.ui.segmentButton.enabled)


def an_edited_result_is_kept(test: Any, panel: Any, model: str) -> None:
    """Running again after a correction makes a second segmentation."""
    _choose(panel, model)
    first = _run(test, panel)
    first.GetSegmentation().GetNthSegment(0).SetName("Corrected by hand")
    second = _run(test, panel)
    test.assertIsNot(second, first)
    test.assertEqual(first.GetSegmentation().GetNthSegment(0).GetName(), "Corrected by hand")


def closing_the_scene_drops_the_result(test: Any, panel: Any, model: str) -> None:
    """Nothing of the old scene may appear in the new one."""
    _choose(panel, model)
    panel.logic.segment.seconds = _LONG
    panel.ui.segmentButton.click()
    wait_until(test, lambda: bool(panel.logic.segment.calls), "the work to begin")
    slicer.mrmlScene.Clear(0)
    wait_until(test, lambda: not panel.run.running, "the end of the dropped run")
    test.assertEqual(len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")), 0)
    test.assertNotEqual(panel.ui.statusLabel.text, "")


def a_volume_that_cannot_be_segmented_is_refused_in_words(test: Any, panel: Any, model: str) -> None:
    """A single slice is no volume."""
    _choose(panel, model)
    slice_node = slicer.util.addVolumeFromArray(np.zeros((1, 24, 24), dtype=np.int16), name="Slice")
    panel.logic.getParameterNode().inputVolume = slice_node
    test.assertIn("single slice", panel.ui.checksLabel.text)
    panel.ui.segmentButton.click()
    test.assertFalse(panel.run.running)
    test.assertIn("single slice", panel.ui.statusLabel.text)


def the_parameters_survive_saving_and_loading_the_scene(test: Any, panel: Any, model: str) -> None:
    """Volume, model, result and settings are in the scene file."""
    _choose(panel, model)
    _run(test, panel)
    panel.logic.getParameterNode().overlap = 0.25
    with tempfile.TemporaryDirectory(dir=slicer.app.temporaryPath) as folder:
        scene = str(Path(folder) / "scene.mrb")
        test.assertTrue(slicer.util.saveScene(scene))
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(scene)
    parameters = panel.logic.getParameterNode()
    test.assertEqual(parameters.inputVolume.GetName(), "Scan")
    test.assertEqual(len(_segments(parameters.outputSegmentation)), 2)
    test.assertEqual((parameters.model, parameters.overlap), (model, 0.25))


def a_correction_by_stroke(test: Any, panel: Any, model: str) -> None:
    """A stroke is completed, and Undo takes both back; only if torch is installed."""
    if torch_installed():
        a_stroke_is_completed_and_undo_takes_both(test, panel, _choose(panel, model))


def a_structure_from_clicks(test: Any, panel: Any, model: str) -> None:
    """A structure is made from a click, and another is discarded; only if torch is installed."""
    if torch_installed():
        a_structure_from_clicks_is_accepted_and_another_discarded(test, panel, _choose(panel, model))


SCENARIOS = (
    try_it_loads_the_sample_once,
    a_click_on_segment_gives_named_segments_and_numbers,
    the_places_of_doubt_are_looked_at,
    a_second_click_cancels_and_nothing_is_written,
    an_edited_result_is_kept,
    closing_the_scene_drops_the_result,
    a_volume_that_cannot_be_segmented_is_refused_in_words,
    the_parameters_survive_saving_and_loading_the_scene,
    a_structure_from_clicks,
    a_correction_by_stroke,
    a_new_version_is_adopted_and_rolled_back,
)


def a_real_model_segments_the_sample(test: Any, panel: Any) -> None:
    """The small sample, then Segment; only where torch and a shipped model are."""
    shipped = [entry for entry in usable_models(panel.logic.store) if entry.shipped]
    if not torch_installed() or not shipped:
        test.delayDisplay("No torch or no shipped model: the real inference is left out")
        return
    opened(test)
    fill_panel(panel, "hippocampus")
    panel.logic.getParameterNode().doubt = True
    node = _run(test, panel)
    labels = read_labelmap(node, panel.logic.getParameterNode().inputVolume).labels
    test.assertGreater(int(labels.max()), 0)
    the_doubtful_places_of_a_result_are_looked_at(test, panel)


@contextlib.contextmanager
def _stand_ins(panel: Any) -> Iterator[str]:
    """Use a store with one model and a stand-in for the library; yields the model's identifier."""
    logic = panel.logic
    before = logic.store, logic.segment, logic.torch_ready, logic.jobs_folder
    make_completer = panel.correct.make_completer
    with tempfile.TemporaryDirectory(dir=slicer.app.temporaryPath) as folder:
        model = save_scenario_model(Path(folder))
        logic.store, logic.segment = ModelStore(Path(folder) / "none", Path(folder)), ThresholdSegment()
        logic.torch_ready, logic.jobs_folder = lambda: True, Path(folder) / "jobs"
        panel.correct.make_completer = BrightnessCompleter
        panel.models.reload()
        if panel.parameters is None:
            panel.enter()
        try:
            yield model
        finally:
            logic.cancel()
            panel.ui.completeCheckBox.checked = False
            panel.correct.make_completer = make_completer
            logic.store, logic.segment, logic.torch_ready, logic.jobs_folder = before
            panel.models.reload()
            panel.versions.reload()


def _choose(panel: Any, model: str) -> Any:
    volume = make_volume()
    parameters = panel.logic.getParameterNode()
    parameters.inputVolume, parameters.model = volume, model
    return volume


def _run(test: Any, panel: Any) -> Any:
    panel.ui.segmentButton.click()
    test.assertTrue(panel.run.running, panel.ui.statusLabel.text)
    wait_until(test, lambda: not panel.run.running, "the result", 300)
    node = panel.logic.getParameterNode().outputSegmentation
    test.assertIsNotNone(node, panel.ui.statusLabel.text)
    return node


def _segments(node: Any) -> list[Any]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]

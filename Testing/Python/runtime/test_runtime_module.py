"""A scripted module from loading to unloading, on the small sample module of the runtime."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import REPOSITORY

SAMPLE = REPOSITORY / "Testing" / "Runtime" / "Sample" / "RuntimeSample.py"


@pytest.fixture
def panel(slicer_runtime: Any) -> Any:
    slicer_runtime.load_module(SAMPLE)
    return slicer_runtime.open_module("RuntimeSample")


def _volume() -> Any:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    slicer.util.updateVolumeFromArray(node, np.arange(1000, dtype=np.int16).reshape(10, 10, 10))
    node.CreateDefaultDisplayNodes()
    return node


def test_a_loaded_module_is_registered_and_hears_that_slicer_has_started(slicer_runtime: Any) -> None:
    import slicer

    module = slicer_runtime.load_module(SAMPLE)
    assert module is slicer.modules.runtimesample and module.title == "Runtime sample"
    assert module.categories == ("Segmentation",) and slicer.util.modulePath("RuntimeSample") == str(SAMPLE)
    assert slicer.modules.RuntimeSampleInstance.started == 1
    assert "RuntimeSample" in slicer.util.moduleNames()
    assert not hasattr(slicer.modules, "RuntimeSampleWidget")
    with pytest.raises(AttributeError, match="no such module"):
        _ = slicer.modules.nosuchmodule


def test_the_panel_works_from_volume_to_result(slicer_runtime: Any, panel: Any) -> None:
    import slicer

    assert not panel.ui.applyButton.enabled and panel.ui.applyButton.toolTip == "Select a volume first"
    panel.ui.inputSelector.setCurrentNode(_volume())
    panel.ui.thresholdSlider.value = 500
    assert panel.ui.applyButton.enabled
    panel.ui.applyButton.click()
    assert panel.ui.segmentsTable.segmentCount == 1
    node = slicer.util.getNode("Result")
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, "above", slicer.util.getNode("Scan"))
    assert int(array.sum()) == 499


def test_an_error_is_shown_to_the_user_and_counts_as_swallowed(slicer_runtime: Any, panel: Any) -> None:
    panel.ui.inputSelector.setCurrentNode(_volume())
    panel.ui.thresholdSlider.value = 1000
    with slicer_runtime.errors.expected(ValueError):
        panel.ui.applyButton.click()
    assert slicer_runtime.dialogs.texts("error") == ["Failed to threshold.\n\nNo voxel is above 1000.0."]


def test_parameters_survive_saving_closing_and_loading_the_scene(
    slicer_runtime: Any,
    panel: Any,
    tmp_path: Path,
) -> None:
    import slicer

    panel.ui.inputSelector.setCurrentNode(_volume())
    panel.ui.thresholdSlider.value = 123.5
    panel.ui.repeatsBox.value = 5
    panel.ui.marginBox.value = 20
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer_runtime.close_scene()
    assert panel.ui.inputSelector.currentNode() is None and panel.ui.thresholdSlider.value == 50
    slicer.util.loadScene(path)
    slicer_runtime.process_events()
    panel.enter()
    assert panel.ui.inputSelector.currentNode().GetName() == "Scan"
    assert (panel.ui.thresholdSlider.value, panel.ui.repeatsBox.value, panel.ui.marginBox.value) == (123.5, 5, 20)


def test_selecting_another_module_leaves_the_panel_and_coming_back_enters_it(
    slicer_runtime: Any,
    panel: Any,
) -> None:
    import slicer

    assert slicer_runtime.selected_module == "RuntimeSample" and panel.parent.isEntered
    slicer.util.selectModule("SegmentEditor")
    assert slicer_runtime.selected_module == "SegmentEditor" and panel._parameterNode is None
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    assert editor.mrmlSegmentEditorNode() is not None
    assert slicer.modules.segmenteditor.widgetRepresentation().self().editor is editor
    assert slicer_runtime.open_module("RuntimeSample") is panel and panel._parameterNode is not None
    with slicer_runtime.errors.expected(AssertionError):
        slicer_runtime.errors.collect("here", AssertionError("kept apart"))
    with pytest.raises(ValueError, match="no module 'Nothing'"):
        slicer.util.selectModule("Nothing")


def test_reloading_makes_a_new_panel_and_cleans_up_the_old_one(slicer_runtime: Any, panel: Any) -> None:
    import slicer

    panel.onReload()
    again = slicer.modules.RuntimeSampleWidget
    assert again is not panel and panel.Observations == []
    again.ui.inputSelector.setCurrentNode(_volume())
    assert again.ui.applyButton.enabled


def test_observers_end_with_the_module(slicer_runtime: Any, panel: Any) -> None:
    slicer_runtime.reset()
    assert panel.Observations == []


def test_a_shortcut_works_only_inside_the_panel(slicer_runtime: Any, panel: Any) -> None:
    import qt

    assert panel.shortcut.key.toString() == "Ctrl+Return"
    assert panel.shortcut.context == qt.Qt.WidgetWithChildrenShortcut


def test_the_modules_own_self_test_runs(slicer_runtime: Any) -> None:
    import slicer

    slicer_runtime.load_module(SAMPLE)
    slicer.selfTests["RuntimeSample"]()
    assert slicer_runtime.dialogs.texts("delay") == ["The sample's self test runs"]


def test_the_panel_can_be_made_without_a_main_window(slicer_runtime: Any) -> None:
    slicer_runtime.reset(main_window=False)
    slicer_runtime.load_module(SAMPLE)
    panel = slicer_runtime.open_module("RuntimeSample")
    assert not panel.ui.applyButton.enabled


def test_an_error_in_setup_reaches_the_test(slicer_runtime: Any, tmp_path: Path) -> None:
    source = SAMPLE.read_text().replace("RuntimeSample", "BrokenSample").replace("UI/BrokenSample.ui", "UI/Missing.ui")
    path = tmp_path / "BrokenSample.py"
    path.write_text(source)
    slicer_runtime.load_module(path)
    with pytest.raises(RuntimeError, match="file not found"):
        slicer_runtime.open_module("BrokenSample")


def test_a_late_condition_is_waited_for_and_a_block_of_the_event_loop_is_measured(
    slicer_runtime: Any,
) -> None:
    import qt

    done: list[int] = []
    qt.QTimer.singleShot(20, lambda: done.append(1))
    slicer_runtime.wait_until(lambda: bool(done), 5)
    with pytest.raises(AssertionError, match="in vain for nothing"):
        slicer_runtime.wait_until(lambda: False, 0.02, "nothing")
    with slicer_runtime.longest_block() as longest:
        slicer_runtime.process_events(0.02)
        time.sleep(0.15)
    assert longest[0] >= 0.15


def test_a_scene_is_empty_again_for_the_next_test(slicer_runtime: Any) -> None:
    import slicer

    _volume()
    slicer_runtime.reset()
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    assert slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().GetScene() is slicer.mrmlScene
    slicer.util.setSliceViewerLayers(background=_volume(), fit=True)
    assert slicer.util.getNode("vtkMRMLSliceCompositeNodeRed").GetBackgroundVolumeID()


def test_the_main_window_is_active_again_after_a_window_of_its_own_was_closed(slicer_runtime: Any) -> None:
    import qt

    other = qt.QWidget()
    other.show()
    other.activateWindow()
    slicer_runtime.wait_until(lambda: qt.QApplication.activeWindow() is other, what="the other window's activation")
    other.hide()
    other.deleteLater()
    slicer_runtime.reset()
    assert type(qt.QApplication.activeWindow()).__name__ == "qSlicerAppMainWindow"

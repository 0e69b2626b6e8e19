"""The emulated ctk and qMRML widgets: only slots and properties, bound to the real scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from panel_keys import press


def _volume(name: str = "Scan", class_name: str = "vtkMRMLScalarVolumeNode") -> Any:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass(class_name, name)
    slicer.util.updateVolumeFromArray(node, np.zeros((4, 5, 6), dtype=np.int16))
    return node


def _segmentation(*names: str) -> Any:
    import slicer

    volume = _volume()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    mask = np.zeros((4, 5, 6), dtype=np.uint8)
    mask[1:3, 1:4, 1:5] = 1
    for name in names:
        segment_id = node.GetSegmentation().AddEmptySegment(name.lower(), name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment_id, volume)
    return node


def _selector(**properties: Any) -> Any:
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    for name, value in properties.items():
        setattr(selector, name, value)
    return selector


def test_methods_that_are_no_slots_in_cpp_cannot_be_called(slicer_runtime: Any) -> None:
    import ctk
    import slicer

    for widget, method in (
        (ctk.ctkCollapsibleButton(), "setCollapsed"),
        (ctk.ctkSliderWidget(), "setRange"),
        (ctk.ctkSliderWidget(), "setMinimum"),
        (slicer.qMRMLNodeComboBox(), "setNodeTypes"),
        (slicer.qMRMLNodeComboBox(), "setNoneEnabled"),
        (slicer.qMRMLNodeComboBox(), "sceneModel"),
    ):
        with pytest.raises(AttributeError, match=method):
            getattr(widget, method)


def test_a_widget_of_the_contract_keeps_its_properties_and_says_what_is_not_emulated(
    slicer_runtime: Any,
) -> None:
    import ctk

    box, seen = ctk.ctkRangeWidget(), []
    box.connect("minimumValueChanged(double)", seen.append)
    box.minimumValue = 3
    assert box.minimumValue == 3.0 and seen == [3.0]
    with pytest.raises(NotImplementedError, match=r"ctkRangeWidget\.setValues exists in Slicer"):
        box.setValues(1, 2)
    with pytest.raises(AttributeError, match="no attribute named 'minimumValues'"):
        _ = box.minimumValues


def test_a_class_that_slicer_does_not_have_is_refused(slicer_runtime: Any) -> None:
    import ctk
    import slicer

    with pytest.raises(AttributeError, match=r"the contract of Slicer 5\.13"):
        _ = ctk.ctkSlidingWidget
    with pytest.raises(AttributeError, match="qMRMLNodeBox"):
        _ = slicer.qMRMLNodeBox


def test_a_node_selector_is_disabled_until_it_has_a_scene(slicer_runtime: Any) -> None:
    import slicer

    selector = _selector()
    assert not selector.enabled
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.enabled
    with pytest.raises(TypeError, match="requires a VTK object"):
        selector.setMRMLScene("scene")


def test_a_node_selector_follows_the_scene(slicer_runtime: Any) -> None:
    import slicer

    selector, seen = _selector(noneEnabled=True), []
    selector.setMRMLScene(slicer.mrmlScene)
    selector.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    selector.connect("currentNodeChanged(bool)", seen.append)
    selector.connect("nodeAdded(vtkMRMLNode*)", lambda node: seen.append(node.GetName()))
    volume = _volume()
    assert selector.currentNode() is None and seen == ["Scan"]
    selector.setCurrentNode(volume)
    assert seen[1:] == [volume, True]
    assert selector.currentNodeID == volume.GetID()
    slicer.mrmlScene.RemoveNode(volume)
    assert selector.currentNode() is None and seen[3:] == [None, False]


def test_without_none_the_first_node_is_selected_also_after_closing_the_scene(slicer_runtime: Any) -> None:
    import slicer

    selector = _selector()
    selector.setMRMLScene(slicer.mrmlScene)
    first, second = _volume("first"), _volume("second")
    assert selector.currentNode() is first
    slicer.mrmlScene.RemoveNode(first)
    assert selector.currentNode() is second
    slicer_runtime.close_scene()
    assert selector.currentNode() is None and selector.nodeCount() == 0


def test_a_node_selector_filters_by_class_attribute_and_hidden_flag(slicer_runtime: Any) -> None:
    import slicer

    selector = _selector()
    selector.setMRMLScene(slicer.mrmlScene)
    plain, labelmap, hidden = _volume("plain"), _volume("labels", "vtkMRMLLabelMapVolumeNode"), _volume("hidden")
    hidden.SetHideFromEditors(True)
    selector.showChildNodeTypes = False
    assert [selector.nodeFromIndex(i) for i in range(selector.nodeCount())] == [plain]
    selector.showChildNodeTypes = True
    assert selector.nodeCount() == 2
    selector.hideChildNodeTypes = ["vtkMRMLLabelMapVolumeNode"]
    assert selector.nodeCount() == 1
    selector.showHidden = True
    assert selector.nodeCount() == 2
    selector.addAttribute("vtkMRMLScalarVolumeNode", "Kind", "Prior")
    assert selector.nodeCount() == 0
    plain.SetAttribute("Kind", "Prior")
    labelmap.SetAttribute("Kind", "Prior")
    selector.removeAttribute("vtkMRMLScalarVolumeNode", "Nothing")
    assert selector.nodeCount() == 1


def test_a_node_selector_adds_renames_and_removes(slicer_runtime: Any) -> None:
    import slicer

    selector = _selector(baseName="New")
    selector.setMRMLScene(slicer.mrmlScene)
    node = selector.addNode()
    assert selector.currentNode() is node and node.GetName() == "New"
    slicer_runtime.dialogs.answer("Renamed")
    selector.renameCurrentNode()
    assert node.GetName() == "Renamed"
    selector.removeCurrentNode()
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []


def test_the_segments_table_shows_the_real_segments(slicer_runtime: Any) -> None:
    import slicer

    node, table, selections = _segmentation("Liver", "Kidney"), slicer.qMRMLSegmentsTableView(), []
    table.connect("selectionChanged(QItemSelection,QItemSelection)", lambda: selections.append(1))
    table.setMRMLScene(slicer.mrmlScene)
    table.setSegmentationNode(node)
    assert table.segmentCount == 2 and table.displayedSegmentIDs() == ("liver", "kidney")
    table.setSelectedSegmentIDs(["kidney"])
    assert table.selectedSegmentIDs() == ("kidney",) and selections
    node.GetSegmentation().RemoveSegment("liver")
    assert table.segmentCount == 1 and table.segmentIDForRow(0) == "kidney"
    table.tableWidget().item(0, 0).setCheckState(0)
    assert not node.GetDisplayNode().GetSegmentVisibility("kidney")
    with pytest.raises(TypeError):
        table.setSegmentationNode(_volume())


def test_the_show_3d_button_makes_and_removes_surfaces(slicer_runtime: Any) -> None:
    import slicer

    node, button = _segmentation("Liver"), slicer.qMRMLSegmentationShow3DButton()
    assert not button.enabled
    button.setSegmentationNode(node)
    assert button.enabled and not button.checked
    button.click()
    assert node.GetSegmentation().ContainsRepresentation("Closed surface") and button.checked
    button.click()
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")
    button.locked = True
    assert not button.enabled


def test_the_segment_editor_keeps_its_selection_in_the_real_editor_node(slicer_runtime: Any) -> None:
    import slicer

    editor, node = slicer.qMRMLSegmentEditorWidget(), _segmentation("Liver")
    with pytest.raises(ValueError, match="setMRMLSegmentEditorNode"):
        editor.setSegmentationNode(node)
    editor_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.setMRMLSegmentEditorNode(editor_node)
    editor.setSegmentationNode(node)
    editor.setSourceVolumeNode(slicer.util.getNode("Scan"))
    editor.setCurrentSegmentID("liver")
    editor.setActiveEffectByName("Paint")
    assert editor_node.GetSegmentationNode() is node and editor.sourceVolumeNode().GetName() == "Scan"
    assert editor.currentSegmentID() == "liver" and editor_node.GetActiveEffectName() == "Paint"


def test_undo_and_redo_of_the_segment_editor_are_slicers_own(slicer_runtime: Any) -> None:
    import slicer

    editor, node = slicer.qMRMLSegmentEditorWidget(), _segmentation("Liver")
    editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    editor.setSegmentationNode(node)
    editor.saveStateForUndo()
    node.GetSegmentation().AddEmptySegment("added")
    editor.undo()
    assert "added" not in node.GetSegmentation().GetSegmentIDs()
    editor.redo()
    assert "added" in node.GetSegmentation().GetSegmentIDs()


def test_table_and_plot_views_show_real_nodes(slicer_runtime: Any) -> None:
    import slicer

    table_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Dice")
    slicer.util.updateTableFromArray(table_node, np.array([[0.0, 0.5], [1.0, 0.9]]), ["epoch", "dice"])
    view = slicer.qMRMLTableView()
    view.setMRMLTableNode(table_node)
    assert view.mrmlTableNode() is table_node and view.model().rowCount() == 2
    assert view.model().index(1, 1).data() == "0.9"
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "curve")
    series.SetAndObserveTableNodeID(table_node.GetID())
    series.SetXColumnName("epoch")
    series.SetYColumnName("dice")
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    plot_view_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    plot_view_node.SetPlotChartNodeID(chart.GetID())
    plot = slicer.qMRMLPlotWidget()
    plot.setMRMLPlotViewNode(plot_view_node)
    assert plot.plotView()._checked().series() == [], "no scene yet"
    plot.setMRMLScene(slicer.mrmlScene)
    assert plot.plotView()._checked().series()[0][2] == [(0.0, 0.5), (1.0, 0.9)]


def test_an_automatic_axis_of_a_plot_keeps_the_range_of_its_first_points_until_it_is_fitted(
    slicer_runtime: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import slicer

    table, scene = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Loss"), slicer.mrmlScene
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "curve")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("step")
    series.SetYColumnName("loss")
    chart, node = scene.AddNewNodeByClass("vtkMRMLPlotChartNode"), scene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    node.SetPlotChartNodeID(chart.GetID())
    view = slicer.qMRMLPlotView()
    view.setMRMLScene(scene)
    view.setMRMLPlotViewNode(node)
    slicer.util.updateTableFromArray(table, np.array([[1.0, 0.5]]), ["step", "loss"])
    view.grab()
    assert "Attempted to paint a line with <2 points." in caplog.text
    for name, value in (("step", 9.0), ("loss", 0.1)):
        table.GetTable().GetColumnByName(name).InsertNextValue(value)
    table.Modified()
    assert view._checked().series()[0][2] == [(1.0, 0.5), (9.0, 0.1)]
    assert view._checked().axis_ranges()[0] == (0.94, 1.06)
    view.fitToContent()
    assert view._checked().axis_ranges() == ((1.0, 9.0), (0.1, 0.5))
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(0, 20)
    assert view._checked().axis_ranges()[0] == (0.0, 20.0)


def test_a_node_selector_tells_of_every_new_node_also_by_its_old_signal(slicer_runtime: Any) -> None:
    import slicer

    selector, seen = _selector(noneEnabled=True), []
    selector.setMRMLScene(slicer.mrmlScene)
    selector.connect("nodeAddedByUser(vtkMRMLNode*)", lambda node: seen.append(node.GetName()))
    slicer.util.addVolumeFromArray(np.zeros((2, 2, 2)), name="New")
    assert seen == ["New"]


def test_a_table_view_with_a_scene_but_no_view_node_forgets_its_table_after_a_batch(
    slicer_runtime: Any,
) -> None:
    import slicer

    scene = slicer.mrmlScene
    table_node = scene.AddNewNodeByClass("vtkMRMLTableNode", "Dice")
    with_scene, without = slicer.qMRMLTableView(), slicer.qMRMLTableView()
    with_scene.setMRMLScene(scene)
    for view in (with_scene, without):
        view.setMRMLTableNode(table_node)
    scene.StartState(scene.BatchProcessState)
    scene.EndState(scene.BatchProcessState)
    assert (with_scene.mrmlTableNode(), without.mrmlTableNode()) == (None, table_node)


def test_the_application_takes_flags_for_what_to_process(slicer_runtime: Any) -> None:
    import qt
    import slicer

    seen: list[str] = []
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.connect("timeout()", lambda: seen.append("timer"))
    timer.start(0)
    slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)
    assert seen == ["timer"]


def test_after_a_key_is_typed_no_modifier_is_held(slicer_runtime: Any) -> None:
    """A modifier that stays held changes what later tests of the same process select."""
    from PySide6 import QtGui, QtWidgets

    line = QtWidgets.QLineEdit()
    line.show()
    for key in ("Shift+F3", "Ctrl+F3", "F3"):
        press(line, key)
        assert not QtGui.QGuiApplication.keyboardModifiers()

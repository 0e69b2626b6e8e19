"""qMRMLSegmentsTableView, qMRMLSegmentationShow3DButton, qMRMLSegmentEditorWidget over real segmentation nodes."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from ..pythonqt.loader import register_widget_class
from ..pythonqt.signals import guarded
from .ctk_buttons import MenuButton
from .emulated import NodeObserver, invokable, stored
from .mrml_base import MRMLWidget, require

_UNDO_STATES = 10
"""As the Segment Editor module sets it."""

_COLUMNS = ("", "Color", "Opacity", "Name", "Status", "Layer")


@register_widget_class
class SegmentsTableView(MRMLWidget):
    """The segments of a segmentation with visibility, colour, opacity, name; follows the node's events."""

    pythonqt_name = "qMRMLSegmentsTableView"
    emulated_signals = (
        "selectionChanged(QItemSelection,QItemSelection)",
        "segmentAboutToBeModified(QString)",
    )

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._ids: list[str] = []
        self._values: dict[str, Any] = {
            "selectionMode": 3, "headerVisible": True, "visibilityColumnVisible": True, "colorColumnVisible": True,
            "opacityColumnVisible": True, "statusColumnVisible": False, "layerColumnVisible": False, "readOnly": False,
            "filterBarVisible": False, "textFilter": "", "jumpToSelectedSegmentEnabled": False,
        }  # fmt: skip
        self._table = QtWidgets.QTableWidget(0, len(_COLUMNS), self)
        self._table.setHorizontalHeaderLabels(_COLUMNS)
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectRows)
        self._table.horizontalHeader().setSectionResizeMode(3, QtWidgets.QHeaderView.Stretch)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        self._table.itemChanged.connect(self._on_item_changed)
        self._table.selectionModel().selectionChanged.connect(
            lambda new, old: self.emit_signal("selectionChanged(QItemSelection,QItemSelection)", new, old)
        )

    selectionMode = stored(int, "selectionMode")
    headerVisible = stored(bool, "headerVisible")
    visibilityColumnVisible = stored(bool, "visibilityColumnVisible")
    colorColumnVisible = stored(bool, "colorColumnVisible")
    opacityColumnVisible = stored(bool, "opacityColumnVisible")
    statusColumnVisible = stored(bool, "statusColumnVisible")
    layerColumnVisible = stored(bool, "layerColumnVisible")
    readOnly = stored(bool, "readOnly")
    filterBarVisible = stored(bool, "filterBarVisible")
    textFilter = stored(str, "textFilter")
    jumpToSelectedSegmentEnabled = stored(bool, "jumpToSelectedSegmentEnabled")
    segmentCount = QtCore.Property(int, lambda self: len(self._ids))

    @invokable("setSegmentationNode(vtkMRMLNode*)")
    def setSegmentationNode(self, node: Any) -> None:
        require(node, "vtkMRMLSegmentationNode")
        self._node = node
        self._observer.stop()
        if node is not None:
            segmentation = node.GetSegmentation()
            events = (segmentation.SegmentAdded, segmentation.SegmentRemoved, segmentation.SegmentModified)
            self._observer.add(segmentation, events, guarded(lambda: self._refresh(), "qMRMLSegmentsTableView"))
        self._refresh()

    @invokable()
    def segmentationNode(self) -> Any:
        return self._node

    def _refresh(self) -> None:
        blocked = self._table.blockSignals(True)
        segmentation = self._node.GetSegmentation() if self._node is not None else None
        self._ids = list(segmentation.GetSegmentIDs()) if segmentation is not None else []
        self._table.setRowCount(len(self._ids))
        for row, segment_id in enumerate(self._ids):
            segment = segmentation.GetSegment(segment_id)
            display = self._node.GetDisplayNode()
            visible = display is None or display.GetSegmentVisibility(segment_id)
            opacity = 1.0 if display is None else display.GetSegmentOpacity3D(segment_id)
            for column, text in enumerate(("", "", f"{opacity:.2f}", segment.GetName() or "", "", "")):
                self._table.setItem(row, column, QtWidgets.QTableWidgetItem(text))
            self._table.item(row, 0).setCheckState(QtCore.Qt.Checked if visible else QtCore.Qt.Unchecked)
            self._table.item(row, 1).setBackground(QtGui.QColor.fromRgbF(*segment.GetColor()))
        for column, name in ((0, "visibility"), (1, "color"), (2, "opacity"), (4, "status"), (5, "layer")):
            self._table.setColumnHidden(column, not self._values[f"{name}ColumnVisible"])
        self._table.horizontalHeader().setVisible(self._values["headerVisible"])
        self._table.resizeColumnToContents(0)
        self._table.blockSignals(blocked)

    def _on_item_changed(self, item: Any) -> None:
        if self._node is None or self._values["readOnly"]:
            return
        segment_id = self._ids[item.row()]
        if item.column() == 0 and self._node.GetDisplayNode() is not None:
            self._node.GetDisplayNode().SetSegmentVisibility(segment_id, item.checkState() == QtCore.Qt.Checked)
        elif item.column() == 3:
            self.emit_signal("segmentAboutToBeModified(QString)", segment_id)
            self._node.GetSegmentation().GetSegment(segment_id).SetName(item.text())

    @invokable()
    def selectedSegmentIDs(self) -> list[str]:
        rows = sorted({index.row() for index in self._table.selectionModel().selectedRows()})
        return [self._ids[row] for row in rows]

    @invokable()
    def setSelectedSegmentIDs(self, segment_ids: list[str]) -> None:
        self._table.clearSelection()
        model, flags = self._table.selectionModel(), QtCore.QItemSelectionModel
        for segment_id in segment_ids:
            if segment_id in self._ids:
                index = self._table.model().index(self._ids.index(segment_id), 0)
                model.select(index, flags.Select | flags.Rows)

    @invokable()
    def clearSelection(self) -> None:
        self._table.clearSelection()

    @invokable()
    def displayedSegmentIDs(self) -> list[str]:
        return list(self._ids)

    @invokable()
    def rowForSegmentID(self, segment_id: str) -> int:
        return self._ids.index(segment_id) if segment_id in self._ids else -1

    @invokable()
    def segmentIDForRow(self, row: int) -> str:
        return self._ids[row] if 0 <= row < len(self._ids) else ""

    @invokable()
    def tableWidget(self) -> Any:
        return self._table


@register_widget_class
class SegmentationShow3DButton(MenuButton):
    """Creates the closed surfaces when pressed, removes them when released."""

    pythonqt_name = "qMRMLSegmentationShow3DButton"
    emulated_signals = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__("Show 3D", parent)
        self._node: Any = None
        self._locked = False
        self._observer = NodeObserver()
        self.setCheckable(True)
        self.setEnabled(False)
        self.toggled.connect(self._on_toggled)
        self.destroyed.connect(self._observer.stop)

    def _set_locked(self, locked: bool) -> None:
        self._locked = locked
        self._update()

    locked = QtCore.Property(bool, lambda self: self._locked, _set_locked)

    @invokable("setSegmentationNode(vtkMRMLSegmentationNode*)")
    def setSegmentationNode(self, node: Any) -> None:
        require(node, "vtkMRMLSegmentationNode")
        self._node = node
        self._observer.stop()
        if node is not None:
            segmentation, update = node.GetSegmentation(), guarded(lambda: self._update(), "Show3DButton")
            self._observer.add(segmentation, (segmentation.ContainedRepresentationNamesModified,), update)
            self._observer.add(segmentation, (segmentation.SegmentAdded, segmentation.SegmentRemoved), update)
        self._update()

    @invokable()
    def segmentationNode(self) -> Any:
        return self._node

    def _has_surface(self) -> bool:
        return self._node is not None and bool(self._node.GetSegmentation().ContainsRepresentation("Closed surface"))

    def _update(self) -> None:
        segments = self._node.GetSegmentation().GetNumberOfSegments() if self._node is not None else 0
        self.setEnabled(segments > 0 and not self._locked)
        blocked = self.blockSignals(True)
        self.setChecked(self._has_surface())
        self.blockSignals(blocked)

    def _on_toggled(self, checked: bool) -> None:
        if self._node is None:
            return
        if checked:
            self._node.CreateClosedSurfaceRepresentation()
            if self._node.GetDisplayNode() is not None:
                self._node.GetDisplayNode().SetVisibility3D(True)
        else:
            self._node.RemoveClosedSurfaceRepresentation()


@register_widget_class
class SegmentEditorWidget(MRMLWidget):
    """Which segmentation, volume, segment and effect are selected, kept in the real editor node; draws nothing.

    Undo and Redo are those of Slicer's own logic, which a test may use for the writes of effects as well.
    """

    pythonqt_name = "qMRMLSegmentEditorWidget"
    emulated_signals = (
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)",
        "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)",
        "currentSegmentIDChanged(QString)",
    )

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._editor_node: Any = None
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.logic.SetMaximumNumberOfUndoStates(_UNDO_STATES)

    def _required_editor_node(self) -> Any:
        if self._editor_node is None:
            raise ValueError("The segment editor widget has no parameter node; call setMRMLSegmentEditorNode first.")
        return self._editor_node

    @invokable("setMRMLSegmentEditorNode(vtkMRMLSegmentEditorNode*)")
    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        require(node, "vtkMRMLSegmentEditorNode")
        self._editor_node = node
        self.logic.SetSegmentEditorNode(node)

    @invokable()
    def mrmlSegmentEditorNode(self) -> Any:
        return self._editor_node

    @invokable("setSegmentationNode(vtkMRMLNode*)")
    def setSegmentationNode(self, node: Any) -> None:
        require(node, "vtkMRMLSegmentationNode")
        self._required_editor_node().SetAndObserveSegmentationNode(node)
        self.emit_signal("segmentationNodeChanged(vtkMRMLSegmentationNode*)", node)

    @invokable()
    def segmentationNode(self) -> Any:
        return self._editor_node.GetSegmentationNode() if self._editor_node is not None else None

    @invokable("setSourceVolumeNode(vtkMRMLNode*)")
    def setSourceVolumeNode(self, node: Any) -> None:
        require(node, "vtkMRMLScalarVolumeNode")
        self._required_editor_node().SetAndObserveSourceVolumeNode(node)
        self.emit_signal("sourceVolumeNodeChanged(vtkMRMLVolumeNode*)", node)

    @invokable()
    def sourceVolumeNode(self) -> Any:
        return self._editor_node.GetSourceVolumeNode() if self._editor_node is not None else None

    @invokable("setCurrentSegmentID(QString)")
    def setCurrentSegmentID(self, segment_id: str) -> None:
        self._required_editor_node().SetSelectedSegmentID(segment_id)
        self.emit_signal("currentSegmentIDChanged(QString)", segment_id)

    @invokable()
    def currentSegmentID(self) -> str:
        return (self._editor_node.GetSelectedSegmentID() or "") if self._editor_node is not None else ""

    @invokable("setActiveEffectByName(QString)")
    def setActiveEffectByName(self, name: str) -> None:
        self._required_editor_node().SetActiveEffectName(name)

    @invokable()
    def saveStateForUndo(self) -> None:
        self.logic.SaveStateForUndo()

    @invokable()
    def undo(self) -> None:
        self.logic.Undo()

    @invokable()
    def redo(self) -> None:
        self.logic.Redo()

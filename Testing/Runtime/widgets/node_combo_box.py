"""qMRMLNodeComboBox over the real scene."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from ..pythonqt.dialogs import Shown, dialogs
from ..pythonqt.loader import register_widget_class
from ..pythonqt.signals import guarded
from .emulated import Emulated, NodeObserver, invokable
from .mrml_base import require

_BOOLEANS = {
    "showHidden": False, "showChildNodeTypes": True, "noneEnabled": False, "addEnabled": True, "removeEnabled": True,
    "editEnabled": False, "renameEnabled": False, "selectNodeUponCreation": True,
}  # fmt: skip


def _filter_property(kind: Any, name: str) -> Any:
    """A property whose change rebuilds the list of nodes."""

    def write(self: Any, value: Any) -> None:
        self._values[name] = list(value) if kind == "QStringList" else value
        self._refresh()

    return QtCore.Property(kind, lambda self: self._values[name], write)


@register_widget_class
class NodeComboBox(Emulated, QtWidgets.QWidget):
    """Lists the scene's nodes of some classes; disabled until it has a scene; `None` is a choice if `noneEnabled`."""

    pythonqt_name = "qMRMLNodeComboBox"
    emulated_signals = (
        "currentNodeChanged(vtkMRMLNode*)", "currentNodeChanged(bool)", "currentNodeIDChanged(QString)",
        "nodeActivated(vtkMRMLNode*)", "nodeAdded(vtkMRMLNode*)", "nodeAddedByUser(vtkMRMLNode*)",
        "nodeAddedByUserAction(vtkMRMLNode*)", "nodeAboutToBeRemoved(vtkMRMLNode*)",
        "nodeAboutToBeEdited(vtkMRMLNode*)", "currentNodeRenamed(QString)",
    )  # fmt: skip

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Any] = {
            **_BOOLEANS, "nodeTypes": [], "hideChildNodeTypes": [], "baseName": "", "noneDisplay": "None",
        }  # fmt: skip
        self._attributes: dict[tuple[str, str], Any] = {}
        self._scene: Any = None
        self._nodes: list[Any] = []
        self._current: Any = None
        self._observer, self._name_observer = NodeObserver(), NodeObserver()
        self._combo_box = QtWidgets.QComboBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo_box)
        self._combo_box.activated.connect(self._on_activated)
        self.destroyed.connect(self._observer.stop)
        self.destroyed.connect(self._name_observer.stop)
        self.setEnabled(False)

    nodeTypes = _filter_property("QStringList", "nodeTypes")
    hideChildNodeTypes = _filter_property("QStringList", "hideChildNodeTypes")
    showHidden = _filter_property(bool, "showHidden")
    showChildNodeTypes = _filter_property(bool, "showChildNodeTypes")
    noneEnabled = _filter_property(bool, "noneEnabled")
    addEnabled = _filter_property(bool, "addEnabled")
    removeEnabled = _filter_property(bool, "removeEnabled")
    editEnabled = _filter_property(bool, "editEnabled")
    renameEnabled = _filter_property(bool, "renameEnabled")
    selectNodeUponCreation = _filter_property(bool, "selectNodeUponCreation")
    baseName = _filter_property(str, "baseName")
    noneDisplay = _filter_property(str, "noneDisplay")

    @invokable("setMRMLScene(vtkMRMLScene*)")
    def setMRMLScene(self, scene: Any) -> None:
        require(scene, "vtkMRMLScene")
        if scene is self._scene:
            return
        self._scene = scene
        self.setEnabled(scene is not None)
        self._observer.stop()
        if scene is not None:
            refresh = guarded(lambda: self._refresh(), "qMRMLNodeComboBox")
            self._observer.observe(
                scene, (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent), refresh
            )
        self._refresh()

    @invokable()
    def mrmlScene(self) -> Any:
        return self._scene

    @invokable()
    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:
        self._attributes[node_type, name] = value
        self._refresh()

    @invokable()
    def removeAttribute(self, node_type: str, name: str) -> None:
        self._attributes.pop((node_type, name), None)
        self._refresh()

    def _accepts(self, node: Any) -> bool:
        kinds, hidden = self._values["nodeTypes"], self._values["hideChildNodeTypes"]
        if node.GetHideFromEditors() and not self._values["showHidden"]:
            return False
        exact = not self._values["showChildNodeTypes"]
        if not any(node.GetClassName() == kind if exact else node.IsA(kind) for kind in kinds):
            return False
        if any(node.IsA(kind) and kind not in kinds for kind in hidden):
            return False
        for (kind, name), value in self._attributes.items():
            found = node.GetAttribute(name)
            if node.IsA(kind) and (found is None or (value is not None and found != value)):
                return False
        return True

    def _candidates(self) -> list[Any]:
        """The scene's nodes, or those of the class where only one is listed: few of a scene's hundred nodes."""
        scene, kinds = self._scene, self._values["nodeTypes"]
        if scene is None or not kinds:
            return []
        if len(kinds) == 1:
            return [scene.GetNthNodeByClass(i, kinds[0]) for i in range(scene.GetNumberOfNodesByClass(kinds[0]))]
        return [scene.GetNthNode(i) for i in range(scene.GetNumberOfNodes())]

    def _refresh(self) -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        nodes = [node for node in self._candidates() if self._accepts(node)]
        added = [node for node in nodes if node not in self._nodes]
        self._nodes = nodes
        rename = guarded(lambda: self._show(), "qMRMLNodeComboBox")
        self._name_observer.stop()
        for node in nodes:
            self._name_observer.add(node, ("ModifiedEvent",), rename)
        wanted = self._current if self._current in nodes else None
        if wanted is None and nodes and not self._values["noneEnabled"]:
            wanted = nodes[0]
        self._select(wanted)
        for node in added:
            self.emit_signal("nodeAdded(vtkMRMLNode*)", node)
            # Deprecated in Slicer, because it comes whoever adds the node.
            self.emit_signal("nodeAddedByUser(vtkMRMLNode*)", node)

    def _show(self) -> None:
        blocked = self._combo_box.blockSignals(True)
        self._combo_box.clear()
        if self._values["noneEnabled"]:
            self._combo_box.addItem(self._values["noneDisplay"], None)
        for node in self._nodes:
            self._combo_box.addItem(node.GetName() or "", node.GetID())
        if self._values["addEnabled"] and self._scene is not None:
            for kind in self._values["nodeTypes"]:
                self._combo_box.addItem(f"Create new {kind.removeprefix('vtkMRML').removesuffix('Node')}", f"+{kind}")
        current = self._current.GetID() if self._current is not None else None
        self._combo_box.setCurrentIndex(self._combo_box.findData(current) if current else self._none_index())
        self._combo_box.blockSignals(blocked)

    def _none_index(self) -> int:
        return 0 if self._values["noneEnabled"] else -1

    def _select(self, node: Any) -> None:
        changed = node is not self._current
        self._current = node
        self._show()
        if changed:
            self.emit_signal("currentNodeChanged(vtkMRMLNode*)", node)
            self.emit_signal("currentNodeChanged(bool)", node is not None)
            self.emit_signal("currentNodeIDChanged(QString)", self.currentNodeID)

    def _on_activated(self, index: int) -> None:
        data = self._combo_box.itemData(index)
        if isinstance(data, str) and data.startswith("+"):
            node = self.addNode(data[1:])
            self.emit_signal("nodeAddedByUserAction(vtkMRMLNode*)", node)
            return
        node = self._scene.GetNodeByID(data) if data else None
        self._select(node)
        self.emit_signal("nodeActivated(vtkMRMLNode*)", node)

    @invokable()
    def currentNode(self) -> Any:
        return self._current

    @invokable("setCurrentNode(vtkMRMLNode*)", "setCurrentNode(QString)")
    def setCurrentNode(self, node: Any) -> None:
        """A node that is not in the list selects none, as the real widget does."""
        require(node, "vtkMRMLNode")
        self._select(node if node in self._nodes else None)

    @invokable("setCurrentNodeID(QString)")
    def setCurrentNodeID(self, node_id: str) -> None:
        self.setCurrentNode(self._scene.GetNodeByID(node_id) if self._scene is not None and node_id else None)

    @invokable("setCurrentNodeIndex(int)")
    def setCurrentNodeIndex(self, index: int) -> None:
        self._select(self._nodes[index] if 0 <= index < len(self._nodes) else None)

    currentNodeID = QtCore.Property(
        str, lambda self: self._current.GetID() if self._current is not None else "", setCurrentNodeID
    )

    @invokable()
    def nodeCount(self) -> int:
        return len(self._nodes)

    @invokable()
    def nodeFromIndex(self, index: int) -> Any:
        return self._nodes[index] if 0 <= index < len(self._nodes) else None

    @invokable("addNode()", "addNode(QString)")
    def addNode(self, node_type: str | None = None) -> Any:
        kind = node_type or self._values["nodeTypes"][0]
        if kind not in self._values["nodeTypes"]:
            return None
        node = self._scene.AddNewNodeByClass(kind, self._values["baseName"] or "")
        for (node_kind, name), value in self._attributes.items():
            if node.IsA(node_kind):
                node.SetAttribute(name, value or "")
        self._refresh()
        if self._values["selectNodeUponCreation"]:
            self._select(node)
        return node

    @invokable("removeCurrentNode()")
    def removeCurrentNode(self) -> None:
        if self._current is not None:
            self.emit_signal("nodeAboutToBeRemoved(vtkMRMLNode*)", self._current)
            self._scene.RemoveNode(self._current)

    @invokable("renameCurrentNode()")
    def renameCurrentNode(self) -> None:
        if self._current is not None:
            name = dialogs.ask(Shown("input", "Rename", self._current.GetName()), None)
            self._current.SetName(str(name))
            self.emit_signal("currentNodeRenamed(QString)", str(name))

"""The result: segments, 3D, numbers, and the way to the Segment Editor."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.gui.surfaces import SurfacesButton
from LightMedSegLib.mrml.job import Outcome
from LightMedSegLib.mrml.statistics import fill_statistics_table, write_table

_MEASURED = "LightMedSeg.Measured"
"""The node reference of a statistics table."""


class ResultSection:
    """panel has ui, logic and parameters (None while the panel is not in use)."""

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self._shown: tuple[Any, Any] = (None, None)
        ui = panel.ui
        self.surfaces = SurfacesButton(ui.show3DButton)
        ui.statisticsButton.connect("clicked()", self.measure)
        ui.editButton.connect("clicked()", self.edit)
        ui.overwriteCheckBox.connect("toggled(bool)", panel.update)

    def take(self, outcome: Outcome) -> None:
        """A run has delivered: choose its segmentation, and write its numbers into the table."""
        # The panel may not be in use, but the scene still has its parameters.
        parameters = self._panel.parameters or self._panel.logic.getParameterNode()
        parameters.outputSegmentation = outcome.node
        if not outcome.preview:
            write_table(_table(parameters, outcome.node), outcome.statistics)

    def show(self) -> None:
        """Bring the widgets in line with the chosen segmentation."""
        ui, parameters = self._panel.ui, self._panel.parameters
        node, table = parameters.outputSegmentation, parameters.statisticsTable
        self._show_nodes(node, table)
        filled = node is not None and node.GetSegmentation().GetNumberOfSegments() > 0
        ui.editButton.enabled = node is not None
        ui.overwriteCheckBox.enabled = filled
        ui.statisticsButton.enabled = filled and self.volume() is not None
        ui.statisticsTable.visible = table is not None

    def forget(self) -> None:
        """The scene is being closed: let go of its nodes."""
        self._show_nodes(None, None)
        self.surfaces.drop()

    def close(self) -> None:
        """The panel is thrown away."""
        self.surfaces.close()

    def measure(self) -> None:
        """Fill the table from the segments as they are now."""
        parameters = self._panel.parameters
        node, volume = parameters.outputSegmentation, self.volume()
        if node is None or volume is None:
            return
        with slicer.util.tryWithErrorDisplay(_("The segments could not be measured."), waitCursor=True):
            fill_statistics_table(_table(parameters, node), node, volume)
        self._panel.update()

    def edit(self) -> None:
        """Open the Segment Editor with the segmentation and its volume."""
        node, volume = self._panel.parameters.outputSegmentation, self.volume()
        if node is None:
            return
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.util.getModuleWidget("SegmentEditor").editor
        editor.setSegmentationNode(node)
        if volume is not None:
            editor.setSourceVolumeNode(volume)
        if node.GetSegmentation().GetNumberOfSegments():
            editor.setCurrentSegmentID(node.GetSegmentation().GetNthSegmentID(0))

    def _show_nodes(self, node: Any, table: Any) -> None:
        # Setting the same node again would lose the user's selection in the tables.
        if self._shown[0] is not node:
            self._panel.ui.segmentsTable.setSegmentationNode(node)
            self.surfaces.follow(node)
        if self._shown[1] is not table:
            self._panel.ui.statisticsTable.setMRMLTableNode(table)
        self._shown = (node, table)

    def volume(self) -> Any:
        """The volume that the segmentation was made from, else the chosen one."""
        parameters = self._panel.parameters
        node = parameters.outputSegmentation
        made_from = None
        if node is not None:
            made_from = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
        return made_from if made_from is not None else parameters.inputVolume


def _table(parameters: Any, segmentation_node: Any) -> Any:
    """The table of this segmentation, made if there is none; it becomes the one that is shown."""
    tables = slicer.util.getNodesByClass("vtkMRMLTableNode")
    own = [table for table in tables if table.GetNodeReferenceID(_MEASURED) == segmentation_node.GetID()]
    if own:
        parameters.statisticsTable = own[0]
        return own[0]
    name = _("{segmentation} statistics").format(segmentation=segmentation_node.GetName())
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", slicer.mrmlScene.GenerateUniqueName(name))
    table.SetNodeReferenceID(_MEASURED, segmentation_node.GetID())
    parameters.statisticsTable = table
    return table

"""The result: segments, surfaces, statistics, warnings, and the button to the Segment Editor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.gui.parameters import LightMedSegParameterNode
from LightMedSegLib.gui.segment.segments_table import SegmentsTable
from LightMedSegLib.gui.segment.surfaces import SurfacesButton
from LightMedSegLib.gui.widgets.warning_looks import as_list, show_warning_icon
from LightMedSegLib.mrml.jobs.segment_job import Outcome
from LightMedSegLib.mrml.segmentations.result_record import PREFIX, is_unedited
from LightMedSegLib.mrml.segmentations.shared_labelmap import layers
from LightMedSegLib.mrml.statistics import fill_statistics_table, write_table

_MEASURED = "LightMedSeg.Measured"
"""The node reference of a statistics table."""
_CORRECTED = "LightMedSeg.Corrected"
"""The attribute of a statistics table that was made after a correction."""
_WARNINGS = PREFIX + "Warnings"


class ResultSection:
    """Shows the chosen segmentation, its numbers and its warnings."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._measured: dict[str, list[int]] = {}
        ui = panel.ui
        self.segments = SegmentsTable(ui.segmentsTable, self._show_visibility)
        self.surfaces = SurfacesButton(ui.show3DButton)
        self._followed: Any = None
        show_warning_icon(ui.notesIconLabel)
        ui.showAllButton.connect("clicked()", self.show_or_hide_all)
        ui.statisticsButton.connect("clicked()", self.measure)
        ui.editButton.connect("clicked()", self.edit)
        ui.overwriteCheckBox.connect("toggled(bool)", panel.update)

    def take(self, outcome: Outcome, warnings: Sequence[str] = ()) -> None:
        """Choose the segmentation of a run, store its warnings, and write its statistics into the table."""
        # The panel may not be in use, but the scene still has its parameters.
        parameters = self._panel.state.parameters or self._panel.logic.getParameterNode()
        outcome.node.SetAttribute(_WARNINGS, "\n".join(dict.fromkeys([*warnings, *outcome.notes])) or None)
        if not outcome.preview:
            table = _table(parameters, outcome.node)
            table.RemoveAttribute(_CORRECTED)
            write_table(table, outcome.statistics, outcome.expected_dice)
        parameters.outputSegmentation = outcome.node

    def show(self) -> None:
        """Update the widgets for the chosen segmentation."""
        ui, parameters = self._panel.ui, self._panel.state.current
        node = parameters.outputSegmentation
        filled = node is not None and node.GetSegmentation().GetNumberOfSegments() > 0
        table = _table_of(node) if filled else None
        self._follow(node if filled else None, table)
        ui.resultWidget.visible = filled
        ui.editButton.enabled = filled
        ui.statisticsButton.enabled = filled and self.volume() is not None
        self._show_visibility()
        ui.staleLabel.text = self._stale_text(node, table) if filled else ""
        ui.staleWidget.visible = bool(ui.staleLabel.text)

    def show_notes(self, above: Sequence[str]) -> None:
        """Show the warnings of the run that made this result, except those in above, which are shown already."""
        ui, node = self._panel.ui, self._panel.state.current.outputSegmentation
        kept = (node.GetAttribute(_WARNINGS) or "") if node is not None else ""
        ui.notesLabel.text = as_list([line for line in kept.splitlines() if line not in above])
        ui.notesFrame.visible = bool(ui.notesLabel.text)

    def forget(self) -> None:
        """Release the nodes of the scene; called before the scene is closed."""
        self._measured.clear()
        self._follow(None, None)
        self.surfaces.drop()

    def close(self) -> None:
        """Release the nodes and stop the surfaces; called before the panel is destroyed."""
        self.forget()
        self.surfaces.close()

    def show_or_hide_all(self) -> None:
        """Hide all segments, or show all if some are hidden."""
        self.segments.set_all_visible(not self.segments.all_visible)

    def measure(self) -> None:
        """Measure the segments as they are now."""
        parameters = self._panel.state.current
        node, volume = parameters.outputSegmentation, self.volume()
        if node is None or volume is None:
            return
        with slicer.util.tryWithErrorDisplay(_("The segments could not be measured."), waitCursor=True):
            table = _table(parameters, node)
            fill_statistics_table(table, node, volume)
            table.SetAttribute(_CORRECTED, "1")
            self._measured[table.GetID()] = _change_times(node)
        self._panel.update()

    def edit(self) -> None:
        """Open the Segment Editor with the segmentation and its volume."""
        node, volume = self._panel.state.current.outputSegmentation, self.volume()
        if node is None:
            return
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.util.getModuleWidget("SegmentEditor").editor
        editor.setSegmentationNode(node)
        if volume is not None:
            editor.setSourceVolumeNode(volume)
        if node.GetSegmentation().GetNumberOfSegments():
            editor.setCurrentSegmentID(node.GetSegmentation().GetNthSegmentID(0))

    def _follow(self, node: Any, table: Any) -> None:
        self.segments.show(node, table)
        # Another call for the same node would forget what is hidden.
        if node is not self._followed:
            self._followed = node
            self.surfaces.follow(node)

    def _show_visibility(self) -> None:
        self._panel.ui.showAllButton.text = _("Hide all") if self.segments.all_visible else _("Show all")

    def _stale_text(self, node: Any, table: Any) -> str:
        """The warning that the statistics are not those of the segments as they are now; "" if they are."""
        if table is None:
            return _("Not measured yet.")
        if table.GetAttribute(_CORRECTED):
            # Modification times are valid only within one session: a loaded table counts as up to date.
            measured = self._measured.setdefault(table.GetID(), _change_times(node))
            stale = measured != _change_times(node)
        else:
            stale = not is_unedited(node)
        return _("Volumes before your corrections.") if stale else ""

    def volume(self) -> Any:
        """The node of the volume that the segmentation was made from; else of the chosen volume."""
        parameters = self._panel.state.current
        node = parameters.outputSegmentation
        made_from = None
        if node is not None:
            made_from = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
        return made_from if made_from is not None else parameters.inputVolume


def _change_times(node: Any) -> list[int]:
    return [image.GetMTime() for image in layers(node.GetSegmentation())]


def _table_of(segmentation_node: Any) -> Any:
    """The statistics table of this segmentation; None if there is none."""
    tables = slicer.util.getNodesByClass("vtkMRMLTableNode")
    own = [table for table in tables if table.GetNodeReferenceID(_MEASURED) == segmentation_node.GetID()]
    return own[0] if own else None


def _table(parameters: LightMedSegParameterNode, segmentation_node: Any) -> Any:
    """The statistics table of this segmentation, created if there is none, as the chosen table."""
    table = _table_of(segmentation_node)
    if table is None:
        name = _("{segmentation} statistics").format(segmentation=segmentation_node.GetName())
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", slicer.mrmlScene.GenerateUniqueName(name))
        table.SetNodeReferenceID(_MEASURED, segmentation_node.GetID())
    parameters.statisticsTable = table
    return table

"""The widgets for the reviewed region: the whole scan, a box, a range of slices, or where strokes corrected it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.finetuning.cases.review import reviewed_box, reviewed_corrections
from LightMedSegLib.gui.panel import Panel, WithResult
from LightMedSegLib.mrml.regions import roi_index_box
from LightMedSegLib.mrml.segmentations.corrected import corrections_of, has_marks
from LightMedSegLib.mrml.segmentations.reviewed import AXES, reviewed_slab, slice_place
from LightMedSegLib.mrml.volumes import VolumeSnapshot

WHOLE, BOX, SLICES, STROKES = range(4)

_VIEWS = (("Red", "S"), ("Green", "A"), ("Yellow", "R"))
"""Slice views, and the RAS axis along which each one's slider moves."""

Region = Callable[[VolumeSnapshot], NDArray[Any]]


class _Panel(Panel, WithResult, Protocol):
    """The panel with the sections that this one asks."""


class RegionSection:
    """Lets the user choose the reviewed region."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        ui = panel.ui
        for text in (
            _("Everything that was segmented"),
            _("Only inside a box (region of interest)"),
            _("Only a range of slices"),
        ):
            ui.reviewedSelector.addItem(text)
        for text in (_("Axial (red view)"), _("Coronal (green view)"), _("Sagittal (yellow view)")):
            ui.sliceAxisSelector.addItem(text)
        self._corrected: Any = None
        ui.reviewedSelector.connect("currentIndexChanged(int)", self._on_kind)
        ui.sliceAxisSelector.connect("currentIndexChanged(int)", self._on_kind)
        ui.firstSliceButton.connect("clicked()", lambda: self._take_shown(ui.firstSliceSpinBox))
        ui.lastSliceButton.connect("clicked()", lambda: self._take_shown(ui.lastSliceSpinBox))

    def show(self) -> None:
        """Show the widgets of the chosen kind of region, and hide the others."""
        ui = self._panel.ui
        self._propose_strokes()
        ui.reviewedRoiSelector.visible = ui.reviewedSelector.currentIndex == BOX
        ui.slicesWidget.visible = ui.reviewedSelector.currentIndex == SLICES

    def region(self, volume: Any) -> Region | None:
        """The function that makes the mask in the worker; None for everything. Raises InputImageError without one."""
        ui, kind = self._panel.ui, self._panel.ui.reviewedSelector.currentIndex
        if kind == WHOLE:
            return None
        if kind == BOX:
            roi = self._panel.state.current.reviewedRoi
            if roi is None:
                raise InputImageError(_("Choose or create the box in which you reviewed the segmentation."))
            box = roi_index_box(roi, volume)
            return lambda snapshot: reviewed_box(snapshot.grid.shape, box)
        if kind == STROKES:
            corrections = corrections_of(self._panel.state.current.outputSegmentation, volume)
            if corrections is None:
                raise InputImageError(_("No stroke corrected this segmentation on this scan; choose another region."))
            return lambda snapshot: reviewed_corrections(snapshot.grid, corrections)
        axis = _VIEWS[ui.sliceAxisSelector.currentIndex][1]
        first, last = ui.firstSliceSpinBox.value, ui.lastSliceSpinBox.value
        return lambda snapshot: reviewed_slab(snapshot.grid, axis, first, last)

    def _propose_strokes(self) -> None:
        """Offer the strokes' region for a segmentation that has one, and choose it when it appears."""
        selector = self._panel.ui.reviewedSelector
        node = self._panel.state.current.outputSegmentation if self._panel.state.in_use else None
        corrected = node if node is not None and has_marks(node) else None
        if corrected is self._corrected:
            return
        self._corrected = corrected
        if corrected is None:
            selector.removeItem(STROKES)
            return
        if selector.count == STROKES:
            selector.addItem(_("Only where strokes corrected it"))
        selector.currentIndex = STROKES

    def _on_kind(self, index: int) -> None:
        """Begin with the full range of slices."""
        ui, panel = self._panel.ui, self._panel
        self.show()
        volume = panel.result.volume() if panel.state.in_use else None
        if volume is not None:
            bounds = [0.0] * 6
            volume.GetRASBounds(bounds)
            row = AXES.index(_VIEWS[ui.sliceAxisSelector.currentIndex][1])
            ui.firstSliceSpinBox.value, ui.lastSliceSpinBox.value = bounds[2 * row], bounds[2 * row + 1]

    def _take_shown(self, spin_box: Any) -> None:
        view, axis = _VIEWS[self._panel.ui.sliceAxisSelector.currentIndex]
        widget = slicer.app.layoutManager().sliceWidget(view) if slicer.app.layoutManager() is not None else None
        if widget is not None:
            spin_box.value = slice_place(widget.mrmlSliceNode(), axis)

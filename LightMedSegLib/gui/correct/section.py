"""The section Correct: strokes that are completed, and new structures from clicks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.gui import settings
from LightMedSegLib.gui.correct.clicks import Clicks
from LightMedSegLib.gui.correct.completing import Completing
from LightMedSegLib.gui.panel import Panel, WithAutosave, WithResult
from LightMedSegLib.interaction.completer import Completer
from LightMedSegLib.mrml.strokes.new_structure import new_segmentation

if TYPE_CHECKING:
    from LightMedSegLib.interaction.completion import Promptable

_MESSAGE_MILLISECONDS = 5000


class _Panel(Panel, WithResult, WithAutosave, Protocol):
    """The panel with the sections that this one asks."""


class CorrectSection:
    """Drives the section. It also works while another module is shown, such as the Segment Editor.

    make_completer: returns the network for the chosen device. on_deciding(deciding) is called when a structure from
    clicks begins to wait for Accept or Discard, and when it ends.
    """

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self.make_completer: Callable[[], Promptable] = lambda: Completer(device=settings.device())
        self.on_deciding: Callable[[bool], None] = lambda deciding: None
        self.completing = Completing(self._show_completing)
        self.completing.on_change = panel.autosave.changed
        self.clicks = Clicks(self._show_clicks)
        self._made: Any = None
        ui = panel.ui
        ui.completeCheckBox.connect("toggled(bool)", self.switch)
        ui.clicksButton.connect("clicked()", self.start_clicks)
        ui.includeButton.connect("clicked()", lambda: self._place(True))
        ui.excludeButton.connect("clicked()", lambda: self._place(False))
        ui.acceptButton.connect("clicked()", self.accept)
        ui.discardButton.connect("clicked()", self.discard)
        self._show_completing("")
        self._show_clicks("")

    def show(self) -> None:
        """Update the widgets; a structure that was being made takes points again."""
        self.clicks.resume()
        ui, ready = self._panel.ui, self._panel.logic.torch_ready()
        ui.completeCheckBox.enabled = ready or self.completing.on
        missing = self._missing_for_clicks()
        ui.clicksButton.enabled = not missing
        ui.clicksButton.toolTip = missing or _(
            "Click into a structure in the slice views: it becomes a new segment of the segmentation above."
        )
        self._show_buttons()

    def switch(self, on: bool) -> None:
        """Complete the strokes of the Segment Editor from now on, or no longer."""
        self.completing.switch(self.make_completer() if on else None)

    def start_clicks(self) -> None:
        """Begin a new structure; problems are shown below the button."""
        volume, parameters = self._panel.result.volume(), self._panel.state.current
        if self._missing_for_clicks() or volume is None:
            return
        node = parameters.outputSegmentation
        try:
            if node is None:
                node = self._made = new_segmentation(volume, _("{volume} structures").format(volume=volume.GetName()))
            name = _("Structure {number}").format(number=node.GetSegmentation().GetNumberOfSegments() + 1)
            self.clicks.start(node, volume, name, self.make_completer())
        except LightMedSegError as error:
            self._remove_made()
            self._show_clicks(str(error))
            return
        parameters.outputSegmentation = node
        self._panel.update()

    def accept(self) -> None:
        """Keep the structure that is being made."""
        structure = self.clicks.structure
        self.clicks.accept()
        if structure is not None and not self.clicks.active:
            self._made = None
            self._panel.autosave.changed(structure.voxels)
        self._decided()

    def discard(self) -> bool:
        """Drop the structure that is being made; returns whether there was one."""
        if not self.clicks.active:
            return False
        self.clicks.discard()
        self._decided()
        return True

    def rest(self) -> None:
        """Called when the panel is left: strokes are still completed, but clicks set no points any more."""
        self.clicks.rest()

    def forget(self) -> None:
        """Release the nodes of the scene; called before the scene is closed."""
        self.clicks.forget()
        self._made = None
        self._show_clicks("")
        self._panel.ui.completeCheckBox.checked = False

    def close(self) -> None:
        """Release the nodes and end the threads; called before the panel is destroyed."""
        self.on_deciding = lambda deciding: None
        self.clicks.close()
        self.completing.close()

    def _missing_for_clicks(self) -> str:
        if not self._panel.logic.torch_ready():
            return _("Install PyTorch first (see above).")
        return "" if self._panel.result.volume() is not None else _("Choose a volume first.")

    def _place(self, include: bool) -> None:
        self.clicks.place(include)
        self._show_buttons()

    def _decided(self) -> None:
        if self.clicks.active:
            return
        self._remove_made()
        if self._panel.state.in_use:
            self._panel.update()

    def _remove_made(self) -> None:
        """Remove the segmentation that was made for a structure that is not kept."""
        node, self._made = self._made, None
        if node is not None and node.GetScene() is not None and not node.GetSegmentation().GetNumberOfSegments():
            node.GetScene().RemoveNode(node)

    def _show_completing(self, text: str) -> None:
        label = self._panel.ui.completeStatusLabel
        label.text, label.visible = text, bool(text)
        if text and not self._panel.state.in_use:
            slicer.util.showStatusMessage(text, _MESSAGE_MILLISECONDS)

    def _show_clicks(self, text: str) -> None:
        label = self._panel.ui.clicksLabel
        label.text, label.visible = text, bool(text)
        self._show_buttons()
        # A structure also ends when its volume or its segment is removed.
        self.on_deciding(self.clicks.active)

    def _show_buttons(self) -> None:
        ui, clicks = self._panel.ui, self.clicks
        ui.clicksButton.visible = not clicks.active
        ui.pointsWidget.visible = ui.decisionWidget.visible = clicks.active
        ui.clicksWidget.visible = clicks.active or bool(ui.clicksLabel.text)
        ui.includeButton.checked, ui.excludeButton.checked = clicks.including, not clicks.including
        structure = clicks.structure
        ui.acceptButton.enabled = structure is not None and structure.voxel_count > 0 and not clicks.busy

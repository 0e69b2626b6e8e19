"""The section Doubtful places: leads from one to the next, and says how much of the expected error was looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from LightMedSegLib.gui.doubt.texts import looked_text, percent, place_text, summary_text
from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.mrml.doubt.overlay import DoubtOverlay
from LightMedSegLib.mrml.doubt.places import Place, jump_to, keep_looked_at, kept_places, kept_text, looked_at
from LightMedSegLib.mrml.doubt.volume import doubt_of, save_with_scene


class DoubtSection:
    """Shows the doubt of the chosen segmentation; without one, the section is hidden.

    on_places(there are some) is called when the places change.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.on_places: Callable[[bool], None] = lambda some: None
        self.overlay = DoubtOverlay()
        self.places: tuple[Place, ...] = ()
        self._node: Any = None
        self._text = ""
        self._looked: set[int] = set()
        self._at = -1
        ui = panel.ui
        ui.previousPlaceButton.connect("clicked()", self.previous)
        ui.nextPlaceButton.connect("clicked()", self.next)
        ui.lookedCheckBox.connect("clicked(bool)", self.set_looked)
        ui.overlayCheckBox.connect("toggled(bool)", lambda shown: self._show_overlay())
        ui.keepDoubtCheckBox.connect("clicked(bool)", self.set_kept)

    @property
    def current(self) -> Place | None:
        """The place that was shown last; None before the first."""
        return self.places[self._at] if 0 <= self._at < len(self.places) else None

    def show(self) -> None:
        """Update the section for the chosen segmentation."""
        segmentation = self._panel.state.current.outputSegmentation
        node = doubt_of(segmentation) if segmentation is not None else None
        text = kept_text(node) if node is not None else ""
        if node is not self._node or text != self._text:
            self._node, self._text, self._at = node, text, -1
            self.places = kept_places(node) if node is not None else ()
            self._looked = looked_at(node) & set(range(len(self.places))) if node is not None else set()
            self.on_places(bool(self.places))
        self._show_overlay()
        self._show_widgets()

    def next(self) -> None:
        """Go to the next place that was not looked at; once all were, to the next one."""
        count = len(self.places)
        ahead = [(self._at + step) % count for step in range(1, count + 1)]
        self._go(next((number for number in ahead if number not in self._looked), ahead[0] if ahead else -1))

    def previous(self) -> None:
        """Go back to the previous place, looked at or not."""
        if self.places:
            self._go((self._at if self._at > 0 else len(self.places)) - 1)

    def toggle_looked(self) -> None:
        """Tick the present place, or clear its tick."""
        self.set_looked(self._at not in self._looked)

    def set_looked(self, looked: bool) -> None:
        """Store whether the present place was looked at."""
        if self.current is None or self._gone():
            return
        self._looked = self._looked | {self._at} if looked else self._looked - {self._at}
        keep_looked_at(self._node, self._looked)
        self._show_widgets()

    def set_kept(self, wanted: bool) -> None:
        """Save the doubt volume with the scene, or leave it out."""
        if not self._gone():
            save_with_scene(self._node, wanted)

    def forget(self) -> None:
        """Release the nodes of the scene; called before the scene is closed."""
        self.overlay.hide()
        self._node, self._text, self.places, self._looked, self._at = None, "", (), set(), -1
        self.on_places(False)

    def close(self) -> None:
        """Bring back the user's own foreground; called before the panel is destroyed."""
        self.on_places = lambda some: None
        self.forget()

    def _go(self, number: int) -> None:
        if number < 0 or self._gone():
            return
        self._at = number
        jump_to(self._node, self.places[number])
        self._show_widgets()

    def _gone(self) -> bool:
        """Whether there is no doubt volume any more; somebody may have removed it."""
        if self._node is None or self._node.GetScene() is not None:
            return self._node is None
        self.forget()
        self._show_widgets()
        return True

    def _show_overlay(self) -> None:
        self.overlay.show(self._node if self._panel.ui.overlayCheckBox.checked else None)

    def _show_widgets(self) -> None:
        ui, place = self._panel.ui, self.current
        ui.LightMedSegDoubt.visible = self._node is not None
        some = bool(self.places)
        for widget in (ui.previousPlaceButton, ui.nextPlaceButton, ui.lookedBar):
            widget.enabled = some
        ui.placeLabel.text = (
            summary_text(self.places) if place is None else place_text(place, self._at + 1, len(self.places))
        )
        ui.lookedCheckBox.enabled = place is not None
        ui.lookedCheckBox.checked = self._at in self._looked
        seen = sum(self.places[number].share for number in self._looked)
        ui.lookedBar.value = percent(seen)
        ui.lookedBar.setFormat(looked_text(seen))
        ui.keepDoubtCheckBox.checked = self._node is not None and bool(self._node.GetSaveWithScene())

"""The button Auto: chooses the model that suits the volume and says why, or says why none does."""

from __future__ import annotations

from typing import Any, Protocol

from slicer.i18n import tr as _

from LightMedSegLib.checks.scan_facts import look_at
from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.gui.panel import Panel, WithModels
from LightMedSegLib.model.suggestion import Suggestion, suggest
from LightMedSegLib.mrml.dicom_tags import node_tags
from LightMedSegLib.mrml.volumes import check_volume_node, volume_grid, voxels


class _Panel(Panel, WithModels, Protocol):
    """The panel with the sections that this one asks."""


class SuggestionButton:
    """Drives the button Auto and shows its reason."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self._shown_for: tuple[str, str] | None = None
        panel.ui.suggestModelButton.connect("clicked()", self.suggest)

    def show(self) -> None:
        """Show the reason as long as volume and model are those that it is about."""
        parameters, label = self._panel.state.current, self._panel.ui.suggestionLabel
        self._panel.ui.suggestModelButton.enabled = bool(parameters.inputVolume and self._panel.models.names())
        if self._shown_for != self._choice():
            label.text = ""
        label.visible = bool(label.text)

    def suggest(self) -> None:
        """Choose the suggested model and show the reason; if none suits, show why and keep the choice."""
        parameters, store = self._panel.state.current, self._panel.logic.store
        try:
            suggestion = suggestion_for(parameters.inputVolume, store.cards_in_use())
            reason = suggestion.reason
            if suggestion.model is not None:
                parameters.model = suggestion.model.identifier
                reason = _("A suggestion, not a certainty. {reason}").format(reason=suggestion.reason)
        except LightMedSegError as error:
            reason = str(error)
        self._shown_for = self._choice()
        self._panel.ui.suggestionLabel.text = reason
        self.show()

    def _choice(self) -> tuple[str, str]:
        parameters = self._panel.state.current
        return (parameters.inputVolume.GetID() if parameters.inputVolume else "", parameters.model)


def suggestion_for(volume_node: Any, cards: Any) -> Suggestion:
    """The library's suggestion for a volume node. The modality comes from DICOM tags where Slicer has them.

    Raises InputImageError for a node without usable voxels.
    """
    check_volume_node(volume_node)
    facts = look_at(voxels(volume_node), volume_grid(volume_node), node_tags(volume_node))
    return suggest(facts.appearance, cards)

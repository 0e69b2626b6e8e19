"""The model: selector, description, import and export."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.gui.parameters import EXTRA_VOLUMES
from LightMedSegLib.gui.segment import model_texts
from LightMedSegLib.gui.segment.processing import usable_models
from LightMedSegLib.model.card import ModelCard


class ModelSection:
    """Lists the installed models, describes the chosen one, and imports and exports models."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._cards: dict[str, ModelCard] = {}
        self._shipped: set[str] = set()
        ui = panel.ui
        ui.detailsButton.connect("toggled(bool)", panel.update)
        ui.modelSelector.connect("currentIndexChanged(int)", self._on_chosen)
        ui.importModelButton.connect("clicked()", self.import_model)
        ui.exportModelButton.connect("clicked()", self.export_model)
        self.reload()

    @property
    def card(self) -> ModelCard | None:
        """The card of the chosen model; None if none is chosen or it is not installed."""
        parameters = self._panel.state.parameters
        return self._cards.get(parameters.model) if parameters is not None else None

    def card_of(self, identifier: str) -> ModelCard | None:
        """The card of name@version; None if it is not installed."""
        return self._cards.get(identifier)

    def reload(self) -> None:
        """Read the store again; the section Advanced lists broken models."""
        entries = self._panel.logic.store.list()
        usable = usable_models(self._panel.logic.store)
        self._cards = {entry.identifier: entry.card for entry in usable if entry.card is not None}
        self._shipped = {entry.identifier for entry in usable if entry.shipped}
        versions = Counter(entry.card.name for entry in usable if entry.card is not None)
        selector = self._panel.ui.modelSelector
        blocked = selector.blockSignals(True)
        selector.clear()
        for index, entry in enumerate(usable):
            several = entry.card is not None and versions[entry.card.name] > 1
            selector.addItem(model_texts.choice_text(entry, several=several), entry.identifier)
            selector.setItemData(index, entry.card.description if entry.card is not None else "", qt.Qt.ToolTipRole)
        selector.blockSignals(blocked)
        problems = [_("{model}: {problem}").format(model=e.identifier, problem=e.problem) for e in entries if e.problem]
        self._panel.ui.modelProblemsLabel.text = "\n".join(problems)
        self._panel.ui.modelProblemsLabel.visible = bool(problems)

    def choose_default(self) -> None:
        """Choose the first model, in the version that is in use, if the scene has none."""
        if not self._panel.state.current.model and self._cards:
            first, card = next(iter(self._cards.items()))
            adopted = f"{card.name}@{self._panel.logic.store.chosen(card.name)}"
            self._panel.state.current.model = adopted if adopted in self._cards else first

    def names(self) -> list[str]:
        """Identifiers in the order of the selector."""
        return list(self._cards)

    def show(self) -> None:
        """Update selector and description for the chosen model."""
        ui, parameters, card = self._panel.ui, self._panel.state.current, self.card
        blocked = ui.modelSelector.blockSignals(True)
        ui.modelSelector.currentIndex = self.names().index(parameters.model) if card is not None else -1
        ui.modelSelector.blockSignals(blocked)
        ui.exportModelButton.enabled = card is not None
        ui.detailsButton.enabled = card is not None
        ui.detailsFrame.visible = card is not None and ui.detailsButton.checked
        if card is None:
            ui.modelInfoLabel.text = self._missing_text()
        else:
            ui.modelInfoLabel.text = model_texts.version_text(card, shipped=card.identifier in self._shipped)
            ui.modelDescriptionLabel.text = card.description
            ui.structuresLabel.text = model_texts.structures_text(card)
            ui.modelInputLabel.text = model_texts.input_text(card)
            ui.useLabel.text, ui.limitsLabel.text = card.intended_use, card.limits
            ui.licenceLabel.text = model_texts.licence_text(card)
        self._show_volumes(card)

    def _show_volumes(self, card: ModelCard | None) -> None:
        ui, parameters = self._panel.ui, self._panel.state.current
        # The sample is for users without a volume.
        ui.tryItButton.visible = parameters.inputVolume is None
        channels = card.input.channels if card is not None else ()
        ui.volumeLabel.text = (
            _("Volume ({channel}):").format(channel=channels[0].name) if len(channels) > 1 else _("Volume:")
        )
        for index, name in enumerate(EXTRA_VOLUMES, start=1):
            label, selector = getattr(ui, f"{name}Label"), getattr(ui, f"{name}Selector")
            label.visible = selector.visible = index < len(channels)
            if index < len(channels):
                label.text = _("Volume ({channel}):").format(channel=channels[index].name)

    def _missing_text(self) -> str:
        wanted = self._panel.state.current.model
        if wanted:
            return _(
                "This scene uses the model {model}, which is not on this computer; import it, or choose another."
            ).format(model=wanted)
        return _("There is no model yet; import one in the section Advanced.")

    def _on_chosen(self, index: int) -> None:
        if self._panel.state.in_use and index >= 0:
            self._panel.state.current.model = self.names()[index]

    def import_model(self) -> None:
        """Ask for a model package and add it to the user's models."""
        path = qt.QFileDialog.getOpenFileName(
            self._panel.parent, _("Import a model"), "", _("Model packages (*.zip);;All files (*)")
        )
        if not path:
            return
        try:
            model = self._panel.logic.store.add(Path(path))
        except LightMedSegError as error:
            slicer.util.errorDisplay(_("The model was not imported. {reason}").format(reason=error))
            return
        self.reload()
        self._panel.state.current.model = model.card.identifier
        self._panel.update()

    def export_model(self) -> None:
        """Ask for a file and save the chosen model as a package."""
        card = self.card
        if card is None:
            return
        path = qt.QFileDialog.getSaveFileName(
            self._panel.parent, _("Export the model"), f"{card.name}-{card.version}.zip", _("Model packages (*.zip)")
        )
        if not path:
            return
        path = Path(path) if path.lower().endswith(".zip") else Path(f"{path}.zip")
        try:
            self._panel.logic.store.export(card.identifier, path)
        except LightMedSegError as error:
            slicer.util.errorDisplay(_("The model was not exported. {reason}").format(reason=error))
            return
        slicer.util.showStatusMessage(_("Saved {file}").format(file=path.name), 5000)

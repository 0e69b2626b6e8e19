"""Step 1 of fine-tuning: the row that begins a new model with the present segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.finetuning.new_model.draft import refuse_known_name
from LightMedSegLib.learning.own_models import model_name
from LightMedSegLib.model.store import ModelStore


class NewModelRow:
    """Drives the name field and the button New model from these segments, which calls begin."""

    def __init__(self, ui: Any, begin: Callable[[], None]) -> None:
        self._ui = ui
        ui.newModelEdit.connect("textChanged(QString)", lambda text: self._show_button())
        ui.newModelButton.connect("clicked()", begin)
        self._possible = False

    def show(self, possible: bool) -> None:
        """Show the row where a case could be added."""
        self._possible = possible
        self._ui.newModelWidget.visible = possible
        self._show_button()

    def title(self, store: ModelStore) -> str:
        """The name that was typed; raises a LightMedSegError for one that is unusable or taken."""
        title = " ".join(self._ui.newModelEdit.text.split())
        refuse_known_name(store, title)
        return title

    def clear(self) -> None:
        """The model was made."""
        self._ui.newModelEdit.text = ""

    def _show_button(self) -> None:
        try:
            named = bool(model_name(self._ui.newModelEdit.text))
        except TrainingDataError:
            named = False
        self._ui.newModelButton.enabled = self._possible and named

"""The figures of a new version, what the tests say, and the user's decision."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.finetuning.job.folders import forget_result, last_result
from LightMedSegLib.finetuning.versions import adopt
from LightMedSegLib.gui.finetune.steps import ADD, DECIDE
from LightMedSegLib.gui.finetune.texts import verdict_sections, verdict_text, verdict_title
from LightMedSegLib.gui.widgets.tables import fill_sections, set_up_table
from LightMedSegLib.model.card import ModelCard


class VerdictSection:
    """panel has ui, logic, parameters, models, versions and run. Without a result nothing is visible."""

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self._result: dict[str, Any] | None = None
        self._model = ""
        ui = panel.ui
        set_up_table(ui.verdictTable, 0)
        self._show_frame()
        ui.adoptButton.connect("clicked()", self.adopt)
        ui.keepAsideButton.connect("clicked()", self.keep_aside)
        ui.segmentAgainButton.connect("clicked()", self.segment_again)

    @property
    def candidate(self) -> str | None:
        """The new version that is shown, as name@version; None if there is none."""
        return self._result["candidate"] if self._result is not None else None

    def take(self, model: str, result: dict[str, Any]) -> None:
        """A job of a model came to a verdict."""
        self._panel.models.reload()
        self._panel.versions.reload()
        self._set(model, result)
        parameters = self._panel.parameters or self._panel.logic.getParameterNode()
        if result["adopted"]:
            self._forget_file()
            if parameters.model == model:
                parameters.model = result["candidate"]
        self._fill()

    def show(self) -> None:
        """The result for the chosen model, also of a job that ended while nobody looked, until somebody decides.

        Nothing on the disk changes: a file goes only when somebody decides, deletes the version or starts a job.
        """
        panel, card = self._panel, self._panel.models.card
        if self._result is not None and (card is None or self._model.split("@")[0] != card.name or self._is_gone()):
            self._set("", None)
        if self._result is None and card is not None and not panel.finetune.running:
            self._set(card.identifier, last_result(panel.logic.jobs_folder / card.identifier))
            if self._is_gone():
                self._set("", None)
            elif self._result is not None:
                self._fill()
        if self.candidate is not None:
            self._notice_adoption(self.candidate)
        self._show_frame()
        self._show_buttons()

    def dismiss(self) -> None:
        """Nothing changes: the new version stays in the list of versions."""
        self._forget_file()
        self._set("", None)
        self._show_frame()

    def keep_aside(self) -> None:
        """The user's answer: not this one; more corrections may make a better one."""
        self.dismiss()
        self._panel.steps.open(ADD)

    def forget_version(self, card: ModelCard) -> None:
        """Somebody has deleted this version: what its job came to goes with it."""
        if card.parent is None:
            return
        folder = self._panel.logic.jobs_folder / f"{card.parent.name}@{card.parent.version}"
        result = last_result(folder)
        if result is not None and result["candidate"] == card.identifier:
            forget_result(folder)

    def adopt(self) -> None:
        """The new version becomes the one in use."""
        candidate = self.candidate
        if candidate is None:
            return
        try:
            adopt(self._panel.logic.store, candidate)
        except LightMedSegError as error:
            slicer.util.errorDisplay(str(error))
            return
        self._forget_file()
        self._panel.models.reload()
        self._panel.versions.reload()
        self._panel.parameters.model = candidate
        self._panel.update()

    def segment_again(self) -> None:
        """Segment the chosen volume with the new version; before it is adopted this is a trial."""
        if self.candidate is not None:
            self._panel.run.start(self.candidate)

    def _set(self, model: str, result: dict[str, Any] | None) -> None:
        self._model, self._result = model, result

    def _is_gone(self) -> bool:
        return self.candidate is not None and self._panel.models.card_of(self.candidate) is None

    def _notice_adoption(self, candidate: str) -> None:
        """The version may have been adopted, or left again, in the list of versions."""
        name, _, version = candidate.partition("@")
        in_use = self._panel.logic.store.chosen(name) == version
        if self._result is not None and self._result["adopted"] != in_use:
            self._result["adopted"] = in_use
            self._fill()

    def _forget_file(self) -> None:
        if self._model:
            forget_result(self._panel.logic.jobs_folder / self._model)

    def _fill(self) -> None:
        assert self._result is not None
        ui = self._panel.ui
        ui.verdictTitleLabel.text = verdict_title(self._result)
        ui.verdictLabel.text = verdict_text(self._result)
        sections = verdict_sections(self._result)
        fill_sections(ui.verdictTable, sections)
        ui.verdictTable.visible = bool(sections)
        self._show_frame()
        self._show_buttons()
        self._panel.steps.open(DECIDE)

    def _show_frame(self) -> None:
        ui = self._panel.ui
        ui.verdictFrame.visible = self._result is not None
        ui.decideLabel.visible = self._result is None

    def _show_buttons(self) -> None:
        ui, result = self._panel.ui, self._result
        if result is None:
            return
        made, adopted, accepted = self.candidate is not None, bool(result["adopted"]), bool(result["accepted"])
        ui.adoptButton.visible = made and not adopted
        ui.adoptButton.enabled = accepted
        ui.adoptButton.toolTip = (
            _("Use the new version from now on; you can go back at any time.")
            if accepted
            else _(
                "The tests did not accept this version; the reasons are above. The list of versions can still use it."
            )
        )
        ui.keepAsideButton.text = _("Close") if adopted or not made else _("Keep aside")
        ui.segmentAgainButton.visible = made
        ui.segmentAgainButton.enabled = made and not self._panel.run.running

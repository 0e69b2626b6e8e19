"""Step 3 of fine-tuning: the metrics of a new version, the verdict of the tests, and the user's decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.finetuning.job.folders import forget_result, last_result
from LightMedSegLib.finetuning.versions import adopt
from LightMedSegLib.gui.finetune.steps import ADD, DECIDE
from LightMedSegLib.gui.finetune.texts import verdict_sections, verdict_text, verdict_title
from LightMedSegLib.gui.panel import Panel, WithFinetuning, WithModels, WithRun, WithSteps, WithVersions
from LightMedSegLib.gui.widgets.tables import fill_sections, set_up_table
from LightMedSegLib.model.card import ModelCard


class _Panel(Panel, WithModels, WithRun, WithSteps, WithVersions, WithFinetuning, Protocol):
    """The panel with the sections that this one asks."""


class VerdictSection:
    """Shows the verdict of the last job and drives the buttons that answer it. Hidden without a result."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self._result: dict[str, Any] | None = None
        self._model = ""
        self._folder: Path | None = None
        ui = panel.ui
        set_up_table(ui.verdictTable, 0)
        self._show_frame()
        ui.adoptButton.connect("clicked()", self.adopt)
        ui.keepAsideButton.connect("clicked()", self.keep_aside)
        ui.segmentAgainButton.connect("clicked()", self.segment_again)

    @property
    def candidate(self) -> str | None:
        """The new version, as name@version; None if there is none."""
        return self._result["candidate"] if self._result is not None else None

    def take(self, model: str, result: dict[str, Any]) -> None:
        """Show the verdict of a job that has just ended. model: the parent, as name@version."""
        self._panel.models.reload()
        self._panel.versions.reload()
        self._set(model, result)
        parameters = self._panel.state.parameters or self._panel.logic.getParameterNode()
        if result["adopted"]:
            self._forget_file()
            if parameters.model == model:
                parameters.model = result["candidate"]
        self._fill()

    def show(self) -> None:
        """Show the last result for the chosen model until the user decides, also if the panel was closed meanwhile.

        No file is deleted here: that needs the user's decision, the deletion of the version, or the start of a job.
        """
        panel, card = self._panel, self._panel.models.card
        if self._result is not None and (card is None or self._model.split("@")[0] != card.name or self._is_gone()):
            self._clear()
        if self._result is None and card is not None and not panel.finetune.running:
            self._set(card.identifier, last_result(self._jobs_folder_of(card.identifier)))
            if self._is_gone():
                self._clear()
            elif self._result is not None:
                self._fill()
        if self.candidate is not None:
            self._notice_adoption(self.candidate)
        self._show_frame()
        self._show_buttons()

    def dismiss(self) -> None:
        """Delete the result that is shown; the new version stays in the list of versions."""
        self._forget_file()
        self._clear()
        self._show_frame()

    def keep_aside(self) -> None:
        """Dismiss the result and open step 1, because more corrections may lead to a better version."""
        self.dismiss()
        self._panel.steps.open(ADD)

    def forget_version(self, card: ModelCard) -> None:
        """Delete the result of the job that made a version; called when the version was deleted."""
        if card.parent is None:
            return
        folder = self._jobs_folder_of(f"{card.parent.name}@{card.parent.version}")
        result = last_result(folder)
        if result is not None and result["candidate"] == card.identifier:
            forget_result(folder)

    def adopt(self) -> None:
        """Put the new version into use."""
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
        self._panel.state.current.model = candidate
        self._panel.update()

    def segment_again(self) -> None:
        """Segment the chosen volume with the new version, which does not adopt it."""
        if self.candidate is not None:
            self._panel.run.start(self.candidate)

    def _set(self, model: str, result: dict[str, Any] | None) -> None:
        self._model, self._result, self._folder = model, result, self._jobs_folder_of(model)

    def _clear(self) -> None:
        self._model, self._result, self._folder = "", None, None

    def _jobs_folder_of(self, identifier: str) -> Path:
        return self._panel.logic.jobs_folder / identifier

    def _is_gone(self) -> bool:
        return self.candidate is not None and self._panel.models.card_of(self.candidate) is None

    def _notice_adoption(self, candidate: str) -> None:
        """Notice that the version was adopted, or rolled back, in the list of versions."""
        name, _, version = candidate.partition("@")
        in_use = self._panel.logic.store.chosen(name) == version
        if self._result is not None and self._result["adopted"] != in_use:
            self._result["adopted"] = in_use
            self._fill()

    def _forget_file(self) -> None:
        # The folder may have changed since: only the file that was shown is the user's to decide on.
        if self._folder is not None:
            forget_result(self._folder)

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
                "The tests did not accept this version; the reasons are above. You can still use it from the list of "
                "versions."
            )
        )
        ui.keepAsideButton.text = _("Close") if adopted or not made else _("Keep aside")
        ui.segmentAgainButton.visible = made
        ui.segmentAgainButton.enabled = made and not self._panel.run.running

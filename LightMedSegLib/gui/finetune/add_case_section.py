"""Step 1 of fine-tuning: the corrected segmentation and its scan become a case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.finetuning.cases.building import crop_problem
from LightMedSegLib.gui import settings
from LightMedSegLib.gui.finetune.new_model_row import NewModelRow
from LightMedSegLib.gui.finetune.region_section import RegionSection
from LightMedSegLib.gui.finetune.review_table import ReviewTable
from LightMedSegLib.gui.finetune.steps import TRAIN
from LightMedSegLib.gui.finetune.texts import dice_text
from LightMedSegLib.gui.panel import Panel, WithCases, WithEffort, WithModels, WithResult, WithRun, WithSteps
from LightMedSegLib.gui.parameters import chosen_volumes
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.mrml.jobs.case_job import Review, case_job, case_of, segmented_box
from LightMedSegLib.mrml.jobs.case_models import CaseModel, installed_model, new_model
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.segmentations.result_record import ResultRecord, is_unedited
from LightMedSegLib.mrml.volumes import volume_grid


class _Panel(Panel, WithModels, WithResult, WithRun, WithCases, WithSteps, WithEffort, Protocol):
    """The panel with the sections that this one asks."""


class AddCaseSection:
    """Makes a case from the chosen segmentation."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self.table = ReviewTable(panel.ui.reviewTable)
        self.region = RegionSection(panel)
        self.new_model = NewModelRow(panel.ui, self.begin_model)
        panel.ui.addCaseButton.connect("clicked()", self.add)
        self._say("")

    @property
    def adding(self) -> bool:
        """Whether a case is being added."""
        return self._panel.logic.case_runner.job is not None

    @property
    def card(self) -> ModelCard | None:
        """The card of the model that made the segmentation, if it is installed; else of the chosen model.

        A chosen model that is not trained yet takes cases from any segmentation.
        """
        node, models = self._panel.state.current.outputSegmentation, self._panel.models
        if models.card is not None and is_draft(models.card):
            return models.card
        record = ResultRecord.read(node) if node is not None else None
        made_by = models.card_of(f"{record.model}@{record.version}") if record is not None else None
        return made_by if made_by is not None else models.card

    def missing(self) -> str:
        """What the user has to do before a case can be added; "" if nothing."""
        panel = self._panel
        node = panel.state.current.outputSegmentation
        if not panel.logic.torch_ready():
            return _("Install PyTorch first (see above).")
        if node is None or not node.GetSegmentation().GetNumberOfSegments():
            return _("Segment a scan and correct the result first.")
        if self.card is None:
            return _("Choose a model.")
        scan, *others = self._volumes()
        if scan is None:
            return _("The scan of this segmentation is not in the scene any more.")
        if None in others:
            return _("Choose a volume for every input of the model.")
        problem = crop_problem(self.card, volume_grid(scan), segmented_box(node))
        if problem:
            return problem
        if panel.run.running:
            return _("Wait until the segmentation is done.")
        return ""

    def show(self) -> None:
        """Update table, texts and button for the chosen segmentation."""
        ui, node = self._panel.ui, self._panel.state.current.outputSegmentation
        missing = self.missing()
        self.table.show(node if not missing else None, self.card)
        self.region.show()
        ui.caseSourceLabel.text = missing or self._source_text(node)
        known = None if missing else case_of(node, self._panel.cases.identifiers_for(self.card))
        ui.addCaseButton.text = _("Add this case") if known is None else _("Update this case")
        if self.adding:
            ui.addCaseButton.text = _("Adding...")
        ui.addCaseButton.enabled = not missing and not self.adding
        self.new_model.show(not missing and not self.adding)
        for widget in (ui.reviewTable, ui.reviewedLabel, ui.reviewedSelector):
            widget.visible = not missing

    def add(self) -> None:
        """Start adding the case; problems are shown below the button."""
        panel = self._panel
        card = self.card if panel.state.in_use else None
        if card is None or self.adding or self.missing():
            return
        node, volumes = panel.state.current.outputSegmentation, self._volumes()
        try:
            review = self.table.review(node, self.region.region(volumes[0]))
            folder = next(entry.folder for entry in panel.logic.store.list() if entry.identifier == card.identifier)
            self._start(volumes, installed_model(folder), review)
        except LightMedSegError as error:
            self._say(str(error))

    def begin_model(self) -> None:
        """Start making a new model from the checked segments, with them as its first case."""
        panel = self._panel
        if not panel.state.in_use or self.adding or self.missing():
            return
        node, volume, store = panel.state.current.outputSegmentation, panel.result.volume(), panel.logic.store
        try:
            title = self.new_model.title(store)
            new = self.table.new_model_review(node, self.region.region(volume))
            self._start([volume], new_model(title, new.labels, store), new.review)
        except LightMedSegError as error:
            self._say(str(error))

    def _start(self, volumes: list[Any], model: CaseModel, review: Review) -> None:
        logic, node = self._panel.logic, self._panel.state.current.outputSegmentation
        review = replace(review, effort=self._panel.effort.effort(node))
        logic.case_runner.start(
            case_job(volumes, node, model, review, logic.cases, settings.device(), on_end=self._on_end)
        )
        self._say(_("Reading the scan and the segments..."))
        self.show()

    def _on_end(self, job: Job) -> None:
        if job.state is JobState.DONE:
            record = job.outcome.record
            stored = _("Case {number} is stored. {dice}").format(
                number=record.number, dice=dice_text(record.baseline_dice)
            )
            self._say(" ".join([stored.strip(), *job.outcome.notes, *self._choose(job.outcome.model)]))
            self._panel.steps.open(TRAIN)
        else:
            self._say(_("The case was not added. {reason}").format(reason=job.message))
        self._panel.cases.reload()
        if self._panel.state.in_use:
            self._panel.update()

    def _choose(self, identifier: str) -> list[str]:
        """Choose the model of a case if it is a new one, and what to say of that."""
        models = self._panel.models
        if models.card_of(identifier) is not None:
            return []
        models.reload()
        self.new_model.clear()
        self._panel.logic.getParameterNode().model = identifier
        return [_("The new model can be trained now; with three scans, each is tested by a training on the others.")]

    def _volumes(self) -> list[Any]:
        """The scan that the segmentation was made from, then the chosen volumes of the other channels."""
        channels = self.card.in_channels if self.card is not None else 1
        return [self._panel.result.volume(), *chosen_volumes(self._panel.state.current, channels)[1:]]

    def _source_text(self, node: Any) -> str:
        text = _("'{segmentation}' on the scan '{volume}'.").format(
            segmentation=node.GetName(), volume=self._volumes()[0].GetName()
        )
        if is_unedited(node):
            return text + " " + _("You have not changed it yet: correct it first, or add it if it is right as it is.")
        return text

    def _say(self, text: str) -> None:
        self._panel.ui.addCaseLabel.text = text
        self._panel.ui.addCaseLabel.visible = bool(text)

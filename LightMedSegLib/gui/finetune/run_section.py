"""Step 2 of fine-tuning: the button that starts and cancels a job, its process, and its progress."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import qt
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.core.user_folders import user_models_folder
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.gate.advice import before_run
from LightMedSegLib.finetuning.job.description import JobDescription
from LightMedSegLib.finetuning.job.folders import clean_up, forget_result, was_interrupted
from LightMedSegLib.finetuning.job.progress import JobProgress
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.new_model.plan import training_settings
from LightMedSegLib.gui import settings
from LightMedSegLib.gui.finetune.curves_section import CurvesSection
from LightMedSegLib.gui.finetune.process import JobProcess, remove_output
from LightMedSegLib.gui.finetune.steps import TRAIN
from LightMedSegLib.gui.finetune.texts import not_started_text, progress_text
from LightMedSegLib.gui.panel import Panel, WithCases, WithModels, WithSteps, WithVerdict

_LOOK_MILLISECONDS = 200


class _Panel(Panel, WithModels, WithCases, WithSteps, WithVerdict, Protocol):
    """The panel with the sections that this one asks."""


class FinetuneSection:
    """Drives the button Fine-tune and follows the process of its job."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self.process: JobProcess | None = None
        self.progress = JobProgress()
        self._model, self._message, self._stopping = "", "", False
        self.curves = CurvesSection(panel)
        self._timer = qt.QTimer()
        self._timer.interval = _LOOK_MILLISECONDS
        self._timer.connect("timeout()", self._look)
        ui = panel.ui
        ui.adoptCheckBox.checked = settings.adopts_at_once()
        ui.adoptCheckBox.connect("toggled(bool)", settings.set_adopts_at_once)
        ui.finetuneButton.connect("clicked()", self.toggle)

    @property
    def running(self) -> bool:
        """Whether the process of a job has not ended yet, also while it is being stopped."""
        return self.process is not None

    def missing(self) -> str:
        """What the user has to do before a job can start; "" if nothing."""
        panel = self._panel
        if not panel.logic.torch_ready():
            return _("Install PyTorch first (see above).")
        if panel.models.card is None:
            return _("Choose a model.")
        if not panel.cases.usable:
            return _("Add a corrected scan first (step 1).")
        return ""

    def clear_up(self) -> None:
        """Remove what a crash of Slicer left behind; called when the panel is opened for the first time."""
        logic = self._panel.logic
        clean_up(logic.jobs_folder, logic.store, logic.cases)

    def show(self) -> None:
        """Update button, bar and text for the state of the job."""
        ui, missing = self._panel.ui, self.missing()
        ui.finetuneBar.visible = self.running
        # While a job runs, its plots matter more than the cases.
        ui.casesGroup.visible = not self.running
        if self.running:
            ui.finetuneButton.text = _("Stopping...") if self._stopping else _("Cancel the fine-tuning")
            ui.finetuneButton.enabled = not self._stopping
            ui.finetuneButton.toolTip = _("Stop. If you start it again, it resumes where it stopped.")
            return
        interrupted = not missing and was_interrupted(self._folder())
        ui.finetuneButton.text = _("Resume the fine-tuning") if interrupted else _("Fine-tune")
        ui.finetuneButton.enabled = not missing
        ui.finetuneButton.toolTip = missing or _("Train and test a new version on your cases; you can keep working.")
        hint = _("A fine-tuning was interrupted; with the same cases it resumes where it stopped.")
        self._write(self._message or missing or (hint if interrupted else before_run(self._records())))

    def toggle(self) -> None:
        """Start a job, or cancel the one that runs."""
        if self.running:
            self.cancel()
        else:
            self.start()

    def start(self) -> None:
        """Start a job; problems are shown below the button. Does nothing while a job runs."""
        panel = self._panel
        if not panel.state.in_use or self.running or self.missing():
            return
        self._model = panel.state.current.model
        folder = self._folder()
        try:
            self._description().write(folder)
            self.process = panel.logic.launch(folder)
        except (LightMedSegError, OSError) as error:
            self._say(str(error) if isinstance(error, LightMedSegError) else not_started_text(error, folder))
            return
        # Only now: if the job cannot start, the last verdict stays. The new one is at least a training away.
        panel.verdict.dismiss()
        forget_result(folder)
        self.progress, self._stopping = JobProgress(), False
        panel.ui.finetuneBar.value = 0
        self._timer.start()
        self._say(progress_text(self.progress))
        self.curves.show(self.progress)
        self.show()
        panel.steps.open(TRAIN)

    def cancel(self) -> None:
        """Ask the job to stop; does nothing while nothing runs."""
        if self.process is not None:
            self._stopping = True
            self.process.ask_to_stop()
            self._say(_("Stopping..."))
            self.show()

    def close(self) -> None:
        """Stop the job, because Slicer ends or the module is reloaded; it can be resumed later."""
        self._timer.stop()
        self.curves.close()
        if self.process is not None:
            self.process.end()
            self.process = None

    def _records(self) -> list[CaseRecord]:
        return [entry.record for entry in self._panel.cases.usable if entry.record is not None]

    def _folder(self) -> Any:
        return self._panel.logic.jobs_folder / (self._model if self.running else self._panel.state.current.model)

    def _description(self) -> JobDescription:
        logic = self._panel.logic
        return JobDescription(
            model=self._model,
            cases=tuple(entry.case_id for entry in self._panel.cases.usable),
            device=settings.device(),
            threads=settings.threads(),
            adopt="if_better" if self._panel.ui.adoptCheckBox.checked else "ask",
            settings=self._settings(),
            # The default folders are left out: their paths contain the user's name.
            cases_folder=None if logic.cases.folder == CaseStore().folder else str(logic.cases.folder),
            models_folder=None if logic.store.user == user_models_folder() else str(logic.store.user),
        )

    def _settings(self) -> FinetuneSettings:
        card, chosen = self._panel.models.card_of(self._model), self._panel.logic.finetune_settings
        return chosen if card is None else training_settings(card, chosen)

    def _look(self) -> None:
        process = self.process
        if process is None:
            self._timer.stop()
            return
        if self._stopping:
            process.ask_to_stop()
        alive = process.running()
        for event in process.events():
            self.progress.take(event)
        total, ui = self.progress.total, self._panel.ui
        ui.finetuneBar.value = round(100 * self.progress.done / total) if total else 0
        plotted = ui.plotFrame.visible
        self.curves.show(self.progress)
        if ui.plotFrame.visible and not plotted:
            self._panel.steps.bring_into_view(ui.trainGroup)
        if alive:
            self._say(_("Stopping...") if self._stopping else progress_text(self.progress))
        else:
            self._end(process)

    def _end(self, process: JobProcess) -> None:
        panel, progress, folder = self._panel, self.progress, self._folder()
        self._timer.stop()
        self.process = None
        if progress.verdict is not None:
            self._say("")
            remove_output(folder)
            panel.verdict.take(self._model, progress.verdict)
        elif progress.failure:
            self._say(_("The fine-tuning failed. {reason}").format(reason=progress.failure))
        elif progress.cancelled or self._stopping:
            self._say(_("Stopped: nothing was changed. If you start it again, it resumes where it stopped."))
        else:
            logging.error("LightMedSeg: the process of the fine-tuning broke down.\n%s", process.last_words())
            self._say(
                _(
                    "The fine-tuning broke down; the Python console says where. Nothing was changed. "
                    "If you start it again, it resumes where it stopped."
                )
            )
        if panel.state.in_use:
            panel.update()

    def _say(self, text: str) -> None:
        self._message = text
        self._write(text)

    def _write(self, text: str) -> None:
        self._panel.ui.finetuneLabel.text = text
        self._panel.ui.finetuneLabel.visible = bool(text)

"""The button that starts and cancels a run, and the messages before, during and after it."""

from __future__ import annotations

from typing import Any, Protocol

import qt
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.gui import settings
from LightMedSegLib.gui.panel import Panel, WithEffort, WithModels, WithResult
from LightMedSegLib.gui.parameters import EXTRA_VOLUMES, chosen_volumes
from LightMedSegLib.gui.segment.checks import warnings_before_run
from LightMedSegLib.gui.widgets.node_watch import NodeWatch
from LightMedSegLib.gui.widgets.times import duration_text, progress_text
from LightMedSegLib.gui.widgets.warning_looks import as_list, show_warning_icon, warning_icon
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.jobs.segment_job import Outcome
from LightMedSegLib.mrml.segmentations.result_record import is_unedited


class _Panel(Panel, WithModels, WithResult, WithEffort, Protocol):
    """The panel with the sections that this one asks."""


class RunSection:
    """Drives the button Segment and shows the messages of a run."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self._notes: list[str] = []
        self._warnings: list[str] = []
        self._watch = NodeWatch(self._on_input_changed)
        show_warning_icon(panel.ui.warningIconLabel)
        panel.ui.segmentButton.connect("clicked()", self.toggle)
        panel.logic.runner.on_tick = self._show_progress
        self._say("")

    @property
    def running(self) -> bool:
        """Whether a run has not ended yet, also while it is being stopped."""
        return self._panel.logic.job is not None

    def missing(self, model: str | None = None) -> str:
        """What the user has to choose or install before a run of the chosen model, or name@version; "" if nothing."""
        panel, card = self._panel, self._card_of(model)
        if not panel.logic.torch_ready():
            return _("Install PyTorch first (see above).")
        if card is None:
            return _("Choose a model.")
        if is_draft(card):
            return _("This model is not trained yet: add scans with its structures, then train it (Fine-tune).")
        if card.in_channels > len(EXTRA_VOLUMES) + 1:
            return _("This model needs {count} volumes; run it from a script (LightMedSegLogic.process).").format(
                count=card.in_channels
            )
        if None in chosen_volumes(panel.state.current, card.in_channels):
            return _("Choose a volume for every input of the model.")
        return ""

    def show(self) -> None:
        """Update button and warnings for the parameters and the state of the run."""
        panel, button = self._panel, self._panel.ui.segmentButton
        job = panel.logic.job
        panel.ui.progressBar.visible = job is not None
        panel.ui.doubtCheckBox.visible = job is None
        if job is not None:
            button.text = _("Stopping...") if job.stopping else _("Cancel")
            button.enabled = not job.stopping
            button.toolTip = _("Stop; nothing is changed (Esc)")
            return
        self._watch.follow([*chosen_volumes(panel.state.current, len(EXTRA_VOLUMES) + 1), panel.state.current.roi])
        missing = self.missing()
        button.text, button.enabled = _("Segment"), not missing
        button.toolTip = missing or _("Segment the volume (Ctrl+Return)")
        self.show_warnings()

    def rest(self) -> None:
        """Release the nodes of the scene; called when the panel is left or the scene is closed."""
        self._watch.follow([])

    def forget(self) -> None:
        """Clear the messages about the result; called before the scene is closed. A run still reports its end."""
        self._notes = []
        if not self.running:
            self._say("")

    def show_warnings(self) -> None:
        """Check the input again and show the warnings below the button."""
        ui, parameters = self._panel.ui, self._panel.state.current
        output, overwrite = parameters.outputSegmentation, ui.overwriteCheckBox.checked
        lines = self._look_at_input(None, output, overwrite)
        ui.checksLabel.text = as_list(lines)
        ui.warningFrame.visible = bool(lines)
        ui.segmentButton.icon = warning_icon(ui.segmentButton) if lines else qt.QIcon()
        edited = output is not None and output.GetSegmentation().GetNumberOfSegments() > 0 and not is_unedited(output)
        ui.overwriteCheckBox.visible = edited
        if not edited:
            ui.overwriteCheckBox.checked = False
        self._panel.result.show_notes([*lines, *ui.statusLabel.text.splitlines()])

    def _card_of(self, model: str | None) -> ModelCard | None:
        return self._panel.models.card if model is None else self._panel.models.card_of(model)

    def _look_at_input(self, model: str | None = None, output: Any = None, overwrite: bool = False) -> list[str]:
        """The warnings about the input and about the segmentation that was chosen for the result."""
        parameters, card = self._panel.state.current, self._card_of(model)
        if card is None or self.missing(model):
            return []
        volumes = chosen_volumes(parameters, card.in_channels)
        return warnings_before_run(volumes, card, parameters.roi, output, overwrite)

    def toggle(self) -> None:
        """Start a run, or cancel the one that runs."""
        if self.running:
            self.cancel()
        else:
            self.start()

    def start(self, model: str | None = None) -> None:
        """Run the chosen model, or another name@version; problems are shown below the button.

        Does nothing during a run.
        """
        panel, parameters = self._panel, self._panel.state.parameters
        if parameters is None or self.running:
            return
        missing, card = self.missing(model), self._card_of(model)
        if missing or card is None:
            self._say(missing)
            return
        self.show_warnings()
        self._notes, self._warnings = [], self._look_at_input(model)
        try:
            panel.logic.process(
                chosen_volumes(parameters, card.in_channels),
                self._target(),
                model or parameters.model,
                parameters.roi,
                settings.device(),
                wait=False,
                overlap=parameters.overlap if parameters.ownOverlap else None,
                mirror=parameters.mirroring.axes(),
                threads=settings.threads() or None,
                preview=parameters.preview,
                overwrite=panel.ui.overwriteCheckBox.checked,
                doubt=parameters.doubt,
                onOutcome=self._on_outcome,
                onEnd=self._on_end,
            )
        except LightMedSegError as error:
            self._say(str(error))
            return
        self._say("")
        panel.ui.progressBar.value = 0
        self.show()

    def _target(self) -> Any:
        """The chosen segmentation if it may be overwritten or if the user must be warned that it is kept; else None.

        For an unedited earlier result the library decides: only one of the same volume and model is replaced.
        """
        node = self._panel.state.current.outputSegmentation
        if node is None or self._panel.ui.overwriteCheckBox.checked:
            return node
        untouched_result = node.GetSegmentation().GetNumberOfSegments() > 0 and is_unedited(node)
        return None if untouched_result else node

    def cancel(self) -> None:
        """Ask the run to stop; does nothing while nothing runs."""
        if self.running:
            self._panel.logic.cancel()
            self.show()

    def _on_input_changed(self) -> None:
        # Moving a region of interest may have resolved a warning.
        if self._panel.state.in_use:
            self.show()

    def _show_progress(self, job: Job) -> None:
        if job.state.ended:
            # A script's blocking call ends here, without _on_end.
            if self._panel.state.in_use:
                self.show()
            return
        self._panel.ui.progressBar.value = round(100 * job.progress.fraction)
        self._say(_("Stopping...") if job.stopping else progress_text(job.progress))
        self.show()

    def _on_outcome(self, outcome: Outcome) -> None:
        self._panel.ui.overwriteCheckBox.checked = False
        self._notes = [note for note in outcome.notes if note not in self._warnings]
        self._panel.effort.restart(outcome.node)
        self._panel.result.take(outcome, self._warnings)

    def _on_end(self, job: Job) -> None:
        if job.state is JobState.DONE:
            outcome = job.outcome
            done = _("Done in {time} on {device}.").format(
                time=duration_text(job.progress.elapsed), device=outcome.device
            )
            self._say("\n".join([done, *self._notes]))
        else:
            self._say(job.message)
        # If the panel was left meanwhile, it is updated when it is entered again.
        if self._panel.state.in_use:
            self._panel.update()
        else:
            self._panel.ui.progressBar.visible = False

    def _say(self, text: str) -> None:
        self._panel.ui.statusLabel.text = text
        self._panel.ui.statusLabel.visible = bool(text)

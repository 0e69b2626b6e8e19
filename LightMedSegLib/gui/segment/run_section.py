"""The Segment button, which becomes Cancel, with every message before, during and after a run."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.gui import settings
from LightMedSegLib.gui.parameters import EXTRA_VOLUMES, chosen_volumes
from LightMedSegLib.gui.segment.checks import warnings_before_run
from LightMedSegLib.gui.torch_setup import torch_installed
from LightMedSegLib.gui.widgets.node_watch import NodeWatch
from LightMedSegLib.gui.widgets.times import duration_text, progress_text
from LightMedSegLib.gui.widgets.warning_looks import as_list, show_warning_icon, warning_icon
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.jobs.segment_job import Outcome
from LightMedSegLib.mrml.segmentations.result_record import is_unedited


class RunSection:
    """panel has ui, logic, parameters, models (the ModelSection) and result (the ResultSection)."""

    def __init__(self, panel: Any) -> None:
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
        """True until the present run has ended, also while it is being stopped."""
        return self._panel.logic.job is not None

    def missing(self) -> str:
        """What has to be chosen or installed before anything can run, "" if nothing."""
        panel = self._panel
        card = panel.models.card
        if panel.logic.needs_torch and not torch_installed():
            return _("Install PyTorch first (see above).")
        if card is None:
            return _("Choose a model.")
        if card.in_channels > len(EXTRA_VOLUMES) + 1:
            return _("This model needs {count} volumes; run it from a script (LightMedSegLogic.process).").format(
                count=card.in_channels
            )
        if None in chosen_volumes(panel.parameters, card.in_channels):
            return _("Choose a volume for every input of the model.")
        return ""

    def show(self) -> None:
        """Bring button and warnings in line with the parameters and the state of the run."""
        panel, button = self._panel, self._panel.ui.segmentButton
        job = panel.logic.job
        panel.ui.progressBar.visible = job is not None
        if job is not None:
            button.text = _("Stopping...") if job.stopping else _("Cancel")
            button.enabled = not job.stopping
            button.toolTip = _("Stop; nothing is changed (Esc)")
            return
        self._watch.follow([*chosen_volumes(panel.parameters, len(EXTRA_VOLUMES) + 1), panel.parameters.roi])
        missing = self.missing()
        button.text, button.enabled = _("Segment"), not missing
        button.toolTip = missing or _("Segment the volume (Ctrl+Return)")
        self.show_warnings()

    def rest(self) -> None:
        """The panel is left, or the scene is being closed: let go of its nodes."""
        self._watch.follow([])

    def forget(self) -> None:
        """The scene is being closed: messages about its result go; a run still tells how it ends."""
        self._notes = []
        if not self.running:
            self._say("")

    def show_warnings(self) -> None:
        """Look at the input again and show below the button what is odd about it."""
        ui, parameters = self._panel.ui, self._panel.parameters
        output, overwrite = parameters.outputSegmentation, ui.overwriteCheckBox.checked
        lines = self._look_at_input(output, overwrite)
        ui.checksLabel.text = as_list(lines)
        ui.warningFrame.visible = bool(lines)
        ui.segmentButton.icon = warning_icon(ui.segmentButton) if lines else qt.QIcon()
        edited = output is not None and output.GetSegmentation().GetNumberOfSegments() > 0 and not is_unedited(output)
        ui.overwriteCheckBox.visible = edited
        if not edited:
            ui.overwriteCheckBox.checked = False
        self._panel.result.show_notes([*lines, *ui.statusLabel.text.splitlines()])

    def _look_at_input(self, output: Any = None, overwrite: bool = False) -> list[str]:
        """What is odd about the input, and about the segmentation that was chosen for the result."""
        parameters, card = self._panel.parameters, self._panel.models.card
        if card is None or self.missing():
            return []
        volumes = chosen_volumes(parameters, card.in_channels)
        return warnings_before_run(volumes, card, parameters.roi, output, overwrite)

    def toggle(self) -> None:
        """The button: start, or cancel what runs."""
        if self.running:
            self.cancel()
        else:
            self.start()

    def start(self, model: str | None = None) -> None:
        """Run the chosen model, or another name@version; what is wrong is shown below the button.

        Does nothing while something runs.
        """
        panel, parameters = self._panel, self._panel.parameters
        if parameters is None or self.running:
            return
        missing = self.missing()
        if missing:
            self._say(missing)
            return
        self.show_warnings()
        self._notes, self._warnings = [], self._look_at_input()
        try:
            panel.logic.process(
                chosen_volumes(parameters, panel.models.card.in_channels),
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
        """The chosen segmentation where it may be written, or where the user must learn that it is kept.

        An untouched earlier result is left to the library: only one of the same volume and model is replaced.
        """
        node = self._panel.parameters.outputSegmentation
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
        # A region of interest that was dragged may have answered a warning.
        if self._panel.parameters is not None:
            self.show()

    def _show_progress(self, job: Job) -> None:
        if job.state.ended:
            # A script's blocking call ends here, without _on_end.
            if self._panel.parameters is not None:
                self.show()
            return
        self._panel.ui.progressBar.value = round(100 * job.progress.fraction)
        self._say(_("Stopping...") if job.stopping else progress_text(job.progress))
        self.show()

    def _on_outcome(self, outcome: Outcome) -> None:
        self._panel.ui.overwriteCheckBox.checked = False
        self._notes = [note for note in outcome.notes if note not in self._warnings]
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
        # The panel may have been left meanwhile; it is brought up to date when it is entered again.
        if self._panel.parameters is not None:
            self._panel.update()
        else:
            self._panel.ui.progressBar.visible = False

    def _say(self, text: str) -> None:
        self._panel.ui.statusLabel.text = text
        self._panel.ui.statusLabel.visible = bool(text)

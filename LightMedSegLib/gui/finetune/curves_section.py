"""Two plots of a running fine-tuning: Dice on held-out corrections, and the training loss."""

from __future__ import annotations

from slicer.i18n import tr as _

from LightMedSegLib.finetuning.job.progress import JobProgress
from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.gui.widgets.plots import Plots
from LightMedSegLib.mrml.progress_plot import Curve

_HEIGHT = 170
_BLUE, _ORANGE, _GREY = (0.12, 0.47, 0.71), (0.90, 0.45, 0.0), (0.5, 0.5, 0.5)


class CurvesSection:
    """Draws the progress of a job, in two plots because Dice and loss have different scales."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self._drawn = panel, -1
        titles = {
            "LightMedSegDice": _("Dice on corrections held out from the training"),
            "LightMedSegLoss": _("Training loss"),
        }
        self.plots = Plots(panel.ui.plotFrame, titles, _("Training step"), _HEIGHT)
        panel.ui.plotFrame.visible = False

    def show(self, progress: JobProgress) -> None:
        """Draw new points; does nothing while the panel is not in use."""
        points = len(progress.loss) + len(progress.dice)
        if not self._panel.state.in_use or points == self._drawn:
            return
        self._drawn = points
        self._panel.ui.plotFrame.visible = points > 0
        if not points:
            return
        total = float(progress.total)
        before = [] if progress.before is None else [(0.0, progress.before), (total, progress.before)]
        charts = [
            {_("Before"): Curve(before, _BLUE), _("New version"): Curve(progress.dice, _ORANGE, dots=True)},
            {_("Loss"): Curve(progress.loss, _GREY)},
        ]
        self.plots.draw(charts, total, self._panel.state.current.parameterNode)

    def scene_is_closing(self) -> None:
        """Release the nodes of the scene; if a job still runs, new ones are made in the next scene."""
        self._drawn = -1
        self.plots.scene_is_closing()

    def close(self) -> None:
        """Remove the plots; called before the panel is destroyed."""
        self.plots.close()

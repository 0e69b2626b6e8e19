"""Two Slicer plots of a running fine-tuning: Dice on what is held out, and the loss."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.finetuning.job_progress import JobProgress
from LightMedSegLib.mrml.progress_plot import Curve, ProgressPlot

_HEIGHT = 170
_BLUE, _ORANGE, _GREY = (0.12, 0.47, 0.71), (0.90, 0.45, 0.0), (0.5, 0.5, 0.5)


class CurvesSection:
    """panel has ui and parameters (None while the panel is not in use). Two, as the scales have nothing in common."""

    def __init__(self, panel: Any) -> None:
        self._panel, self._drawn = panel, -1
        x_title = _("Training step")
        self._plots = [
            ProgressPlot("LightMedSegDice", _("Dice where the corrections were kept out of the training"), x_title),
            ProgressPlot("LightMedSegLoss", _("Loss"), x_title),
        ]
        self.widgets: list[Any] = []
        panel.ui.plotFrame.visible = False

    def show(self, progress: JobProgress) -> None:
        """Draw what has not been drawn yet; nothing while the panel is not in use."""
        points = len(progress.loss) + len(progress.dice)
        if self._panel.parameters is None or points == self._drawn:
            return
        self._drawn = points
        self._panel.ui.plotFrame.visible = points > 0
        if not points:
            return
        before = [] if progress.before is None else [(0.0, progress.before), (float(progress.total), progress.before)]
        dice = Curve(progress.dice, _ORANGE, dots=True)
        self._plots[0].draw({_("Before"): Curve(before, _BLUE), _("New version"): dice})
        self._plots[1].draw({_("Loss"): Curve(progress.loss, _GREY)})
        for widget, plot in zip(self._made_widgets(), self._plots, strict=True):
            widget.setMRMLScene(slicer.mrmlScene)
            widget.setMRMLPlotViewNode(plot.view(self._panel.parameters.parameterNode))

    def scene_is_closing(self) -> None:
        """The nodes go; they are made anew in the next scene if a job still runs."""
        self._let_go()
        for plot in self._plots:
            plot.forget()

    def close(self) -> None:
        """The panel is thrown away."""
        self._let_go()
        for plot in self._plots:
            plot.remove()

    def _let_go(self) -> None:
        for widget in self.widgets:
            widget.setMRMLPlotViewNode(None)
        self._drawn = -1

    def _made_widgets(self) -> list[Any]:
        # Plots are costly to make, and most users never need them.
        while len(self.widgets) < len(self._plots):
            widget = slicer.qMRMLPlotWidget()
            widget.setMinimumHeight(_HEIGHT)
            self._panel.ui.plotFrame.layout().addWidget(widget)
            self.widgets.append(widget)
        return self.widgets

"""Two plots of a running fine-tuning: Dice on held-out corrections, and the training loss."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LightMedSegLib.finetuning.job.progress import JobProgress
from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.mrml.progress_plot import Curve, ProgressPlot

_HEIGHT = 170
_BLUE, _ORANGE, _GREY = (0.12, 0.47, 0.71), (0.90, 0.45, 0.0), (0.5, 0.5, 0.5)


class CurvesSection:
    """Draws the progress of a job, in two plots because Dice and loss have different scales.

    views: the plots; titles: the labels above them, which are their legends too.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._drawn = panel, -1
        x_title = _("Training step")
        self._titles = [_("Dice on corrections held out from the training"), _("Training loss")]
        names = ["LightMedSegDice", "LightMedSegLoss"]
        self._plots = [ProgressPlot(name, title, x_title) for name, title in zip(names, self._titles, strict=True)]
        self.views: list[Any] = []
        self.titles: list[Any] = []
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
        self._make_widgets()
        for index, curves in enumerate(charts):
            self._plots[index].draw(curves, total)
            self.titles[index].text = _title_text(self._titles[index], curves)
            self.views[index].setMRMLScene(slicer.mrmlScene)
            self.views[index].setMRMLPlotViewNode(self._plots[index].view(self._panel.state.current.parameterNode))

    def scene_is_closing(self) -> None:
        """Release the nodes of the scene; if a job still runs, new ones are made in the next scene."""
        self._let_go()
        for plot in self._plots:
            plot.forget()

    def close(self) -> None:
        """Remove the plots; called before the panel is destroyed."""
        self._let_go()
        for plot in self._plots:
            plot.remove()

    def _let_go(self) -> None:
        for view in self.views:
            view.setMRMLPlotViewNode(None)
        self._drawn = -1

    def _make_widgets(self) -> None:
        # Plots are slow to create, and most users never need them.
        while len(self.views) < len(self._plots):
            title = qt.QLabel()
            title.textFormat, title.wordWrap = qt.Qt.RichText, True
            title.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Maximum)
            # The view alone: a qMRMLPlotWidget adds a coloured bar with the name of its node.
            view = slicer.qMRMLPlotView()
            view.setMinimumHeight(_HEIGHT)
            for widget in (title, view):
                self._panel.ui.plotFrame.layout().addWidget(widget)
            self.titles.append(title)
            self.views.append(view)


def _title_text(title: str, curves: Mapping[str, Curve]) -> str:
    """The title of a plot, with a legend if it has several curves."""
    text = f"<b>{html.escape(title)}</b>"
    if len(curves) < 2:
        return text
    entries = [
        f'<span style="color:{_hex(curve.color)}">■</span> {html.escape(name)}' for name, curve in curves.items()
    ]
    return f"{text}<br>{'&nbsp;&nbsp; '.join(entries)}"


def _hex(color: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)

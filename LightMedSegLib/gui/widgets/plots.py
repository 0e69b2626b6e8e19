"""Plots below each other in the panel, each with a title that is its legend too."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import qt
import slicer

from LightMedSegLib.mrml.progress_plot import Curve, ProgressPlot


class Plots:
    """Widgets in a frame, made when something is drawn first. views: the plots; titles: the labels above them."""

    def __init__(self, frame: Any, titles: Mapping[str, str], x_title: str, height: int) -> None:
        """titles: of the plots by the names of their nodes. x_title: below each axis. height: of a plot, in pixels."""
        self._frame, self._height = frame, height
        self._titles = list(titles.values())
        self._plots = [ProgressPlot(name, title, x_title) for name, title in titles.items()]
        self.views: list[Any] = []
        self.titles: list[Any] = []

    def draw(self, charts: Sequence[Mapping[str, Curve]], x_end: float, owner: Any) -> None:
        """Show curves by name in each plot. owner: any node of the scene that keeps the plots out of the layout."""
        self._make_widgets()
        for index, curves in enumerate(charts):
            self._plots[index].draw(curves, x_end)
            self.titles[index].text = _title_text(self._titles[index], curves)
            self.views[index].setMRMLScene(slicer.mrmlScene)
            self.views[index].setMRMLPlotViewNode(self._plots[index].view(owner))

    def scene_is_closing(self) -> None:
        """Release the nodes of the scene; new ones are made in the next."""
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

    def _make_widgets(self) -> None:
        # Plots are slow to create, and most users never need them.
        while len(self.views) < len(self._plots):
            title = qt.QLabel()
            title.textFormat, title.wordWrap = qt.Qt.RichText, True
            title.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Maximum)
            # The view alone: a qMRMLPlotWidget adds a coloured bar with the name of its node.
            view = slicer.qMRMLPlotView()
            view.setMinimumHeight(self._height)
            for widget in (title, view):
                self._frame.layout().addWidget(widget)
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

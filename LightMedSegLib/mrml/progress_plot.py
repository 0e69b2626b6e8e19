"""Curves of a running fine-tuning as a chart of the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

Points = Sequence[tuple[float, float]]


_TITLE_POINTS = 12


@dataclass(frozen=True)
class Curve:
    """color: red, green, blue (0..1). dots: mark every point, where there are few."""

    points: Points
    color: tuple[float, float, float]
    dots: bool = False


class ProgressPlot:
    """Owns a plot view, a chart, and one table and series per curve; made when needed, never saved with the scene."""

    def __init__(self, name: str, title: str, x_title: str) -> None:
        """name tells the plot views of the scene apart; title and x_title are shown."""
        self._name, self._title, self._x_title = name, title, x_title
        self._chart: Any = None
        self._view: Any = None
        self._tables: dict[str, Any] = {}

    def view(self, owner: Any) -> Any:
        """The vtkMRMLPlotViewNode for a widget outside the layout. owner: any node of the scene that keeps it there."""
        if self._view is None:
            view = slicer.vtkMRMLPlotViewNode()
            view.SetName(self._name)
            view.SetLayoutName(self._name)
            view.SetLayoutLabel(self._name)
            # Otherwise Slicer's layout would take the view for one of its own.
            view.SetAndObserveParentLayoutNodeID(owner.GetID())
            view.SetHideFromEditors(True)
            view.SetSaveWithScene(False)
            self._view = slicer.mrmlScene.AddNode(view)
            self._view.SetPlotChartNodeID(self._made_chart().GetID())
        return self._view

    def draw(self, curves: Mapping[str, Curve]) -> None:
        """Show these curves by name, instead of what they were before."""
        chart = self._made_chart()
        for name, curve in curves.items():
            if name not in self._tables:
                self._add_curve(chart, name, curve)
            _fill(self._tables[name], self._x_title, name, curve.points)

    def forget(self) -> None:
        """The scene is being closed, and takes the nodes with it."""
        self._chart = self._view = None
        self._tables = {}

    def remove(self) -> None:
        """Take the nodes out of the scene."""
        chart = self._chart
        series = [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())] if chart else []
        for node in (self._view, chart, *series, *self._tables.values()):
            if node is not None and node.GetScene() is not None:
                node.GetScene().RemoveNode(node)
        self.forget()

    def _made_chart(self) -> Any:
        if self._chart is None:
            self._chart = _hidden("vtkMRMLPlotChartNode", self._title)
            self._chart.SetTitle(self._title)
            self._chart.SetTitleFontSize(_TITLE_POINTS)
            self._chart.SetXAxisTitle(self._x_title)
            self._chart.SetYAxisTitleVisibility(False)
            self._chart.SetLegendVisibility(True)
        return self._chart

    def _add_curve(self, chart: Any, name: str, curve: Curve) -> None:
        self._tables[name] = _hidden("vtkMRMLTableNode", f"{self._title}: {name}")
        series = _hidden("vtkMRMLPlotSeriesNode", name)
        series.SetAndObserveTableNodeID(self._tables[name].GetID())
        series.SetXColumnName(self._x_title)
        series.SetYColumnName(name)
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        kind = slicer.vtkMRMLPlotSeriesNode
        series.SetMarkerStyle(kind.MarkerStyleCircle if curve.dots else kind.MarkerStyleNone)
        series.SetLineWidth(2)
        series.SetColor(*curve.color)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())


def _hidden(class_name: str, name: str) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass(class_name, name)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return node


def _fill(table_node: Any, x_name: str, y_name: str, points: Points) -> None:
    before = table_node.StartModify()
    try:
        table_node.RemoveAllColumns()
        for name, values in ((x_name, [x for x, _ in points]), (y_name, [y for _, y in points])):
            column = vtk.vtkDoubleArray()
            column.SetName(name)
            for value in values:
                column.InsertNextValue(value)
            table_node.AddColumn(column)
    finally:
        table_node.EndModify(before)

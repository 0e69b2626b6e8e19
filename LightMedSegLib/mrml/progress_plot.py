"""Curves of a running fine-tuning as a plot chart in the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

Points = Sequence[tuple[float, float]]

_FEWEST_POINTS = 2
"""A line needs two; VTK logs an error for every attempt to draw a shorter one."""

_MARGIN = 0.05
"""Margin above and below the curves, as a share of their height."""

_LEAST_HEIGHT = 0.01


@dataclass(frozen=True)
class Curve:
    """color: red, green, blue (0..1). dots: mark every point, where there are few."""

    points: Points
    color: tuple[float, float, float]
    dots: bool = False


class ProgressPlot:
    """Owns a plot view, a chart, and one table and series per curve; made when needed, never saved with the scene."""

    def __init__(self, name: str, title: str, x_title: str) -> None:
        """name tells the plot views of the scene apart, title the nodes; x_title is shown below the axis."""
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

    def draw(self, curves: Mapping[str, Curve], x_end: float = 0.0) -> None:
        """Show these curves by name, instead of what they were before; those of fewer than two points are left out.

        x_end: how far the axis reaches, from 0, at least, so that a chart that grows keeps its scale.
        """
        chart = self._made_chart()
        lines = {name: curve for name, curve in curves.items() if len(curve.points) >= _FEWEST_POINTS}
        before = chart.StartModify()
        try:
            for name, curve in lines.items():
                if name not in self._tables:
                    self._add_curve(chart, name, curve)
                _fill(self._tables[name], self._x_title, name, curve.points)
            for name in set(self._tables) - set(lines):
                self._remove_curve(chart, name)
            _fit(chart, [point for curve in lines.values() for point in curve.points], x_end)
        finally:
            chart.EndModify(before)

    def forget(self) -> None:
        """Forget the nodes, because the scene is being closed and removes them."""
        self._chart = self._view = None
        self._tables = {}

    def remove(self) -> None:
        """Remove the nodes from the scene."""
        chart = self._chart
        for node in (self._view, chart, *(_series(chart) if chart else ()), *self._tables.values()):
            if node is not None and node.GetScene() is not None:
                node.GetScene().RemoveNode(node)
        self.forget()

    def _made_chart(self) -> Any:
        if self._chart is None:
            self._chart = _hidden("vtkMRMLPlotChartNode", self._title)
            # A chart of a panel's width has no room for them; and a legend inside it covers the curves.
            self._chart.SetTitleVisibility(False)
            self._chart.SetLegendVisibility(False)
            self._chart.SetYAxisTitleVisibility(False)
            self._chart.SetXAxisTitle(self._x_title)
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

    def _remove_curve(self, chart: Any, name: str) -> None:
        table = self._tables.pop(name)
        for series in _series(chart):
            if series.GetTableNodeID() == table.GetID():
                chart.RemovePlotSeriesNodeID(series.GetID())
                series.GetScene().RemoveNode(series)
        table.GetScene().RemoveNode(table)


def _series(chart: Any) -> list[Any]:
    return [chart.GetNthPlotSeriesNode(index) for index in range(chart.GetNumberOfPlotSeriesNodes())]


def _fit(chart: Any, points: Points, x_end: float) -> None:
    """Set the axes to what the curves need: an automatic axis keeps the range that it had at the first points."""
    if not points:
        return
    xs, ys = [x for x, _ in points], [y for _, y in points]
    margin = max(_MARGIN * (max(ys) - min(ys)), _LEAST_HEIGHT)
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(min(0.0, *xs), max(*xs, x_end))
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(min(ys) - margin, max(ys) + margin)


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

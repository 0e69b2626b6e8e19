"""qMRMLTableView, qMRMLPlotView and qMRMLPlotWidget over real table and plot nodes."""

from __future__ import annotations

import logging
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ..pythonqt.loader import register_widget_class
from ..pythonqt.signals import guarded
from .emulated import Emulated, NodeObserver, invokable
from .mrml_base import MRMLWidget, require


@register_widget_class
class TableView(Emulated, QtWidgets.QTableView):
    """Shows a vtkMRMLTableNode; follows its modifications."""

    pythonqt_name = "qMRMLTableView"
    emulated_signals = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._scene: Any = None
        self._observer, self._scene_observer = NodeObserver(), NodeObserver()
        self._items = QtGui.QStandardItemModel(self)
        self.setModel(self._items)
        self.destroyed.connect(self._observer.stop)
        self.destroyed.connect(self._scene_observer.stop)

    @invokable("setMRMLScene(vtkMRMLScene*)")
    def setMRMLScene(self, scene: Any) -> None:
        """A view with a scene takes its table from a view node, and without one shows nothing after every batch."""
        require(scene, "vtkMRMLScene")
        self._scene = scene
        forget = guarded(lambda: self.setMRMLTableNode(None), "qMRMLTableView")
        self._scene_observer.observe(scene, () if scene is None else (scene.EndBatchProcessEvent,), forget)

    @invokable("setMRMLTableNode(vtkMRMLNode*)", "setMRMLTableNode(vtkMRMLTableNode*)")
    def setMRMLTableNode(self, node: Any) -> None:
        require(node, "vtkMRMLTableNode")
        self._node = node
        self._observer.observe(node, ("ModifiedEvent",), guarded(lambda: self._refresh(), "qMRMLTableView"))
        self._refresh()

    @invokable()
    def mrmlTableNode(self) -> Any:
        return self._node

    def _refresh(self) -> None:
        self._items.clear()
        table = self._node.GetTable() if self._node is not None else None
        if table is None:
            return
        columns = range(table.GetNumberOfColumns())
        names = [table.GetColumnName(column) or "" for column in columns]
        first = 0
        if self._node.GetUseFirstColumnAsRowHeader() and names:
            first = 1
        self._items.setHorizontalHeaderLabels(names[first:])
        for row in range(table.GetNumberOfRows()):
            texts = [table.GetValue(row, column).ToString() for column in columns]
            self._items.appendRow([QtGui.QStandardItem(text) for text in texts[first:]])
            if first:
                self._items.setVerticalHeaderItem(row, QtGui.QStandardItem(texts[0]))


Points = list[tuple[float, float]]
Range = tuple[float, float]


@register_widget_class
class PlotView(Emulated, QtWidgets.QWidget):
    """Draws the series of the chart that its plot view node names as lines, once it has a scene.

    As in Slicer, an automatic axis takes its range when a series comes or goes, and keeps it when points are added,
    until fitToContent(); and a line with fewer than two points is logged as an error whenever it is painted.
    """

    pythonqt_name = "qMRMLPlotView"
    emulated_signals = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._view_node: Any = None
        self._scene: Any = None
        self._followed: Any = None
        self._plotted: list[str] = []
        self._automatic: tuple[Range, Range] = ((0.0, 1.0), (0.0, 1.0))
        self._observer, self._chart_observer = NodeObserver(), NodeObserver()
        self.setMinimumSize(160, 120)
        self.destroyed.connect(self._observer.stop)
        self.destroyed.connect(self._chart_observer.stop)

    @invokable("setMRMLScene(vtkMRMLScene*)")
    def setMRMLScene(self, scene: Any) -> None:
        require(scene, "vtkMRMLScene")
        self._scene = scene
        self._follow()

    @invokable("setMRMLPlotViewNode(vtkMRMLPlotViewNode*)")
    def setMRMLPlotViewNode(self, node: Any) -> None:
        require(node, "vtkMRMLPlotViewNode")
        self._view_node = node
        self._observer.observe(node, ("ModifiedEvent",), guarded(lambda: self._follow(), "qMRMLPlotView"))
        self._follow()

    def mrmlPlotViewNode(self) -> Any:
        return self._view_node

    @invokable("fitToContent()")
    def fitToContent(self) -> None:
        points = [point for _, _, line in self.series() for point in line]
        if points:
            xs, ys = [x for x, _ in points], [y for _, y in points]
            self._automatic = (_widened(min(xs), max(xs)), _widened(min(ys), max(ys)))
        self.update()

    def chart(self) -> Any:
        """The vtkMRMLPlotChartNode that is shown, or None; for tests and drawing."""
        return self._view_node.GetPlotChartNode() if self._view_node is not None and self._scene is not None else None

    def series(self) -> list[tuple[str, Any, Points]]:
        """(name, colour, points) of each series shown; for tests and drawing."""
        chart = self.chart()
        found = []
        for index in range(chart.GetNumberOfPlotSeriesNodes() if chart is not None else 0):
            node = chart.GetNthPlotSeriesNode(index)
            table = node.GetTableNode().GetTable()
            xs, ys = table.GetColumnByName(node.GetXColumnName() or ""), table.GetColumnByName(node.GetYColumnName())
            count = ys.GetNumberOfValues() if ys is not None else 0
            points = [
                (float(i if xs is None else xs.GetVariantValue(i).ToDouble()), ys.GetVariantValue(i).ToDouble())
                for i in range(count)
            ]
            found.append((node.GetName(), node.GetColor(), points))
        return found

    def axis_ranges(self) -> tuple[Range, Range]:
        """What the axes show, along x and y; for tests and drawing."""
        (x, y), chart = self._automatic, self.chart()
        if chart is not None and not chart.GetXAxisRangeAuto():
            x = chart.GetXAxisRange()
        if chart is not None and not chart.GetYAxisRangeAuto():
            y = chart.GetYAxisRange()
        return x, y

    def _follow(self) -> None:
        """The view node, the chart, or one of its series or tables has changed."""
        chart = self.chart()
        if chart is not self._followed:
            self._followed = chart
            self._chart_observer.observe(chart, ("ModifiedEvent",), guarded(lambda: self._follow(), "qMRMLPlotView"))
        plotted = [name for name, _, line in self.series() if line]
        if plotted != self._plotted:
            self._plotted = plotted
            self.fitToContent()
        self.update()

    def paintEvent(self, event: Any) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtCore.Qt.white)
        area = self.rect().adjusted(48, 24, -12, -36)
        painter.setPen(QtCore.Qt.gray)
        painter.drawRect(area)
        (left, right), (low, high) = self.axis_ranges()
        painter.setClipRect(area)
        for _, color, line in self.series():
            if len(line) < 2:
                logging.getLogger("vtk").error("Attempted to paint a line with <2 points.")
            painter.setPen(QtGui.QPen(QtGui.QColor.fromRgbF(*color), 2))
            shown = [
                QtCore.QPointF(
                    area.left() + area.width() * (x - left) / ((right - left) or 1),
                    area.bottom() - area.height() * (y - low) / ((high - low) or 1),
                )
                for x, y in line
            ]
            painter.drawPolyline(shown)
        painter.setClipping(False)
        if self._plotted:
            self._write(painter, area, (left, right, low, high))
        painter.end()

    def _write(self, painter: Any, area: Any, limits: tuple[float, float, float, float]) -> None:
        """Title, limits of the axes, and a legend below."""
        left, right, low, high = limits
        chart = self.chart()
        painter.setPen(QtCore.Qt.black)
        title = chart.GetTitle() if chart.GetTitleVisibility() else ""
        painter.drawText(self.rect().adjusted(4, 4, -4, 0), QtCore.Qt.AlignTop | QtCore.Qt.AlignHCenter, title or "")
        painter.drawText(2, area.top() + 10, f"{high:.3f}")
        painter.drawText(2, area.bottom(), f"{low:.3f}")
        painter.drawText(area.left(), area.bottom() + 14, f"{left:g}")
        painter.drawText(area.right() - 20, area.bottom() + 14, f"{right:g}")
        painter.drawText(area.center().x() - 40, area.bottom() + 14, chart.GetXAxisTitle() or "")
        x = area.left()
        for name, color, _ in self.series() if chart.GetLegendVisibility() else ():
            painter.setPen(QtGui.QPen(QtGui.QColor.fromRgbF(*color), 2))
            painter.drawText(x, self.rect().bottom() - 6, name)
            x += painter.fontMetrics().horizontalAdvance(name) + 16


def _widened(low: float, high: float) -> Range:
    """VTK shows a single value with a little room on both sides."""
    return (low, high) if high > low else (low - 0.06 * abs(low), high + 0.06 * abs(high))


@register_widget_class
class PlotWidget(MRMLWidget):
    """A plot view with room for a controller bar."""

    pythonqt_name = "qMRMLPlotWidget"
    emulated_signals = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._view = PlotView(self)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)

    def scene_changed(self) -> None:
        self._view.setMRMLScene(self._scene)

    @invokable("setMRMLPlotViewNode(vtkMRMLPlotViewNode*)")
    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._view.setMRMLPlotViewNode(node)

    @invokable()
    def mrmlPlotViewNode(self) -> Any:
        return self._view.mrmlPlotViewNode()

    @invokable()
    def plotView(self) -> Any:
        return self._view

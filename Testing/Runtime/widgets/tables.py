"""qMRMLTableView, qMRMLPlotView and qMRMLPlotWidget over real table and plot nodes."""

from __future__ import annotations

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


@register_widget_class
class PlotView(Emulated, QtWidgets.QWidget):
    """Draws the series of the chart that its plot view node names as lines."""

    pythonqt_name = "qMRMLPlotView"
    emulated_signals = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._view_node: Any = None
        self._observer = NodeObserver()
        self.setMinimumSize(160, 120)
        self.destroyed.connect(self._observer.stop)

    @invokable("setMRMLPlotViewNode(vtkMRMLPlotViewNode*)")
    def setMRMLPlotViewNode(self, node: Any) -> None:
        require(node, "vtkMRMLPlotViewNode")
        self._view_node = node
        self._observer.observe(node, ("ModifiedEvent",), guarded(lambda: self.update(), "qMRMLPlotView"))
        self.update()

    def mrmlPlotViewNode(self) -> Any:
        return self._view_node

    @invokable("fitToContent()")
    def fitToContent(self) -> None:
        self.update()

    def series(self) -> list[tuple[str, Any, list[tuple[float, float]]]]:
        """(name, colour, points) of each series shown; for tests and drawing."""
        chart = self._view_node.GetPlotChartNode() if self._view_node is not None else None
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

    def paintEvent(self, event: Any) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtCore.Qt.white)
        area = self.rect().adjusted(48, 24, -12, -36)
        painter.setPen(QtCore.Qt.gray)
        painter.drawRect(area)
        series = self.series()
        points = [point for _, _, line in series for point in line]
        if points:
            left, right = min(x for x, _ in points), max(x for x, _ in points)
            low, high = min(y for _, y in points), max(y for _, y in points)
            for _, color, line in series:
                painter.setPen(QtGui.QPen(QtGui.QColor.fromRgbF(*color), 2))
                shown = [
                    QtCore.QPointF(
                        area.left() + area.width() * (x - left) / ((right - left) or 1),
                        area.bottom() - area.height() * (y - low) / ((high - low) or 1),
                    )
                    for x, y in line
                ]
                painter.drawPolyline(shown)
            self._write(painter, area, (left, right, low, high))
        painter.end()

    def _write(self, painter: Any, area: Any, limits: tuple[float, float, float, float]) -> None:
        """Title, limits of the axes, and a legend below."""
        left, right, low, high = limits
        chart = self._view_node.GetPlotChartNode()
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

    @invokable("setMRMLPlotViewNode(vtkMRMLPlotViewNode*)")
    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._view.setMRMLPlotViewNode(node)

    @invokable()
    def mrmlPlotViewNode(self) -> Any:
        return self._view.mrmlPlotViewNode()

    @invokable()
    def plotView(self) -> Any:
        return self._view

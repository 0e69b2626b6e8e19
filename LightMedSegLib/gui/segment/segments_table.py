"""The segments of the result: which are shown in the views, their colours and names, and how large they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt
import vtk
from slicer.i18n import tr as _

from LightMedSegLib.gui.widgets.tables import align, fit_height, set_up_table
from LightMedSegLib.mrml.statistics import EXPECTED_DICE

_NAME, _VOXELS, _VOLUME, _MEAN, _EXPECTED = range(5)
"""Columns of the statistics table."""

_NO_NUMBER = "-"

_ROWS_AT_ONCE = 8
"""More in one go would stop the user interface."""


@dataclass(frozen=True)
class Row:
    """One segment. color: red, green, blue (0..255). numbers: its row of the statistics table; None if not measured.

    only_in_slices: visible in slice views, but not in 3D, for example because its surface hides all others.
    expected: the Dice that is expected of it, "" where none is.
    """

    segment_id: str
    name: str
    color: tuple[int, int, int]
    visible: bool
    only_in_slices: bool
    numbers: tuple[str, ...] | None
    expected: str


class SegmentsTable:
    """Fills a QTableWidget with two columns, and a third where there is an expected Dice.

    on_change is called when the rows have changed.
    """

    def __init__(self, table: Any, on_change: Callable[[], None]) -> None:
        self._table, self._on_change = table, on_change
        self._node: Any = None
        self._numbers: Any = None
        self._tags: list[tuple[Any, int]] = []
        self.rows: list[Row] = []
        self._written: list[Row | None] = []
        set_up_table(table, 0)
        table.connect("itemChanged(QTableWidgetItem*)", self._on_item_changed)
        # A change of many segments sends many events.
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.interval = 0
        self._timer.connect("timeout()", self._refresh)
        self._next = qt.QTimer()
        self._next.setSingleShot(True)
        self._next.interval = 0
        self._next.connect("timeout()", self._write_some)

    def show(self, node: Any, numbers: Any) -> None:
        """Show the segments of a segmentation node with the volumes in its statistics table; either may be None."""
        if node is not self._node or numbers is not self._numbers or not self._tags:
            self._node, self._numbers = node, numbers
            self._follow()
        self._refresh()

    @property
    def all_visible(self) -> bool:
        """Whether every segment is shown in the views."""
        return all(row.visible for row in self.rows)

    def set_all_visible(self, visible: bool) -> None:
        """Show or hide all segments in the views."""
        display = self._node.GetDisplayNode() if self._node is not None else None
        if display is not None:
            display.SetAllSegmentsVisibility(visible)
            if visible:
                display.SetVisibility(True)
            self._refresh()

    def _follow(self) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags = []
        self._timer.stop()
        if self._node is None:
            return
        segmentation, modified = self._node.GetSegmentation(), vtk.vtkCommand.ModifiedEvent
        events = (segmentation.SegmentAdded, segmentation.SegmentRemoved, segmentation.SegmentModified)
        watched = [(segmentation, event) for event in events]
        watched += [(subject, modified) for subject in (self._node.GetDisplayNode(), self._numbers) if subject]
        self._tags = [(subject, subject.AddObserver(event, self._on_event)) for subject, event in watched]

    def _on_event(self, caller: Any, event: Any) -> None:
        self._timer.start()

    def _refresh(self) -> None:
        rows = _rows(self._node, self._numbers) if self._node is not None else []
        if rows != self.rows:
            self.rows = rows
            self._fill()
            self._on_change()

    def _fill(self) -> None:
        table = self._table
        blocked = table.blockSignals(True)
        self._set_columns(any(row.expected for row in self.rows))
        table.setRowCount(len(self.rows))
        table.blockSignals(blocked)
        self._written = [*self._written[: len(self.rows)], *[None] * (len(self.rows) - len(self._written))]
        self._write_some()
        fit_height(table)

    def _write_some(self) -> None:
        """Write some of the rows that the table does not show yet; the others follow from the event loop."""
        waiting = [index for index, row in enumerate(self.rows) if self._written[index] != row]
        blocked = self._table.blockSignals(True)
        for index in waiting[:_ROWS_AT_ONCE]:
            self._write(index, self.rows[index])
        self._table.blockSignals(blocked)
        if len(waiting) > _ROWS_AT_ONCE:
            self._next.start()

    def _write(self, index: int, row: Row) -> None:
        name = qt.QTableWidgetItem(row.name)
        shown = qt.Qt.PartiallyChecked if row.only_in_slices else qt.Qt.Checked
        name.setCheckState(shown if row.visible else qt.Qt.Unchecked)
        name.setData(qt.Qt.DecorationRole, qt.QColor(*row.color))
        volume = qt.QTableWidgetItem(row.numbers[_VOLUME] if row.numbers is not None else _NO_NUMBER)
        expected = qt.QTableWidgetItem(row.expected or _NO_NUMBER)
        for item in (volume, expected):
            align(item, qt.Qt.AlignRight)
        details = _details(row)
        for column, item in enumerate((name, volume, expected)[: self._table.columnCount]):
            item.setToolTip(details)
            self._table.setItem(index, column, item)
        self._written[index] = row

    def _set_columns(self, with_dice: bool) -> None:
        table, count = self._table, 3 if with_dice else 2
        if table.columnCount != count:
            self._written = []
        table.setColumnCount(count)
        if with_dice:
            title = qt.QTableWidgetItem(_("Expected Dice"))
            title.setToolTip(_("Expected Dice before correction, estimated from the model's validation cases."))
            align(title, qt.Qt.AlignLeft)
            table.setHorizontalHeaderItem(2, title)
            table.horizontalHeader().setSectionResizeMode(2, qt.QHeaderView.ResizeToContents)

    def _on_item_changed(self, item: Any) -> None:
        row, display = self.rows[item.row()], self._node.GetDisplayNode()
        if item.column() != 0 or display is None or self._written[item.row()] != row:
            return
        visible = item.checkState() == qt.Qt.Checked
        if visible and not display.GetVisibility():
            # The whole segmentation was hidden, as earlier results are: the other segments stay hidden.
            display.SetAllSegmentsVisibility(False)
            display.SetVisibility(True)
        display.SetSegmentVisibility(row.segment_id, visible)
        if visible:
            display.SetSegmentVisibility3D(row.segment_id, True)


def _rows(node: Any, numbers: Any) -> list[Row]:
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    measured = _measured(numbers)
    all_hidden = display is not None and not display.GetVisibility()
    rows = []
    for segment_id in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(segment_id)
        name = segment.GetName() or ""
        red, green, blue = (round(255 * part) for part in segment.GetColor())
        visible = not all_hidden and (display is None or bool(display.GetSegmentVisibility(segment_id)))
        only_in_slices = visible and display is not None and not display.GetSegmentVisibility3D(segment_id)
        found = measured.get(name)
        numbers_of_it = found.pop(0) if found else None
        expected = numbers_of_it[_EXPECTED] if numbers_of_it is not None and len(numbers_of_it) > _EXPECTED else ""
        rows.append(Row(segment_id, name, (red, green, blue), visible, only_in_slices, numbers_of_it, expected))
    return rows


def _measured(numbers: Any) -> dict[str, list[tuple[str, ...]]]:
    """The rows of the statistics table by name; two segments may have the same name."""
    found: dict[str, list[tuple[str, ...]]] = {}
    if numbers is None or numbers.GetNumberOfColumns() <= _VOLUME:
        return found
    count = min(numbers.GetNumberOfColumns(), _EXPECTED + 1)
    if count > _EXPECTED and numbers.GetColumnName(_EXPECTED) != EXPECTED_DICE:
        count = _EXPECTED
    columns = range(count)
    for row in range(numbers.GetNumberOfRows()):
        texts = [numbers.GetCellText(row, column) for column in columns]
        texts[_VOLUME] = _volume_text(texts[_VOLUME])
        found.setdefault(texts[_NAME], []).append(tuple(texts))
    return found


def _volume_text(text: str) -> str:
    try:
        volume = float(text)
    except ValueError:
        return text or _NO_NUMBER
    return f"{volume:.1f}" if volume >= 100 else f"{volume:.2f}"


def _details(row: Row) -> str:
    if row.numbers is None:
        return _("{name}, not measured yet.").format(name=row.name)
    mean = row.numbers[_MEAN] if len(row.numbers) > _MEAN and row.numbers[_MEAN] else _NO_NUMBER
    return _("{name}: {voxels} voxels, {volume} ml, mean intensity {mean}.").format(
        name=row.name, voxels=row.numbers[_VOXELS], volume=row.numbers[_VOLUME], mean=mean
    )

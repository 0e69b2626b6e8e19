"""Fills the tables of the panel, whose height fits their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import qt

_MOST_ROWS = 12


def set_up_table(table: Any, wide: int) -> None:
    """Stretch column wide, and fit the other columns and the rows to their texts."""
    header, rows = table.horizontalHeader(), table.verticalHeader()
    for column in range(table.columnCount):
        mode = qt.QHeaderView.Stretch if column == wide else qt.QHeaderView.ResizeToContents
        header.setSectionResizeMode(column, mode)
        align(table.horizontalHeaderItem(column), qt.Qt.AlignLeft)
    rows.setSectionResizeMode(qt.QHeaderView.ResizeToContents)

    # Rows are resized one after the other, and again when the table gets its width.
    timer = qt.QTimer(table)
    timer.setSingleShot(True)
    timer.interval = 0
    timer.connect("timeout()", lambda: fit_height(table))
    rows.connect("sectionResized(int,int,int)", lambda row, before, after: timer.start())
    fit_height(table)


def fill_table(table: Any, rows: Sequence[Sequence[str]], tool_tips: Sequence[str] = ()) -> None:
    """Replace the rows of a QTableWidget; nothing is selected afterwards."""
    blocked = table.blockSignals(True)
    table.clearContents()
    table.setRowCount(len(rows))
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(tool_tips[row] if row < len(tool_tips) else text)
            table.setItem(row, column, item)
    table.setCurrentCell(-1, -1)
    table.blockSignals(blocked)
    fit_height(table)


def fill_sections(table: Any, sections: Mapping[str, Sequence[Sequence[str]]]) -> None:
    """Replace the rows of a QTableWidget by several lists of rows, each below its title."""
    table.clearSpans()
    lines: list[Sequence[str]] = []
    titles: list[int] = []
    for title, rows in sections.items():
        titles.append(len(lines))
        lines += [(title,), *rows]
    fill_table(table, lines)
    for row in titles:
        table.setSpan(row, 0, 1, table.columnCount)
        item = table.item(row, 0)
        font = item.font()
        font.setBold(True)
        item.setFont(font)


def align(item: Any, side: int) -> None:
    """Align the text of a table item to the left or right, vertically centred."""
    item.setData(qt.Qt.TextAlignmentRole, int(side) | int(qt.Qt.AlignVCenter))


def fit_height(table: Any) -> None:
    """Fit the height to the rows, up to a limit: empty space would look as if rows were missing."""
    rows = min(table.rowCount, _MOST_ROWS)
    height = sum(table.rowHeight(row) for row in range(rows)) + table.horizontalHeader().sizeHint.height()
    frame = 2 * table.frameWidth
    table.setMinimumHeight(height + frame)
    table.setMaximumHeight(height + frame)

"""Filling the panel's plain tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import qt

_MOST_ROWS = 10


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
    """Replace the rows of a QTableWidget by several lists of rows, each below a line of its own."""
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


def fit_height(table: Any) -> None:
    """As high as the rows, up to a number of them: an empty half of a table looks as if something was missing."""
    rows = min(table.rowCount, _MOST_ROWS)
    height = sum(table.rowHeight(row) for row in range(rows)) + table.horizontalHeader().sizeHint.height()
    frame = 2 * table.frameWidth
    table.setMinimumHeight(height + frame)
    table.setMaximumHeight(height + frame)


def stretch_column(table: Any, wide: int) -> None:
    """One column takes the room that the others, as wide as their texts, leave."""
    header = table.horizontalHeader()
    for column in range(table.columnCount):
        mode = qt.QHeaderView.Stretch if column == wide else qt.QHeaderView.ResizeToContents
        header.setSectionResizeMode(column, mode)

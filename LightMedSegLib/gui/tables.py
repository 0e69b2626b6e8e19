"""Filling the panel's plain tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt


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


def stretch_column(table: Any, wide: int) -> None:
    """One column takes the room that the others, as wide as their texts, leave."""
    header = table.horizontalHeader()
    for column in range(table.columnCount):
        mode = qt.QHeaderView.Stretch if column == wide else qt.QHeaderView.ResizeToContents
        header.setSectionResizeMode(column, mode)

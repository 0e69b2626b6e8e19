"""What is wrong with the panel as it is laid out now: texts that are cut, widgets on top of each other, and so on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from PySide6 import QtCore, QtWidgets

_SLACK = 1
_BUTTON_TEXT_MARGIN = 4
_COMBO_ARROW = 24
_LINE_EDIT_MARGIN = 8


def show_at(panel: Any, width: int, height: int) -> None:
    """Give Slicer's module panel this room; the panel itself may be taller, then it is scrolled."""
    root = panel.parent._checked()
    area, window = root.parentWidget().parentWidget(), root.window()
    # The first size may make the vertical scroll bar appear.
    for _ in range(2):
        extra = window.size() - area.viewport().size()
        window.resize(QtCore.QSize(width, height) + extra)
        settle()


def settle() -> None:
    """Let all layouts come to rest: tables fit themselves to their rows, which are fitted to their columns."""
    for _ in range(6):
        QtWidgets.QApplication.processEvents()


def scale_font(factor: float) -> None:
    """Make all texts larger, as a user does who sees badly."""
    application = QtWidgets.QApplication.instance()
    font = application.font()
    font.setPointSizeF(font.pointSizeF() * factor)
    application.setFont(font)


def controls(root: Any) -> list[Any]:
    """What a user can do something with."""
    kinds = (
        QtWidgets.QAbstractButton, QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox, QtWidgets.QAbstractSlider,
        QtWidgets.QTableWidget, QtWidgets.QProgressBar,
    )  # fmt: skip
    found = []
    for child in root.findChildren(QtWidgets.QWidget):
        part = child.objectName().startswith("qt_") or _is_composite(child.parentWidget())
        of_a_table = isinstance(child, QtWidgets.QScrollBar) or child.inherits("QTableCornerButton")
        if not part and not of_a_table and (isinstance(child, kinds) or _is_composite(child)):
            found.append(child)
    return found


def _is_composite(widget: Any) -> bool:
    """Whether the widgets inside speak through this one."""
    return bool(widget.inherits("NodeComboBox") or widget.inherits("SliderWidget"))


def bottom(widget: Any, root: Any) -> int:
    """Of a wrapped widget, in the coordinates of the wrapped root."""
    inner = widget._checked()
    return int(inner.mapTo(root._checked(), QtCore.QPoint(0, inner.height())).y())


def cut_texts(root: Any) -> Iterator[str]:
    """Visible texts that do not fit into their widget."""
    for widget in root.findChildren(QtWidgets.QWidget):
        if not widget.isVisible() or not widget.width():
            continue
        room, needed = widget.width() + _SLACK, 0
        if isinstance(widget, QtWidgets.QLabel):
            if widget.wordWrap():
                if widget.heightForWidth(widget.width()) > widget.height() + _SLACK:
                    yield f"{widget.objectName()} is too low for '{widget.text()}'"
                parts = _unbroken(widget.text())
                needed = max((widget.fontMetrics().horizontalAdvance(part) for part in parts), default=0)
            else:
                needed = widget.sizeHint().width()
        elif isinstance(widget, QtWidgets.QComboBox) and not _is_composite(widget.parentWidget()):
            # What users call their nodes may be longer than any panel is wide.
            needed = widget.fontMetrics().horizontalAdvance(widget.currentText()) + _COMBO_ARROW
        elif isinstance(widget, (QtWidgets.QCheckBox, QtWidgets.QPushButton)):
            needed = widget.sizeHint().width()
        elif isinstance(widget, QtWidgets.QAbstractButton):
            needed = widget.fontMetrics().horizontalAdvance(widget.text()) + _BUTTON_TEXT_MARGIN
        elif isinstance(widget, QtWidgets.QLineEdit) and not widget.text():
            needed = widget.fontMetrics().horizontalAdvance(widget.placeholderText()) + _LINE_EDIT_MARGIN
        elif isinstance(widget, QtWidgets.QTableWidget):
            yield from _cut_cells(widget)
        if needed > room:
            text = _text(widget)
            yield f"{widget.objectName()} is {widget.width()} wide, needs {needed} for '{text}'"


def _unbroken(text: str) -> list[str]:
    """The parts of a text between which Qt may start a new line: words, and the folders of a path."""
    finder = QtCore.QTextBoundaryFinder(QtCore.QTextBoundaryFinder.BoundaryType.Line, text)
    places = [0]
    while (place := finder.toNextBoundary()) != -1:
        places.append(place)
    return [text[first:last].strip() for first, last in pairwise(places)]


def _text(widget: Any) -> str:
    if isinstance(widget, QtWidgets.QLineEdit):
        return str(widget.placeholderText())
    return str(widget.currentText() if isinstance(widget, QtWidgets.QComboBox) else widget.text())


def empty_parts(root: Any) -> Iterator[str]:
    """Visible widgets in which everything is hidden: each leaves a gap as wide as the layout's spacing."""
    for widget in root.findChildren(QtWidgets.QWidget):
        if widget.isVisible() and isinstance(widget.layout(), QtWidgets.QLayout) and not widget.sizeHint().height():
            yield widget.objectName()


def _cut_cells(table: Any) -> Iterator[str]:
    header = table.horizontalHeader()
    if header.length() > table.viewport().width() + _SLACK:
        yield f"{table.objectName()}: the columns are wider than the table"
    for column in range(table.columnCount()):
        if header.sectionSizeHint(column) > header.sectionSize(column) + _SLACK:
            yield f"{table.objectName()}: the title of column {column} is cut"
    option = QtWidgets.QStyleOptionViewItem()
    for row in range(table.rowCount()):
        for column in range(table.columnCount()):
            item = table.item(row, column)
            if item is None or not item.text():
                continue
            table.initViewItemOption(option)
            rectangle = table.visualItemRect(item)
            option.rect = rectangle
            hint = table.itemDelegate().sizeHint(option, table.indexFromItem(item))
            wraps = " " in item.text() and hint.height() <= rectangle.height() + _SLACK
            if hint.width() > rectangle.width() + _SLACK and not wraps:
                yield f"{table.objectName()}: '{item.text()}' is cut"


def overlaps(root: Any) -> Iterator[str]:
    """Visible widgets of one parent that lie on top of each other, or beyond their parent's borders."""
    for parent in [root, *root.findChildren(QtWidgets.QWidget)]:
        if not parent.isVisible() or parent.layout() is None:
            continue
        layout = parent.layout()
        shown = [item for item in _widgets(layout) if item.isVisible()]
        for index, first in enumerate(shown):
            if not parent.rect().contains(first.geometry()):
                yield f"{first.objectName()} reaches out of {parent.objectName()}"
            for second in shown[index + 1 :]:
                if first.geometry().intersects(second.geometry()):
                    yield f"{first.objectName()} lies on {second.objectName()}"


def _widgets(layout: Any) -> Iterator[Any]:
    for index in range(layout.count()):
        item = layout.itemAt(index)
        if item.widget() is not None:
            yield item.widget()
        elif item.layout() is not None:
            yield from _widgets(item.layout())


def badly_fitted_tables(root: Any, most_rows: int) -> Iterator[str]:
    """Visible tables that are taller or lower than their rows (of which most_rows are shown at most)."""
    for table in root.findChildren(QtWidgets.QTableWidget):
        if table.isVisible():
            rows = sum(table.rowHeight(row) for row in range(min(table.rowCount(), most_rows)))
            wanted = rows + table.horizontalHeader().height() + 2 * table.frameWidth()
            if abs(wanted - table.height()) > _SLACK:
                yield f"{table.objectName()} is {table.height()} tall, its content {wanted}"


def out_of_order(root: Any) -> Iterator[str]:
    """Controls that Tab reaches later than one that stands below them."""
    places, widget = [], root.nextInFocusChain()
    while widget is not root:
        reached = widget.focusPolicy() & QtCore.Qt.TabFocus and widget.isVisible() and root.isAncestorOf(widget)
        if reached and widget.focusProxy() is None:
            whole = widget.parentWidget() if _is_composite(widget.parentWidget()) else widget
            place = whole.mapTo(root, QtCore.QPoint(0, 0))
            places.append((place.y() + whole.height() // 2, place.x(), whole))
        widget = widget.nextInFocusChain()
    for (_, before_x, before), (after_y, after_x, after) in pairwise(places):
        top = before.mapTo(root, QtCore.QPoint(0, 0)).y()
        same_row = top <= after_y <= top + before.height()
        if after_y < top or (same_row and after_x < before_x):
            yield f"{_name(after)} comes after {_name(before)}"


def _name(widget: Any) -> str:
    return widget.objectName() or f"{type(widget).__name__} in {widget.parentWidget().objectName()}"

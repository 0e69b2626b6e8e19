"""The checks of the panel's layout find what they are for: each is shown a small panel with one fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def root(slicer_runtime: Any) -> Iterator[Any]:
    """A visible window with a vertical layout, 200 wide."""
    from PySide6 import QtWidgets

    made = QtWidgets.QWidget()
    QtWidgets.QVBoxLayout(made)
    made.resize(200, 300)
    made.show()
    yield made
    made.deleteLater()


def add(root: Any, widget: Any, name: str, text: str = "") -> Any:
    from panel_layout import settle

    widget.setObjectName(name)
    if text:
        widget.setText(text)
    root.layout().addWidget(widget)
    settle()
    return widget


def test_a_panel_without_faults_has_none(root: Any) -> None:
    from panel_layout import badly_fitted_tables, controls, cut_texts, empty_parts, out_of_order, overlaps
    from PySide6 import QtWidgets

    buttons = [add(root, QtWidgets.QPushButton(), name, "Short") for name in ("first", "second")]
    assert controls(root) == buttons
    found = (cut_texts(root), empty_parts(root), overlaps(root), out_of_order(root), badly_fitted_tables(root, 12))
    for findings in found:
        assert list(findings) == []


@pytest.mark.parametrize("kind", ["QPushButton", "QCheckBox", "QLabel", "QComboBox"])
def test_a_text_without_room_is_found(root: Any, kind: str) -> None:
    from panel_layout import cut_texts
    from PySide6 import QtWidgets

    widget = add(root, getattr(QtWidgets, kind)(), "narrow")
    text = "A text that is much longer than its widget is wide"
    widget.addItem(text) if kind == "QComboBox" else widget.setText(text)
    widget.setMaximumWidth(100)
    assert [line.split()[0] for line in cut_texts(root)] == ["narrow"]


def test_a_hint_in_an_empty_line_edit_is_read_too(root: Any) -> None:
    from panel_layout import cut_texts
    from PySide6 import QtWidgets

    edit = add(root, QtWidgets.QLineEdit(), "narrow")
    edit.setPlaceholderText("What is to be written here, in many words")
    edit.setMaximumWidth(100)
    assert next(cut_texts(root)).startswith("narrow is 100 wide, needs ")
    edit.setText("short")
    assert list(cut_texts(root)) == []


def test_a_part_in_which_everything_is_hidden_is_found(root: Any) -> None:
    from panel_layout import empty_parts, settle
    from PySide6 import QtWidgets

    part = add(root, QtWidgets.QWidget(), "part")
    inside = QtWidgets.QLabel("Shown")
    QtWidgets.QVBoxLayout(part).setContentsMargins(0, 0, 0, 0)
    part.layout().addWidget(inside)
    settle()
    assert list(empty_parts(root)) == []
    inside.hide()
    settle()
    assert list(empty_parts(root)) == ["part"]
    part.hide()
    assert list(empty_parts(root)) == []


def test_a_label_that_is_too_low_is_found(root: Any) -> None:
    from panel_layout import cut_texts
    from PySide6 import QtWidgets

    label = add(root, QtWidgets.QLabel(), "low", "Many words that need more than a single line of this label")
    label.setWordWrap(True)
    label.setMaximumHeight(12)
    assert "low is too low" in next(cut_texts(root))


def test_cells_titles_and_heights_of_tables_are_looked_at(root: Any) -> None:
    from panel_layout import badly_fitted_tables, cut_texts
    from PySide6 import QtWidgets

    table = add(root, QtWidgets.QTableWidget(1, 2), "table")
    table.setHorizontalHeaderLabels(["A title that is long", "B"])
    table.setItem(0, 0, QtWidgets.QTableWidgetItem("Cerebrospinalfluid"))
    table.setColumnWidth(0, 40)
    table.setColumnWidth(1, 40)
    assert sorted(cut_texts(root)) == ["table: 'Cerebrospinalfluid' is cut", "table: the title of column 0 is cut"]
    assert next(badly_fitted_tables(root, 12)).startswith("table is ")
    table.setColumnWidth(1, 400)
    assert "table: the columns are wider than the table" in cut_texts(root)


def test_what_lies_on_top_or_reaches_out_is_found(root: Any) -> None:
    from panel_layout import overlaps
    from PySide6 import QtWidgets

    first, second = (add(root, QtWidgets.QPushButton(), name, name) for name in ("first", "second"))
    second.setGeometry(0, first.y(), 400, first.height())
    assert list(overlaps(root)) == ["first lies on second", "second reaches out of "]


def test_tab_against_the_order_of_the_eye_is_found(root: Any) -> None:
    from panel_layout import out_of_order
    from PySide6 import QtWidgets

    first, _, third = (add(root, QtWidgets.QPushButton(), name, name) for name in ("first", "second", "third"))
    QtWidgets.QWidget.setTabOrder(first, third)
    assert list(out_of_order(root)) == ["second comes after third"]

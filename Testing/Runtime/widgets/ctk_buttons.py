"""ctkCollapsibleButton, ctkCollapsibleGroupBox, ctkMenuButton, ctkDirectoryButton."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ..pythonqt.dialogs import Shown, dialogs
from ..pythonqt.loader import register_widget_class
from .emulated import Emulated, invokable

_HEADER = 26


_WANTED = "visibilityToParent"


@register_widget_class
class CollapsibleButton(Emulated, QtWidgets.QAbstractButton):
    """Header above its children; `collapsed` hides them, and those hidden by the module stay hidden afterwards."""

    pythonqt_name = "ctkCollapsibleButton"
    emulated_signals = ("contentsCollapsed(bool)",)

    def __init__(self, *arguments: Any) -> None:
        text, parent = arguments if len(arguments) == 2 else ("", *(arguments or (None,)))
        if isinstance(parent, str):
            text, parent = parent, None
        super().__init__(parent)
        self._forcing = False
        self._flat = False
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, _HEADER, 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Minimum)
        self.toggled.connect(lambda checked: self._apply(not checked))

    def _apply(self, collapsed: bool) -> None:
        self._show_or_hide_children()
        self.setMaximumHeight(_HEADER if collapsed else 16777215)
        self.updateGeometry()
        self.emit_signal("contentsCollapsed(bool)", collapsed)

    def _show_or_hide_children(self) -> None:
        # Children are looked up each time: a Python name for one that is still being made would become invalid.
        self._forcing = True
        for child in self.children():
            if not isinstance(child, QtWidgets.QWidget) or child.isWindow():
                continue
            child.installEventFilter(self)
            explicit = child.testAttribute(QtCore.Qt.WA_WState_ExplicitShowHide)
            wanted = child.property(_WANTED)
            if wanted is None:
                wanted = not (explicit and child.isHidden())
                child.setProperty(_WANTED, wanted)
            child.setVisible(wanted and not self._get_collapsed())
            if wanted:
                # Otherwise Qt would take the module's own hiding of a hidden child for no change.
                child.setAttribute(QtCore.Qt.WA_WState_ExplicitShowHide, False)
        self._forcing = False

    def eventFilter(self, child: Any, event: Any) -> bool:
        if not self._forcing and event.type() in (QtCore.QEvent.ShowToParent, QtCore.QEvent.HideToParent):
            child.setProperty(_WANTED, event.type() == QtCore.QEvent.ShowToParent)
            if self._get_collapsed():
                self._show_or_hide_children()
        return False

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    def _get_flat(self) -> bool:
        return self._flat

    def _set_flat(self, flat: bool) -> None:
        self._flat = flat

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)
    flat = QtCore.Property(bool, _get_flat, _set_flat)

    def childEvent(self, event: Any) -> None:
        super().childEvent(event)
        if event.added() and self._get_collapsed():
            QtCore.QTimer.singleShot(0, self, self._show_or_hide_children)

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if self._get_collapsed():
            self._show_or_hide_children()

    def hitButton(self, position: Any) -> bool:
        return bool(position.y() < _HEADER)

    def sizeHint(self) -> Any:
        layout = self.layout()
        width = self.fontMetrics().horizontalAdvance(self.text()) + 40
        if layout is None or self._get_collapsed():
            return QtCore.QSize(width, _HEADER)
        return layout.totalSizeHint().expandedTo(QtCore.QSize(width, _HEADER))

    def minimumSizeHint(self) -> Any:
        layout = self.layout()
        return QtCore.QSize(40, _HEADER) if layout is None or self._get_collapsed() else layout.totalMinimumSize()

    def paintEvent(self, event: Any) -> None:
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 0, self.width(), _HEADER - 2)
        painter.fillRect(header, self.palette().button())
        option = QtWidgets.QStyleOption()
        option.initFrom(self)
        option.rect = QtCore.QRect(6, 5, 14, 14)
        arrow = (
            QtWidgets.QStyle.PE_IndicatorArrowRight if self._get_collapsed() else QtWidgets.QStyle.PE_IndicatorArrowDown
        )
        self.style().drawPrimitive(arrow, option, painter, self)
        painter.setPen(self.palette().buttonText().color())
        painter.drawText(header.adjusted(26, 0, -4, 0), QtCore.Qt.AlignVCenter | QtCore.Qt.AlignLeft, self.text())
        painter.end()


@register_widget_class
class CollapsibleGroupBox(Emulated, QtWidgets.QGroupBox):
    """A group box whose content shows when it is not collapsed."""

    pythonqt_name = "ctkCollapsibleGroupBox"
    emulated_signals = ()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._collapsed = False

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self.setMaximumHeight(_HEADER if collapsed else 16777215)

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)


@register_widget_class
class MenuButton(Emulated, QtWidgets.QPushButton):
    """A push button that may have a menu at its side."""

    pythonqt_name = "ctkMenuButton"
    emulated_signals = ()


@register_widget_class
class DirectoryButton(Emulated, QtWidgets.QWidget):
    """A button that shows a folder and lets the user choose another."""

    pythonqt_name = "ctkDirectoryButton"
    emulated_signals = ("directoryChanged(QString)", "directorySelected(QString)")

    def __init__(self, *arguments: Any) -> None:
        parent = arguments[-1] if arguments and not isinstance(arguments[-1], str) else None
        super().__init__(parent)
        self._directory = arguments[0] if arguments and isinstance(arguments[0], str) else "."
        self._caption = ""
        self._button = QtWidgets.QPushButton(self._directory, self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.clicked.connect(self.browse)

    def _get_directory(self) -> str:
        return self._directory

    def _set_directory(self, directory: str) -> None:
        if directory != self._directory:
            self._directory = directory
            self._button.setText(directory)
            self.emit_signal("directoryChanged(QString)", directory)

    def _get_caption(self) -> str:
        return self._caption

    def _set_caption(self, caption: str) -> None:
        self._caption = caption

    directory = QtCore.Property(str, _get_directory, _set_directory)
    caption = QtCore.Property(str, _get_caption, _set_caption)

    @invokable("browse()")
    def browse(self, *_: Any) -> None:
        chosen = dialogs.ask(Shown("directory", self._caption, "", {"start": self._directory}), None)
        if chosen:
            self.directory = str(chosen)
            self.emit_signal("directorySelected(QString)", str(chosen))

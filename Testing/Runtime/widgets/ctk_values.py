"""ctkSliderWidget, ctkDoubleSpinBox, ctkComboBox, ctkPathLineEdit, ctkMessageBox, ctkFittedTextBrowser."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6 import QtCore, QtWidgets

from ..pythonqt.dialogs import Shown, dialogs
from ..pythonqt.loader import register_widget_class
from .emulated import Emulated, invokable, stored


def _delegated(kind: type, name: str) -> Any:
    """A property that an inner spin box holds."""
    setter = f"set{name[0].upper()}{name[1:]}"
    return QtCore.Property(
        kind,
        lambda self: getattr(self._spin_box, name)(),
        lambda self, value: getattr(self._spin_box, setter)(value),
    )


class _SpinBoxHolder(QtWidgets.QWidget):
    """Base of the widgets around a QDoubleSpinBox: value, range, step and decorations."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._spin_box = QtWidgets.QDoubleSpinBox(self)
        self._layout = QtWidgets.QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self._spin_box)
        self._spin_box.valueChanged.connect(self._on_value_changed)

    def _on_value_changed(self, value: float) -> None:
        self.emit_signal("valueChanged(double)", value)  # type: ignore[attr-defined]

    value = _delegated(float, "value")
    minimum = _delegated(float, "minimum")
    maximum = _delegated(float, "maximum")
    singleStep = _delegated(float, "singleStep")
    decimals = _delegated(int, "decimals")
    prefix = _delegated(str, "prefix")
    suffix = _delegated(str, "suffix")


@register_widget_class
class DoubleSpinBox(Emulated, _SpinBoxHolder):
    pythonqt_name = "ctkDoubleSpinBox"
    emulated_signals = ("valueChanged(double)",)

    @invokable("setValue(double)")
    def setValue(self, value: float) -> None:
        self._spin_box.setValue(value)


@register_widget_class
class SliderWidget(Emulated, _SpinBoxHolder):
    """Slider and spin box of one float value; setRange and setMinimum are not slots in C++, so not callable."""

    pythonqt_name = "ctkSliderWidget"
    emulated_signals = ("valueChanged(double)", "valueIsChanging(double)")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Any] = {"pageStep": 10.0, "tickInterval": 0.0, "tracking": True}
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal, self)
        self._slider.setRange(0, 1000)
        self._layout.insertWidget(0, self._slider)
        self._slider.sliderMoved.connect(self._on_slider_moved)

    def _on_slider_moved(self, position: int) -> None:
        low, high = self._spin_box.minimum(), self._spin_box.maximum()
        self._spin_box.setValue(low + (high - low) * position / 1000)

    def _on_value_changed(self, value: float) -> None:
        low, high = self._spin_box.minimum(), self._spin_box.maximum()
        self._slider.setValue(round(1000 * (value - low) / (high - low)) if high > low else 0)
        super()._on_value_changed(value)

    @invokable("setValue(double)")
    def setValue(self, value: float) -> None:
        self._spin_box.setValue(value)

    @invokable("reset()")
    def reset(self) -> None:
        self._spin_box.setValue(0.0)

    pageStep = stored(float, "pageStep")
    tickInterval = stored(float, "tickInterval")
    tracking = stored(bool, "tracking")
    spinBoxVisible = QtCore.Property(
        bool, lambda self: not self._spin_box.isHidden(), lambda self, visible: self._spin_box.setVisible(visible)
    )


@register_widget_class
class ComboBox(Emulated, QtWidgets.QComboBox):
    """A combo box that shows a default text when nothing is chosen."""

    pythonqt_name = "ctkComboBox"
    emulated_signals = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Any] = {"forceDefault": False}

    defaultText = QtCore.Property(
        str, lambda self: self.placeholderText(), lambda self, text: self.setPlaceholderText(text)
    )
    forceDefault = stored(bool, "forceDefault")


@register_widget_class
class PathLineEdit(Emulated, QtWidgets.QWidget):
    """A path with a browse button; `filters` decides between file and folder, open and save."""

    pythonqt_name = "ctkPathLineEdit"
    emulated_signals = ("currentPathChanged(QString)", "validInputChanged(bool)")
    emulated_enums: ClassVar[dict[str, int]] = {
        "Dirs": 0x1, "Files": 0x2, "Drives": 0x4, "NoSymLinks": 0x8, "Readable": 0x10, "Writable": 0x20,
        "Executable": 0x40, "Hidden": 0x100, "AllDirs": 0x400, "NoDot": 0x2000, "NoDotDot": 0x4000, "NoFilter": -1,
    }  # fmt: skip

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Any] = {
            "label": "", "filters": 0x1 | 0x2 | 0x4, "nameFilters": [], "settingKey": "", "options": 0,
            "showHistoryButton": True,
        }  # fmt: skip
        self._line_edit = QtWidgets.QLineEdit(self)
        self._browse_button = QtWidgets.QToolButton(self)
        self._browse_button.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line_edit)
        layout.addWidget(self._browse_button)
        self._line_edit.textChanged.connect(lambda text: self.emit_signal("currentPathChanged(QString)", text))
        self._browse_button.clicked.connect(self.browse)

    @invokable("browse()")
    def browse(self, *_: Any) -> None:
        directory = not self._values["filters"] & 0x2
        details = {"start": self._line_edit.text(), "save": bool(self._values["filters"] & 0x20)}
        filters = ";;".join(self._values["nameFilters"])
        kind = "directory" if directory else "file"
        chosen = dialogs.ask(Shown(kind, self._values["label"], filters, details), None)
        if chosen:
            self._line_edit.setText(str(chosen))

    @invokable("setCurrentPath(QString)")
    def setCurrentPath(self, path: str) -> None:
        self._line_edit.setText(path)

    @invokable("addCurrentPathToHistory()")
    def addCurrentPathToHistory(self) -> None:
        """The history is kept in the settings, under the key and the class name, as the real widget does."""
        key = f"ctkPathLineEdit/{self._values['settingKey'] or self.objectName()}"
        settings = QtCore.QSettings()
        known = settings.value(key, [])
        history = [path for path in (known if isinstance(known, list) else [known]) if path != self._line_edit.text()]
        settings.setValue(key, [self._line_edit.text(), *history])

    currentPath = QtCore.Property(str, lambda self: self._line_edit.text(), setCurrentPath)
    label = stored(str, "label")
    filters = stored(int, "filters")
    nameFilters = stored("QStringList", "nameFilters")
    settingKey = stored(str, "settingKey")
    options = stored(int, "options")
    showHistoryButton = stored(bool, "showHistoryButton")
    showBrowseButton = QtCore.Property(
        bool, lambda self: not self._browse_button.isHidden(), lambda self, on: self._browse_button.setVisible(on)
    )


@register_widget_class
class MessageBox(Emulated, QtWidgets.QMessageBox):
    """A message box that can be told not to show again."""

    pythonqt_name = "ctkMessageBox"
    emulated_signals = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Any] = {"dontShowAgainSettingsKey": "", "dontShowAgainVisible": False}

    dontShowAgainSettingsKey = stored(str, "dontShowAgainSettingsKey")
    dontShowAgainVisible = stored(bool, "dontShowAgainVisible")


@register_widget_class
class FittedTextBrowser(Emulated, QtWidgets.QTextBrowser):
    pythonqt_name = "ctkFittedTextBrowser"
    emulated_signals = ()

"""Qt methods that behave otherwise in PythonQt, or that would block a test."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from ..rules import StricterRuleError
from . import signals
from .classes import wrap
from .dialogs import Shown, UnansweredDialogError, dialogs
from .members import override
from .values import call, to_qt


@override("QObject", "connect")
def connect(self: Any, signature: str, *target: Any) -> bool:
    return signals.connect(self, signature, *target)


@override("QObject", "disconnect")
def disconnect(self: Any, signature: str, *target: Any) -> bool:
    return signals.disconnect(self, signature, *target)


@override("QObject", "findChildren")
def find_children(self: Any, kind: Any, name: str = "") -> tuple[Any, ...]:
    """All descendants of a class (a wrapper class or a class name), optionally of one object name."""
    found = []
    for child in self._checked().children():
        wrapper = wrap(child)
        wanted = kind if isinstance(kind, str) else kind.__name__
        if wrapper.inherits(wanted) and (not name or child.objectName() == name):
            found.append(wrapper)
        found.extend(find_children(wrapper, kind, name))
    return tuple(found)


@override("QObject", "findChild")
def find_child(self: Any, kind: Any, name: str = "") -> Any:
    found = find_children(self, kind, name)
    return found[0] if found else None


@override("QObject", "setProperty")
def set_property(self: Any, name: str, value: Any) -> bool:
    return bool(self._checked().setProperty(name, to_qt(value)))


@override("QObject", "isWidgetType")
def is_widget_type(self: Any) -> bool:
    return isinstance(self._checked(), QtWidgets.QWidget)


@override("QTimer", "singleShot")
@staticmethod
def single_shot(milliseconds: int, *target: Any) -> None:
    """The static method; the property of the same name is hidden by it, on objects too."""
    function = signals.target_function("timeout()", target)
    if function is not None:
        QtCore.QTimer.singleShot(milliseconds, signals.guarded(function, "a single-shot timer"))


@override("QSettings", "setValue")
def set_value(self: Any, key: str, value: Any) -> None:
    """Numbers and bools come back as text, as they do from the settings file after a restart."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, (int, float)):
        value = str(value)
    elif value is None:
        raise StricterRuleError(f"The setting '{key}' was set to None", "Slicer would write an invalid value")
    call(self._checked().setValue, "QSettings.setValue", (key, value), {})


@override("QDialog", "exec_")
def exec_dialog(self: Any) -> int:
    """Shown for the time of the prepared answer, which may be a function that works on the dialog."""
    dialog = self._checked()
    dialog.show()
    result = dialogs.ask(Shown("dialog", dialog.windowTitle(), ""), self)
    dialog.hide()
    return int(result if result is not None else dialog.result())


@override("QMenu", "exec_")
def exec_menu(self: Any, *position: Any) -> Any:
    texts = [action.text() for action in self._checked().actions()]
    return dialogs.ask(Shown("menu", "", ", ".join(texts), {"actions": texts}), self)


@override("QMessageBox", "exec_")
def exec_message(self: Any) -> int:
    box = self._checked()
    buttons = int(box.standardButtons().value)
    # A box with buttons of the caller's own returns the index of the one that was pressed.
    default = 0 if len(box.buttons()) == 1 and not buttons else dialogs.only_button(buttons or 0x400)
    if len(box.buttons()) > 1 and not buttons:
        default = UnansweredDialogError
    details = {"buttons": buttons, "informativeText": box.informativeText(), "detailedText": box.detailedText()}
    icon = {1: "info", 2: "warning", 3: "error", 4: "question"}.get(int(box.icon().value), "message")
    return int(dialogs.ask(Shown(icon, box.windowTitle().strip(), box.text(), details), self, default))


def _static_message(icon: str, standard: int) -> Any:
    def show(parent: Any, title: str, text: str, buttons: int = standard, default: int = 0) -> int:
        to_qt(parent)
        shown = Shown(icon, title, text, {"buttons": int(buttons)})
        return int(dialogs.ask(shown, None, dialogs.only_button(int(buttons))))

    return staticmethod(show)


for _name, _icon, _standard in (
    ("information", "info", 0x400), ("warning", "warning", 0x400), ("critical", "error", 0x400),
    ("question", "question", 0x14000), ("about", "info", 0x400),
):  # fmt: skip
    override("QMessageBox", _name)(_static_message(_icon, _standard))


def _ask_file(several: bool, directory: bool) -> Any:
    def ask(parent: Any = None, caption: str = "", start: str = "", filters: str = "", *options: Any) -> Any:
        for text in (to_qt(parent), caption, start, filters)[1:]:
            if not isinstance(text, str):
                raise ValueError(f"A file dialog takes strings, not {text!r}.")
        answer = dialogs.ask(Shown("directory" if directory else "file", caption, filters, {"start": start}), None)
        return tuple(str(path) for path in answer) if several else str(answer)

    return staticmethod(ask)


override("QFileDialog", "getOpenFileName")(_ask_file(several=False, directory=False))
override("QFileDialog", "getSaveFileName")(_ask_file(several=False, directory=False))
override("QFileDialog", "getOpenFileNames")(_ask_file(several=True, directory=False))
override("QFileDialog", "getExistingDirectory")(_ask_file(several=False, directory=True))


def _ask_input(parent: Any, title: str, label: str, *options: Any) -> Any:
    to_qt(parent)
    return dialogs.ask(Shown("input", title, label, {"options": options}), None)


for _name in ("getText", "getItem", "getInt", "getDouble", "getMultiLineText"):
    override("QInputDialog", _name)(staticmethod(_ask_input))


@override("QGuiApplication", "setOverrideCursor")
@staticmethod
def set_override_cursor(cursor: Any) -> None:
    """Gives nothing back, where Qt 6 has an object of a class of its own."""
    QtWidgets.QApplication.setOverrideCursor(to_qt(cursor))


@override("QDesktopServices", "openUrl")
@staticmethod
def open_url(url: Any) -> bool:
    """Opens no browser; the address is recorded."""
    dialogs.shown.append(Shown("url", "", to_qt(url).toString()))
    return True


@override("QUiLoader", "load")
def load_ui(self: Any, device: Any, parent: Any = None) -> Any:
    from .loader import load_ui_file

    return load_ui_file(to_qt(device).fileName(), to_qt(parent))

"""What PythonQt refuses, the runtime refuses: properties, attributes, enums, overloads, names of Qt 6."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vtk
from Runtime.rules import StricterRuleError

pytestmark = pytest.mark.usefixtures("slicer_runtime")


def _qt() -> Any:
    import qt

    return qt


def test_properties_are_attributes_and_cannot_be_called() -> None:
    qt = _qt()
    button, box, spin = qt.QPushButton("Segment"), qt.QCheckBox(), qt.QSpinBox()
    assert (button.text, box.checked, spin.value, button.enabled) == ("Segment", False, 0, True)
    for call in (lambda: button.text(), lambda: box.checked(), lambda: spin.value(), lambda: button.visible()):
        with pytest.raises(TypeError, match="not callable"):
            call()


def test_properties_can_be_set_and_setters_still_work() -> None:
    qt = _qt()
    label = qt.QLabel()
    label.text = "a"
    assert label.text == "a"
    label.setText("b")
    assert label.text == "b"
    label.name = "title"
    assert label.objectName == "title"


@pytest.mark.parametrize(
    ("widget", "name", "value"),
    [
        ("QSpinBox", "value", None),
        ("QSpinBox", "value", "4"),
        ("QSpinBox", "value", np.float64(2.7)),
        ("QDoubleSpinBox", "value", "2.5"),
        ("QPushButton", "icon", "/x.png"),
        ("QPushButton", "iconSize", (4, 4)),
        ("QProgressBar", "value", "3"),
    ],
)
def test_a_property_refuses_a_value_of_another_type(widget: str, name: str, value: object) -> None:
    with pytest.raises(AttributeError, match=f"'{name}' of type .* does not accept an object of type"):
        setattr(getattr(_qt(), widget)(), name, value)


@pytest.mark.parametrize(
    ("widget", "name", "value", "becomes"),
    [
        ("QLabel", "text", 5, "5"),
        ("QLabel", "toolTip", Path("a"), "a"),
        ("QSpinBox", "value", 2.7, 2),
        ("QSpinBox", "value", np.int64(3), 3),
        ("QCheckBox", "checked", None, False),
        ("QCheckBox", "checked", np.bool_(True), True),
        ("QFrame", "frameShape", "Box", 1),
    ],
)
def test_a_property_converts_a_value_as_pythonqt_does(widget: str, name: str, value: object, becomes: object) -> None:
    changed = getattr(_qt(), widget)()
    setattr(changed, name, value)
    assert getattr(changed, name) == becomes


@pytest.mark.parametrize("value", [None, b"abc", ["a"], vtk.vtkObject()])
def test_nothing_and_containers_are_refused_as_texts_by_the_runtimes_own_rule(value: object) -> None:
    label = _qt().QLabel("old")
    with pytest.raises(StricterRuleError, match=r"Slicer would show .* refused by the test runtime's own rule"):
        label.text = value
    with pytest.raises(StricterRuleError, match="Slicer would show"):
        label.setText(value)
    assert label.text == "old"


def test_a_property_that_a_slot_hides_cannot_be_assigned_and_reads_as_the_slot() -> None:
    timer = _qt().QTimer()
    with pytest.raises(AttributeError, match=r"^Slot 'singleShot' can not be overwritten on QTimer object$"):
        timer.singleShot = True
    assert callable(timer.singleShot) and not timer.isSingleShot()
    timer.setSingleShot(True)
    assert timer.isSingleShot() and timer.property("singleShot") is True


def test_a_property_that_is_read_only_says_so() -> None:
    with pytest.raises(AttributeError, match="not writable"):
        _qt().QWidget().width = 5


def test_an_unknown_attribute_can_neither_be_read_nor_set_on_a_widget() -> None:
    qt = _qt()
    button = qt.QPushButton()
    with pytest.raises(AttributeError, match="creating new attributes on C\\+\\+ objects is not allowed"):
        button.tooltip = "typo of toolTip"
    with pytest.raises(AttributeError, match="no attribute named 'tooltip'"):
        _ = button.tooltip
    with pytest.raises(AttributeError, match="Slot 'click' can not be overwritten on QPushButton object"):
        button.click = print
    with pytest.raises(AttributeError, match="Signal 'clicked' can not be overwritten"):
        button.clicked = print
    with pytest.raises(AttributeError, match="EnumValue 'Box' can not be overwritten on QFrame"):
        qt.QFrame().Box = 3


def test_a_dynamic_property_and_a_named_child_are_attributes() -> None:
    qt = _qt()
    parent = qt.QWidget()
    child = qt.QLabel("inside", parent)
    child.objectName = "message"
    child.setProperty("SlicerParameterName", "note")
    assert parent.message is child
    assert child.SlicerParameterName == "note" == child.property("SlicerParameterName")
    child.SlicerParameterName = "other"
    assert child.property("SlicerParameterName") == "other"


def test_enums_are_unscoped_ints() -> None:
    qt = _qt()
    assert isinstance(qt.Qt.Checked, int) and qt.Qt.Checked == 2
    assert qt.QMessageBox.Ok | qt.QMessageBox.Cancel == 0x00400400
    assert qt.Qt.CheckState.Checked == qt.Qt.CheckState(2) == 2
    with pytest.raises(AttributeError, match="no value 'Ticked'"):
        _ = qt.Qt.CheckState.Ticked
    with pytest.raises(AttributeError):
        _ = qt.Qt.Checked.name


def test_plain_ints_are_taken_for_enums_and_enums_choose_the_overload() -> None:
    qt = _qt()
    label = qt.QLabel()
    label.setAlignment(0x84)
    assert label.alignment == qt.Qt.AlignCenter
    label.alignment = qt.Qt.AlignRight | qt.Qt.AlignVCenter
    assert label.alignment == 0x82
    assert qt.QColor(qt.Qt.red).name() == "#ff0000"
    assert qt.QSizePolicy(5, 1).verticalPolicy() == qt.QSizePolicy.Minimum
    assert qt.QKeySequence(qt.Qt.ControlModifier | qt.Qt.Key_Return).toString() == "Ctrl+Return"
    with pytest.raises(AttributeError, match="Qt has no attribute named 'CTRL'"):
        _ = qt.Qt.CTRL


@pytest.mark.parametrize("name", ["QRegExp", "QPermission", "Signal", "QNoSuchClass"])
def test_a_class_that_slicers_qt_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(AttributeError, match=r"\w+ \w+"):
        getattr(_qt(), name)


def test_members_that_only_qt6_has_are_refused_with_the_reason() -> None:
    qt = _qt()
    with pytest.raises(AttributeError, match="only in Qt 6"):
        _ = qt.QCheckBox().checkStateChanged
    with pytest.raises(AttributeError, match="only in Qt 6"):
        _ = qt.QColor.fromString
    with pytest.raises(AttributeError, match=r"exec_\(\)"):
        qt.QDialog().exec()


def test_calls_take_no_keyword_arguments_and_no_snake_case() -> None:
    qt = _qt()
    with pytest.raises(ValueError, match="called slot does not support kwargs"):
        qt.QPushButton(text="a")
    with pytest.raises(ValueError, match="called slot does not support kwargs"):
        qt.QPushButton().setText(text="a")
    with pytest.raises(AttributeError, match="set_text"):
        qt.QPushButton().set_text("a")


def test_arguments_that_pythonqt_cannot_convert_raise_value_errors() -> None:
    qt = _qt()
    with pytest.raises(ValueError, match=r"Called setValue\(int\) with wrong arguments: \('4',\)"):
        qt.QSpinBox().setValue("4")
    with pytest.raises(ValueError, match="wrong arguments"):
        qt.QSpinBox().setValue(np.float64(4.5))
    with pytest.raises(ValueError, match="matching overload"):
        qt.QWidget().resize((3, 4))
    with pytest.raises(ValueError, match="matching overload"):
        qt.QShortcut("F6", qt.QWidget())
    spin = qt.QDoubleSpinBox()
    spin.setValue(np.float64(1.5))
    assert spin.value == 1.5


def test_lists_come_back_as_tuples() -> None:
    qt = _qt()
    combo = qt.QComboBox()
    combo.addItems(["a", "b"])
    combo.setItemData(0, ["x", "y"])
    assert combo.itemData(0) == ("x", "y")
    assert isinstance(qt.QDir.tempPath(), str)
    assert isinstance(combo.children(), tuple)


def test_the_same_widget_is_the_same_object_wherever_it_comes_from() -> None:
    qt = _qt()
    parent = qt.QWidget()
    layout = qt.QVBoxLayout(parent)
    button = qt.QPushButton("a")
    layout.addWidget(button)
    assert button.parent() is parent and parent.layout() is layout and layout.itemAt(0).widget() is button
    assert parent.findChildren(qt.QAbstractButton) == (button,) == parent.findChildren("QPushButton")
    assert parent.findChild(qt.QLabel) is None


def test_classes_do_not_inherit_from_each_other() -> None:
    qt = _qt()
    button = qt.QPushButton()
    assert isinstance(button, qt.QPushButton) and not isinstance(button, (qt.QWidget, qt.QAbstractButton))
    assert not issubclass(qt.QPushButton, qt.QObject)
    assert button.inherits("QWidget") and button.inherits("QAbstractButton") and not button.inherits("QLabel")


def test_functions_of_ctk_classes_cannot_be_overridden_and_slots_are_not_called_from_cpp() -> None:
    import ctk

    qt, seen = _qt(), []

    class Section(ctk.ctkCollapsibleButton):
        def showEvent(self, event: Any) -> None:
            seen.append("show")

    class Label(qt.QLabel):
        def setText(self, text: str) -> None:
            seen.append(text)

    section, label, edit = Section(), Label(), qt.QLineEdit()
    section.show()
    edit.connect("textChanged(QString)", label, "setText(QString)")
    edit.text = "typed"
    assert seen == [] and label.text == "typed"


def test_a_subclass_overrides_events_calls_super_and_has_its_own_attributes() -> None:
    qt = _qt()

    class Watcher(qt.QWidget):
        def __init__(self) -> None:
            super().__init__()
            self.closed = 0

        def closeEvent(self, event: Any) -> None:
            self.closed += 1
            super().closeEvent(event)

    class Filter(qt.QObject):
        def eventFilter(self, watched: Any, event: Any) -> bool:
            return bool(event.type() == qt.QEvent.Close)

    watcher = Watcher()
    watcher.show()
    watcher.close()
    assert watcher.closed == 1 and not watcher.visible
    watcher.show()
    event_filter = Filter()
    watcher.installEventFilter(event_filter)
    watcher.close()
    assert watcher.closed == 1


def test_a_deleted_widget_is_false_and_raises() -> None:
    qt = _qt()
    parent = qt.QWidget()
    child = qt.QLabel("a", parent)
    parent.delete()
    assert not child
    with pytest.raises(ValueError, match="destroyed QLabel"):
        _ = child.text


def test_a_widget_used_in_another_thread_raises() -> None:
    label, failures = _qt().QLabel("a"), []

    def work() -> None:
        for use in (lambda: label.text, lambda: label.setText("b"), lambda: setattr(label, "text", "b")):
            try:
                use()
            except RuntimeError as error:
                failures.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(failures) == 3 and "outside the main thread" in failures[0]
    assert label.text == "a"


def test_settings_come_back_as_text_as_after_a_restart(slicer_runtime: Any) -> None:
    qt = _qt()
    import slicer

    settings = qt.QSettings()
    settings.setValue("LightMedSeg/Flag", False)
    settings.setValue("LightMedSeg/Threads", 3)
    assert settings.value("LightMedSeg/Flag") == "false"
    assert slicer.util.settingsValue("LightMedSeg/Flag", True, converter=slicer.util.toBool) is False
    assert slicer.util.settingsValue("LightMedSeg/Threads", 1, converter=int) == 3
    slicer_runtime.reset()
    assert slicer.util.settingsValue("LightMedSeg/Threads", 1, converter=int) == 1

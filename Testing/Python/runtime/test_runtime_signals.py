"""Connections as PythonQt makes them: signatures, cut arguments, swallowed exceptions."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from Runtime.rules import ContractViolationError


def _qt() -> Any:
    import qt

    return qt


def test_a_wrong_signature_is_only_printed_and_collected(slicer_runtime: Any) -> None:
    qt = _qt()
    button = qt.QPushButton()
    for signature in ("clicked(int)", "cliked()", "clicked", "pressed(bool)"):
        with slicer_runtime.errors.expected(ContractViolationError) as found:
            assert button.connect(signature, print) is False
        assert f"signal '{signature}' does not exist on QPushButton" in found[0].text
    with slicer_runtime.errors.expected(ContractViolationError) as found:
        assert button.connect("clicked()", None) is True
    assert "needs a function" in found[0].text and "own rule" in found[0].text


def test_a_wrong_connection_fails_the_test_at_its_end(slicer_runtime: Any) -> None:
    _qt().QPushButton().connect("cliked()", print)
    with pytest.raises(AssertionError, match="signal 'cliked\\(\\)' does not exist on QPushButton"):
        slicer_runtime.finish()


def test_connect_by_signature_by_name_and_to_a_slot(slicer_runtime: Any) -> None:
    qt = _qt()
    slider, spin, seen = qt.QSlider(), qt.QSpinBox(), []
    assert slider.connect("valueChanged(int)", spin, "setValue(int)")
    slider.valueChanged.connect(seen.append)
    slider.connect("valueChanged( int )", lambda value: seen.append(-value))
    slider.value = 7
    assert spin.value == 7 and seen == [7, -7]
    with slicer_runtime.errors.expected(ContractViolationError) as found:
        assert slider.connect("valueChanged(int)", spin, "setValu(int)") is False
    assert "No such slot QSpinBox::setValu(int)" in found[0].text


def test_arguments_are_cut_to_what_the_function_takes(slicer_runtime: Any) -> None:
    qt = _qt()
    button, seen = qt.QPushButton(), []

    class Panel:
        def nothing(self) -> None:
            seen.append("nothing")

        def optional(self, checked: Any = "default") -> None:
            seen.append(checked)

    panel = Panel()
    for slot in (panel.nothing, panel.optional, lambda: seen.append("lambda"), lambda *all_: seen.append(all_)):
        button.connect("clicked(bool)", slot)
    button.click()
    # An optional argument does get the signal's value: a known trap of handlers with defaults.
    assert seen == ["nothing", False, "lambda", (False,)]


def test_a_partial_object_gets_all_arguments(slicer_runtime: Any) -> None:
    qt = _qt()
    button = qt.QPushButton()
    button.connect("clicked(bool)", functools.partial(lambda name: None, "a"))
    with slicer_runtime.errors.expected(TypeError) as found:
        button.click()
    assert "positional argument" in found[0].text


def test_an_exception_in_a_slot_does_not_reach_the_caller_but_fails_the_test(slicer_runtime: Any) -> None:
    qt = _qt()

    def fail() -> None:
        raise RuntimeError("broken slot")

    button = qt.QPushButton()
    button.connect("clicked()", fail)
    button.click()
    with pytest.raises(AssertionError, match="broken slot"):
        slicer_runtime.finish()


def test_exceptions_in_observers_timers_and_event_handlers_fail_the_test(slicer_runtime: Any) -> None:
    qt = _qt()
    import slicer

    def fail(*_: Any) -> None:
        raise KeyError("broken")

    class Widget(qt.QWidget):
        def showEvent(self, event: Any) -> None:
            fail()

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    node.AddObserver("ModifiedEvent", fail)
    with slicer_runtime.errors.expected(KeyError):
        node.Modified()
    with slicer_runtime.errors.expected(KeyError):
        qt.QTimer.singleShot(0, fail)
        slicer_runtime.process_events(0.02)
    widget = Widget()
    with slicer_runtime.errors.expected(KeyError):
        widget.show()


def test_a_warning_of_qt_fails_the_test(slicer_runtime: Any) -> None:
    qt = _qt()
    widget = qt.QWidget()
    qt.QVBoxLayout(widget)
    with slicer_runtime.errors.expected(RuntimeWarning) as found:
        qt.QVBoxLayout(widget)
    assert "already has a layout" in found[0].text


def test_disconnect_undoes_one_connection(slicer_runtime: Any) -> None:
    qt = _qt()
    button, seen = qt.QPushButton(), []
    first, second = (lambda: seen.append(1)), (lambda: seen.append(2))
    button.connect("clicked()", first)
    button.clicked.connect(second)
    assert button.disconnect("clicked()", first)
    assert not button.disconnect("clicked()", first)
    button.click()
    assert button.clicked.disconnect(second)
    button.click()
    assert seen == [2]


def test_signals_can_be_emitted_and_blocked_and_have_no_overload_selection(slicer_runtime: Any) -> None:
    qt = _qt()
    combo, seen = qt.QComboBox(), []
    combo.addItems(["a", "b"])
    combo.connect("currentIndexChanged(int)", seen.append)
    combo.currentIndexChanged.emit(1)
    blocked = combo.blockSignals(True)
    combo.currentIndex = 1
    combo.blockSignals(blocked)
    assert seen == [1]
    with pytest.raises(TypeError, match="not subscriptable"):
        _ = combo.currentIndexChanged[int]


def test_a_timer_is_an_object_with_properties(slicer_runtime: Any) -> None:
    qt = _qt()
    timer, seen = qt.QTimer(), []
    timer.setSingleShot(True)
    timer.interval = 1
    timer.connect("timeout()", lambda: seen.append(1))
    assert not timer.active
    timer.start()
    assert timer.active
    slicer_runtime.wait_until(lambda: bool(seen), 5)
    assert not timer.active

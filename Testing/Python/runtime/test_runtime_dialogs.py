"""Dialogs never block, are recorded, and need a prepared answer where the user has a choice."""

from __future__ import annotations

from typing import Any

import pytest


def test_messages_are_recorded_with_kind_text_and_details(slicer_runtime: Any) -> None:
    import slicer

    slicer.util.infoDisplay("Done.")
    slicer.util.warningDisplay("Odd spacing.")
    slicer.util.errorDisplay("Failed.", detailedText="line 1")
    shown = slicer_runtime.dialogs.shown
    assert [(item.kind, item.text) for item in shown] == [
        ("info", "Done."),
        ("warning", "Odd spacing."),
        ("error", "Failed."),
    ]
    assert shown[2].details["detailedText"] == "line 1"


def test_a_question_without_prepared_answer_fails_the_test(slicer_runtime: Any) -> None:
    import slicer

    with slicer_runtime.errors.expected(AssertionError), pytest.raises(AssertionError, match="no prepared answer"):
        slicer.util.confirmYesNoDisplay("Replace the result?")


def test_prepared_answers_are_used_in_order_and_must_be_used(slicer_runtime: Any) -> None:
    import qt
    import slicer

    slicer_runtime.dialogs.answer(qt.QMessageBox.Yes, qt.QMessageBox.Cancel, qt.QMessageBox.Ok)
    assert slicer.util.confirmYesNoDisplay("Sure?")
    assert not slicer.util.confirmOkCancelDisplay("Sure?")
    with pytest.raises(AssertionError, match="was not asked for"):
        slicer_runtime.finish()


def test_a_message_box_with_own_buttons_is_answered_by_a_function(slicer_runtime: Any) -> None:
    import qt

    box = qt.QMessageBox()
    box.text = "Keep the edits?"
    keep = box.addButton("Keep", qt.QMessageBox.AcceptRole)
    box.addButton("Replace", qt.QMessageBox.DestructiveRole)
    slicer_runtime.dialogs.answer(lambda dialog: dialog.buttons().index(keep))
    assert box.exec_() == 0
    assert slicer_runtime.dialogs.texts("message") == ["Keep the edits?"]


def test_file_dialogs_return_plain_strings(slicer_runtime: Any) -> None:
    import qt

    slicer_runtime.dialogs.answer("/data/a.zip", ["/a", "/b"], "/folder", "")
    name = qt.QFileDialog.getOpenFileName(None, "Import model", "", "Model (*.zip)")
    assert name == "/data/a.zip"
    assert qt.QFileDialog.getOpenFileNames(None, "Scans", "") == ("/a", "/b")
    assert qt.QFileDialog.getExistingDirectory(None, "Folder") == "/folder"
    assert qt.QFileDialog.getSaveFileName(None, "Export", "") == ""
    with pytest.raises(ValueError, match="strings"):
        qt.QFileDialog.getOpenFileName(None, None)


def test_a_dialog_is_shown_while_its_answer_works_on_it(slicer_runtime: Any) -> None:
    import qt

    dialog = qt.QDialog()
    dialog.windowTitle = "Details"
    edit = qt.QLineEdit(dialog)

    def fill(shown: Any) -> int:
        assert shown is dialog and dialog.visible
        edit.text = "typed"
        return int(qt.QDialog.Accepted)

    slicer_runtime.dialogs.answer(fill)
    assert dialog.exec_() == qt.QDialog.Accepted
    assert edit.text == "typed" and not dialog.visible


def test_inputs_menus_links_and_delays_are_recorded(slicer_runtime: Any) -> None:
    import qt
    import slicer

    slicer_runtime.dialogs.answer("a name", None)
    assert qt.QInputDialog.getText(None, "Name", "Model name") == "a name"
    menu = qt.QMenu()
    menu.addAction("Export")
    assert menu.exec_() is None
    qt.QDesktopServices.openUrl(qt.QUrl("https://www.slicer.org"))
    slicer.util.delayDisplay("Starting")
    assert [item.kind for item in slicer_runtime.dialogs.shown] == ["input", "menu", "url", "delay"]


def test_an_error_display_raises_again_and_is_silent_in_testing_mode(slicer_runtime: Any) -> None:
    import slicer

    with pytest.raises(ValueError), slicer.util.tryWithErrorDisplay("Failed to segment.", waitCursor=True):
        raise ValueError("no memory")
    assert slicer_runtime.dialogs.texts("error") == ["Failed to segment.\n\nno memory"]
    slicer_runtime.dialogs.clear()
    with slicer_runtime.testing_mode(), pytest.raises(ValueError), slicer.util.tryWithErrorDisplay("Failed."):
        raise ValueError("no memory")
    assert slicer_runtime.dialogs.shown == []


def test_without_a_main_window_messages_are_only_logged(slicer_runtime: Any) -> None:
    import slicer

    slicer_runtime.reset(main_window=False)
    assert slicer.util.mainWindow() is None
    slicer.util.errorDisplay("Failed.")
    assert slicer_runtime.dialogs.shown == []
    with pytest.raises(RuntimeError, match="main window"):
        slicer.util.selectModule("Data")


def test_a_wait_cursor_left_behind_fails_the_test(slicer_runtime: Any) -> None:
    import qt
    import slicer

    slicer.app.setOverrideCursor(qt.Qt.WaitCursor)
    with pytest.raises(AssertionError, match="wait cursor"):
        slicer_runtime.finish()
    slicer.app.pauseRender()
    with pytest.raises(AssertionError, match="paused"):
        slicer_runtime.finish()

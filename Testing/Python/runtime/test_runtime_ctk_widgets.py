"""The emulated ctk widgets: sections, sliders and path edits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_collapsed_section_hides_its_children_and_gives_back_only_those_that_were_shown(
    slicer_runtime: Any,
) -> None:
    import ctk
    import qt

    section, seen = ctk.ctkCollapsibleButton(), []
    layout = qt.QVBoxLayout(section)
    shown, hidden = qt.QLabel("shown"), qt.QLabel("hidden")
    layout.addWidget(shown)
    layout.addWidget(hidden)
    hidden.visible = False
    section.connect("contentsCollapsed(bool)", seen.append)
    section.show()
    section.collapsed = True
    assert (shown.visible, hidden.visible, section.checked) == (False, False, False)
    section.click()
    assert (shown.visible, hidden.visible, section.collapsed) == (True, False, False)
    assert seen == [True, False]


def test_what_the_module_shows_or_hides_in_a_collapsed_section_counts_when_it_is_opened(
    slicer_runtime: Any,
) -> None:
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton()
    section.collapsed = True
    layout = qt.QVBoxLayout(section)
    early, late = qt.QLabel("early"), qt.QLabel("late")
    for label in (early, late):
        layout.addWidget(label)
    late.visible = False
    section.show()
    assert (early.visible, late.visible) == (False, False)
    early.visible, late.visible = False, True
    assert (early.visible, late.visible) == (False, False)
    section.collapsed = False
    assert (early.visible, late.visible) == (False, True)


def test_a_slider_widget_holds_a_float_in_its_range(slicer_runtime: Any) -> None:
    import ctk

    slider, seen = ctk.ctkSliderWidget(), []
    slider.minimum, slider.maximum, slider.decimals = 0.0, 1.0, 2
    slider.connect("valueChanged(double)", seen.append)
    slider.value = 0.25
    slider.value = 7
    assert slider.value == 1.0 and seen == [0.25, 1.0]


def test_a_path_edit_asks_for_a_file_or_folder_and_gives_a_string(slicer_runtime: Any) -> None:
    import ctk

    edit, seen = ctk.ctkPathLineEdit(), []
    edit.filters = ctk.ctkPathLineEdit.Dirs
    edit.connect("currentPathChanged(QString)", seen.append)
    slicer_runtime.dialogs.answer("/models")
    edit.browse()
    assert edit.currentPath == "/models" and seen == ["/models"]
    assert slicer_runtime.dialogs.shown[0].kind == "directory"
    edit.currentPath = Path("/data")
    assert edit.currentPath == "/data"
    with pytest.raises(AssertionError, match="own rule"):
        edit.currentPath = None

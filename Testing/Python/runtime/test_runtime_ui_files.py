"""Loading .ui files: emulated classes, dynamic properties, connections; what Qt would ignore is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from paths import REPOSITORY

UI = REPOSITORY / "Testing" / "Runtime" / "Sample" / "Resources" / "UI" / "RuntimeSample.ui"


def _changed(tmp_path: Path, old: str, new: str) -> str:
    text = UI.read_text()
    assert old in text
    path = tmp_path / "changed.ui"
    path.write_text(text.replace(old, new, 1))
    return str(path)


def test_widgets_properties_and_connections_arrive(slicer_runtime: Any) -> None:
    import ctk
    import slicer

    root = slicer.util.loadUI(str(UI))
    ui = slicer.util.childWidgetVariables(root)
    assert isinstance(ui.thresholdSlider, ctk.ctkSliderWidget)
    assert isinstance(ui.inputSelector, slicer.qMRMLNodeComboBox)
    assert ui.inputSelector.nodeTypes == ("vtkMRMLScalarVolumeNode",) and ui.inputSelector.noneEnabled
    assert ui.inputSelector.SlicerParameterName == "inputVolume"
    assert ui.advancedButton.collapsed and not ui.inputsButton.collapsed
    root.show()
    assert (ui.advancedButton.visible, ui.repeatsBox.visible) == (True, False)
    ui.advancedButton.collapsed = False
    assert ui.repeatsBox.visible
    assert ui.inputSelector.mrmlScene() is None
    root.setMRMLScene(slicer.mrmlScene)
    assert ui.inputSelector.mrmlScene() is slicer.mrmlScene


def test_a_missing_file_is_refused(slicer_runtime: Any) -> None:
    import slicer

    with pytest.raises(RuntimeError, match="file not found"):
        slicer.util.loadUI("/nowhere.ui")


def test_a_widget_class_that_slicer_does_not_have_is_refused_with_its_name(
    slicer_runtime: Any,
    tmp_path: Path,
) -> None:
    import slicer

    path = _changed(tmp_path, '<widget class="ctkSliderWidget"', '<widget class="ctkSlidingWidget"')
    with pytest.raises(RuntimeError, match="ctkSlidingWidget"):
        slicer.util.loadUI(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('<property name="toolTip">', '<property name="tooltip">', "has no property 'tooltip'"),
        ("mrmlSceneChanged(vtkMRMLScene*)", "mrmlSceneChange(vtkMRMLScene*)", "Signal .* does not exist"),
        ("setMRMLScene(vtkMRMLScene*)", "setMrmlScene(vtkMRMLScene*)", "Slot .* does not exist"),
        ("<receiver>inputSelector</receiver>", "<receiver>selector</receiver>", "'selector', which does not exist"),
    ],
)
def test_mistakes_that_qt_would_ignore_are_refused(
    slicer_runtime: Any,
    tmp_path: Path,
    old: str,
    new: str,
    message: str,
) -> None:
    import slicer

    with pytest.raises(ValueError, match=message):
        slicer.util.loadUI(_changed(tmp_path, old, new))

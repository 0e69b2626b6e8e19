"""The panel before anything runs: opening, describing models, warning in words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from panel_bench import MODULE_FILE, Bench, two_channels
from paths import REPOSITORY
from patience import limit

OPENING = """
import sys
sys.path[:0] = [{testing!r}]
from Runtime.bootstrap import start
session = start()
session.reset()
session.load_module({module!r})
assert "numpy" in sys.modules  # Slicer's own
panel = session.open_module("LightMedSeg")
assert panel.ui.modelSelector.count >= 1
session.leave_module()
session.finish()
found = [name for name in ("torch", "monai", "matplotlib") if name in sys.modules]
assert not found, found
"""


def test_opening_the_module_imports_no_torch() -> None:
    code = OPENING.format(testing=str(REPOSITORY / "Testing"), module=str(MODULE_FILE))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=limit(120), check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("main_window", [True, False])
def test_the_module_opens_with_and_without_a_main_window_and_without_torch(
    slicer_runtime: Any,
    main_window: bool,
) -> None:
    """As Slicer's generic module test does."""
    slicer_runtime.reset(main_window=main_window)
    slicer_runtime.torch.hide()
    module = slicer_runtime.load_module(MODULE_FILE)
    slicer_runtime.open_module("LightMedSeg")
    slicer_runtime.leave_module()
    assert module.title == "LightMedSeg" and module.categories == ("Segmentation",)
    assert "not a medical device" in module.acknowledgementText


def test_the_sections_are_in_the_order_of_the_work(bench: Bench) -> None:
    panel = bench.ui.runWidget.parentWidget()
    names = [panel.layout().itemAt(index).widget() for index in range(panel.layout().count())]
    shown = [widget.objectName for widget in names if widget is not None]
    order = [
        "torchFrame", "chooseWidget", "runWidget", "statusLabel", "warningFrame", "safetyLabel", "LightMedSegResult",
        "LightMedSegDoubt", "LightMedSegAutosave", "LightMedSegCorrect", "LightMedSegFineTune", "LightMedSegEffort",
        "LightMedSegAdvanced",
    ]  # fmt: skip
    assert shown == order
    closed = (
        bench.ui.correctSectionButton, bench.ui.finetuneSectionButton, bench.ui.advancedButton, bench.ui.aboutButton
    )  # fmt: skip
    assert all(section.collapsed for section in closed)
    assert "not a medical device" in bench.ui.safetyLabel.text


def test_a_new_scene_begins_with_the_first_model(slicer_runtime: Any) -> None:
    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    assert panel.parameters.model == panel.models.names()[0]


def test_the_volume_in_the_slice_views_is_chosen_when_the_panel_opens(slicer_runtime: Any) -> None:
    import slicer

    slicer.util.addVolumeFromArray(np.zeros((4, 4, 4)), name="Older")
    shown = slicer.util.addVolumeFromArray(np.zeros((4, 4, 4)), name="Shown")
    slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(shown.GetID())
    slicer_runtime.load_module(MODULE_FILE)
    assert slicer_runtime.open_module("LightMedSeg").parameters.inputVolume is shown


def test_description_structures_licence_and_limits_stand_behind_the_button_details(bench: Bench) -> None:
    ui = bench.ui
    assert ui.modelSelector.currentText == "Self test"
    assert ui.modelInfoLabel.text == "1.0.0, added by you"
    assert not ui.detailsFrame.visible
    ui.detailsButton.click()
    assert ui.detailsFrame.visible
    assert ui.modelDescriptionLabel.text.startswith("Finds bright")
    assert ui.structuresLabel.text == "Bright, Very bright"
    assert ui.licenceLabel.text == "Weights: CC0-1.0. Training data: CC0-1.0 (No data.)"
    assert ui.modelInputLabel.text == "MR, head: T1, resampled to 1 x 1 x 1 mm"
    assert "Knows nothing about anatomy" in ui.limitsLabel.text
    ui.modelSelector.currentIndex = -1
    assert bench.parameters.model == bench.model


def test_choosing_another_model_describes_that_one(bench: Bench) -> None:
    other = bench.add_model("other", description="Another model.")
    bench.ui.modelSelector.currentIndex = bench.panel.models.names().index(other)
    assert bench.parameters.model == other
    assert bench.ui.modelDescriptionLabel.text == "Another model."


def test_a_long_list_of_structures_is_cut(bench: Bench) -> None:
    from model_factory import make_labels

    bench.parameters.model = bench.add_model("many", labels=make_labels(60))
    assert bench.ui.structuresLabel.text.endswith("Structure 40 and 20 more")


def test_a_model_with_two_inputs_asks_for_two_volumes(bench: Bench) -> None:
    from LightMedSegLib.gui.self_test.scenarios import make_volume

    assert not bench.ui.secondVolumeSelector.visible and not bench.ui.thirdVolumeSelector.visible
    bench.parameters.model = bench.add_model("two", input=two_channels())
    first = bench.choose_volume()
    assert bench.ui.secondVolumeSelector.visible and not bench.ui.thirdVolumeSelector.visible
    assert (bench.ui.volumeLabel.text, bench.ui.secondVolumeLabel.text) == ("Volume (T1):", "Volume (FLAIR):")
    assert not bench.ui.segmentButton.enabled
    assert bench.ui.segmentButton.toolTip == "Choose a volume for every input of the model."
    bench.parameters.secondVolume = first
    assert "same volume is given" in bench.ui.checksLabel.text
    bench.parameters.secondVolume = make_volume("Flair")
    assert "same volume" not in bench.ui.checksLabel.text
    assert bench.run() is not None


def test_labelmaps_are_no_input_volumes(bench: Bench) -> None:
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    assert bench.ui.inputSelector.nodeCount() == 0


def test_without_a_volume_the_button_says_what_is_missing(bench: Bench) -> None:
    assert not bench.ui.segmentButton.enabled
    assert bench.ui.segmentButton.toolTip == "Choose a volume for every input of the model."
    bench.panel.run.start()
    assert bench.ui.statusLabel.text == "Choose a volume for every input of the model."


@pytest.fixture
def library_kept() -> Iterator[None]:
    """Other tests hold classes of the library: after a reload they must be those again that are imported."""
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "LightMedSegLib"}
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "LightMedSegLib"]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.usefixtures("library_kept")
def test_device_and_threads_are_remembered_for_the_user(slicer_runtime: Any, bench: Bench) -> None:
    import qt

    bench.ui.deviceSelector.currentIndex = 2
    bench.ui.threadsSpinBox.value = 5
    assert qt.QSettings().value("LightMedSeg/Device") == "cuda"
    bench.session.close_scene()
    bench.panel.onReload()
    panel = slicer_runtime.open_module("LightMedSeg")
    assert panel is not bench.panel
    assert (panel.ui.deviceSelector.currentIndex, panel.ui.threadsSpinBox.value) == (2, 5)


def test_settings_that_somebody_has_spoilt_fall_back_to_automatic(slicer_runtime: Any) -> None:
    import qt

    qt.QSettings().setValue("LightMedSeg/Device", "abacus")
    qt.QSettings().setValue("LightMedSeg/Threads", "many")
    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    assert (panel.ui.deviceSelector.currentIndex, panel.ui.threadsSpinBox.value) == (0, 0)


def test_settings_without_effect_cannot_be_changed(bench: Bench) -> None:
    assert not bench.ui.overlapSlider.enabled and not bench.ui.previewCheckBox.enabled
    bench.ui.ownOverlapCheckBox.checked = True
    assert bench.ui.overlapSlider.enabled
    assert "coarse results of this model are not accurate enough" in bench.ui.previewCheckBox.toolTip
    bench.parameters.model = bench.add_model("coarse", preview_spacing_mm=[3, 3, 3])
    assert bench.ui.previewCheckBox.enabled


@pytest.mark.usefixtures("library_kept")
def test_reloading_reads_the_library_anew_and_works(slicer_runtime: Any, bench: Bench) -> None:
    before = sys.modules["LightMedSegLib.gui.segment.run_section"]
    bench.panel.onReload()
    panel = slicer_runtime.open_module("LightMedSeg")
    assert sys.modules["LightMedSegLib.gui.segment.run_section"] is not before
    assert bench.panel.logic.job is None
    from panel_bench import equip

    fresh = equip(slicer_runtime, panel, bench.folder.with_name("after-reload"))
    fresh.choose_volume()
    assert fresh.run() is not None


@pytest.mark.usefixtures("library_kept")
def test_a_panel_that_was_thrown_away_follows_the_result_no_more(bench: Bench) -> None:
    bench.choose_volume()
    display, table = bench.run().GetDisplayNode(), bench.panel.result.segments
    bench.panel.onReload()
    before = table.rows
    display.SetSegmentVisibility("Bright", False)
    bench.session.process_events()
    assert table.rows is before


def test_a_volume_without_voxels_is_refused_in_words(bench: Bench) -> None:
    import slicer

    bench.parameters.inputVolume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Hollow")
    assert "'Hollow' holds no scalar voxels" in bench.ui.checksLabel.text
    bench.ui.segmentButton.click()
    assert not bench.panel.run.running
    assert "'Hollow' holds no scalar voxels" in bench.ui.statusLabel.text


def test_a_region_beside_the_volume_is_refused_in_words(bench: Bench) -> None:
    import slicer

    bench.choose_volume()
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    roi.SetCenter((900, 900, 900))
    roi.SetSize((5, 5, 5))
    bench.parameters.roi = roi
    assert "'Box' lies outside 'Scan'" in bench.ui.checksLabel.text
    bench.ui.segmentButton.click()
    assert "'Box' lies outside 'Scan'" in bench.ui.statusLabel.text
    # Moved into place in a view, it works at the next click.
    roi.SetCenter((10, 10, 10))
    assert bench.run() is not None


def test_translations_are_used(bench: Bench) -> None:
    bench.session.application.translations["segment.run_section", "Segment"] = "Segmentieren"
    bench.choose_volume()
    assert bench.ui.segmentButton.text == "Segmentieren"


def test_the_panel_never_blocks_for_long_while_a_run_goes_on(bench: Bench) -> None:
    """Measured, not timed: the event loop must turn many times during the run."""
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1

    import qt

    bench.parameters.inputVolume = None
    from LightMedSegLib.gui.self_test.scenarios import make_volume

    bench.parameters.inputVolume = make_volume("Large", 96)
    timer = qt.QTimer()
    timer.connect("timeout()", count)
    timer.start(5)
    bench.segment.seconds = 30.0
    bench.start()
    bench.session.wait_until(lambda: turns > 20, what="turns of the event loop")
    timer.stop()
    assert bench.panel.run.running
    bench.segment.seconds = 0.0
    bench.finish()
    assert np.isfinite(bench.panel.ui.progressBar.value)

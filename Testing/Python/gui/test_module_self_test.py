"""The self test that ships with the module, run as Slicer's dashboards run it."""

from __future__ import annotations

from typing import Any

import pytest
from panel_bench import MODULE_FILE


@pytest.mark.parametrize("main_window", [True, False])
def test_the_self_test_passes_without_torch(slicer_runtime: Any, main_window: bool) -> None:
    import slicer

    slicer_runtime.reset(main_window=main_window)
    slicer_runtime.torch.hide()
    slicer_runtime.load_module(MODULE_FILE)
    slicer.selfTests["LightMedSeg"]()
    steps = slicer_runtime.dialogs.texts("delay")
    assert {
        "a click on segment gives named segments and numbers",
        "try it loads the sample once",
        "a new version is adopted and rolled back",
        "the module is reloaded",
    } <= set(steps)
    left_out = "No torch or no shipped model: the real {} is left out"
    assert steps[-2:] == [left_out.format("inference"), left_out.format("fine-tuning")]


def test_the_self_test_runs_a_real_model_where_torch_is(slicer_runtime: Any) -> None:
    from LightMedSegLib.gui.self_test import scenarios

    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")

    import LightMedSeg

    scenarios.a_real_model_segments_the_sample(LightMedSeg.LightMedSegTest(), panel)
    assert slicer_runtime.dialogs.texts("delay") == []
    assert panel.parameters.outputSegmentation.GetAttribute("LightMedSeg.Model") == "hippocampus-t1-mr"
    assert panel.ui.segmentsTable.columnCount == 3, "the model is calibrated: it tells the Dice to expect"


def test_the_self_test_corrects_by_stroke_and_by_clicks_where_torch_is(slicer_runtime: Any) -> None:
    from LightMedSegLib.gui.self_test import scenarios

    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")

    import LightMedSeg

    for scenario in (scenarios.a_structure_from_clicks, scenarios.a_correction_by_stroke):
        assert scenario in scenarios.SCENARIOS
        slicer_runtime.close_scene()
        with scenarios._stand_ins(panel) as model:
            scenario(LightMedSeg.LightMedSegTest(), panel, model)


@pytest.mark.slow
def test_the_self_test_teaches_a_real_model_and_leaves_the_users_folders_alone(
    slicer_runtime: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from LightMedSegLib.core.user_folders import user_data_folder
    from LightMedSegLib.gui.self_test import finetuning

    monkeypatch.setattr(finetuning, "_STEPS", 2)  # as many as are needed to see that it works
    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")

    import LightMedSeg

    finetuning.a_correction_teaches_a_real_model(LightMedSeg.LightMedSegTest(), panel)
    assert slicer_runtime.dialogs.texts("delay") == []
    assert not list(user_data_folder().rglob("*.json"))
    assert not panel.ui.verdictFrame.visible and panel.cases.usable == []


def test_a_scenario_that_finds_a_fault_fails_the_self_test(
    slicer_runtime: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import slicer

    slicer_runtime.load_module(MODULE_FILE)
    from LightMedSegLib.gui.self_test import stand_in_model

    monkeypatch.setattr(stand_in_model.ThresholdSegment, "__call__", lambda *args, **settings: 1 / 0)
    with pytest.raises(AssertionError):
        slicer.selfTests["LightMedSeg"]()

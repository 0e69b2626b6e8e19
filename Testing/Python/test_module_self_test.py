"""The self test that ships with the module, run as Slicer's dashboards run it."""

from __future__ import annotations

from typing import Any

import pytest
from module_fixtures import MODULE_FILE
from runtime_fixtures import slicer_runtime  # noqa: F401


@pytest.mark.parametrize("main_window", [True, False])
def test_the_self_test_passes_without_torch(slicer_runtime: Any, main_window: bool) -> None:  # noqa: F811
    import slicer

    slicer_runtime.reset(main_window=main_window)
    slicer_runtime.torch.hide()
    slicer_runtime.load_module(MODULE_FILE)
    slicer.selfTests["LightMedSeg"]()
    steps = slicer_runtime.dialogs.texts("delay")
    assert "a click on segment gives named segments and numbers" in steps
    assert steps[-1] == "No torch or no shipped model: the real inference is left out"


def test_the_self_test_runs_a_real_model_where_torch_is(slicer_runtime: Any) -> None:  # noqa: F811
    from LightMedSegLib.gui import scenarios

    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")

    import LightMedSeg

    scenarios.a_real_model_segments_the_sample(LightMedSeg.LightMedSegTest(), panel)
    assert slicer_runtime.dialogs.texts("delay") == []
    assert panel.parameters.outputSegmentation.GetAttribute("LightMedSeg.Model") == "hippocampus-t1-mr"


def test_a_scenario_that_finds_a_fault_fails_the_self_test(
    slicer_runtime: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import slicer

    slicer_runtime.load_module(MODULE_FILE)
    from LightMedSegLib.gui import scenario_model

    monkeypatch.setattr(scenario_model.ThresholdSegment, "__call__", lambda *args, **settings: 1 / 0)
    with pytest.raises(AssertionError):
        slicer.selfTests["LightMedSeg"]()

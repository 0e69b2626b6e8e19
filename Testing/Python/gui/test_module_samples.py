"""Sample data: registered, and behind one button."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from panel_bench import MODULE_FILE
from paths import REPOSITORY


def test_the_samples_are_registered_when_slicer_has_started(slicer_runtime: Any) -> None:
    import SampleData
    import slicer

    slicer_runtime.load_module(MODULE_FILE)
    sources = slicer.modules.sampleDataSources["LightMedSeg"]
    assert [source.sampleName for source in sources] == ["Colin27Head", "MNI152LeftHippocampus"]
    volume = SampleData.downloadSample("MNI152LeftHippocampus")
    assert volume.GetImageData().GetDimensions() == (38, 54, 40)


def test_the_checksums_are_those_of_the_files(slicer_runtime: Any) -> None:
    from LightMedSegLib.gui.segment.samples import CHECKSUMS, NODE_NAMES
    from LightMedSegLib.io.sample_data import SAMPLES

    assert set(CHECKSUMS) == set(NODE_NAMES) == set(SAMPLES)
    for sample, file_name in SAMPLES.items():
        content = (REPOSITORY / "Resources" / "SampleData" / file_name).read_bytes()
        assert CHECKSUMS[sample] == f"SHA256:{hashlib.sha256(content).hexdigest()}"


def test_slicer_without_the_sample_data_module_starts_all_the_same(
    slicer_runtime: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    import slicer

    monkeypatch.setitem(sys.modules, "SampleData", None)
    slicer_runtime.load_module(MODULE_FILE)
    assert "LightMedSeg" not in slicer.modules.sampleDataSources


def test_try_it_fills_the_panel_and_loads_once(slicer_runtime: Any) -> None:
    import slicer

    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    panel.ui.tryItButton.click()
    volume = panel.parameters.inputVolume
    assert volume.GetName() == "Colin27Head"
    assert panel.parameters.model.startswith("brain-structures-mr@")
    assert panel.ui.segmentButton.enabled
    assert panel.ui.checksLabel.text == "", "the sample is what the model was made for"
    panel.ui.tryItButton.click()
    assert panel.parameters.inputVolume is volume
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1


@pytest.mark.slow
def test_try_it_and_segment_show_both_hippocampi_and_30_more_structures(slicer_runtime: Any) -> None:
    import slicer

    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    panel.ui.tryItButton.click()
    panel.ui.segmentButton.click()
    slicer_runtime.wait_until(lambda: not panel.run.running, 120, "the segmentation")
    node = panel.parameters.outputSegmentation
    assert node.GetSegmentation().GetNumberOfSegments() == 32
    mask = {
        side: slicer.util.arrayFromSegmentBinaryLabelmap(node, f"{side}_hippocampus", panel.parameters.inputVolume)
        for side in ("Left", "Right")
    }
    # Millilitres, of voxels of 1 mm; 6.2 with version 2.2.0.
    assert all(4 < one.sum() / 1000 < 8 for one in mask.values())


def test_try_it_chooses_the_version_in_use_not_one_that_failed_its_tests(slicer_runtime: Any) -> None:
    from LightMedSegLib.gui.self_test.stand_in_model import save_scenario_model

    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    store = panel.logic.store
    in_use = store.find("brain-structures-mr").card
    store.user.mkdir(parents=True, exist_ok=True)
    version = f"{in_use.version.split('.')[0]}.99.0-tuned.1"
    rejected = save_scenario_model(store.user, "brain-structures-mr", version)
    panel.models.reload()
    assert rejected in panel.models.names()
    panel.ui.tryItButton.click()
    assert panel.parameters.model == in_use.identifier
    store.choose("brain-structures-mr", version)
    panel.ui.tryItButton.click()
    assert panel.parameters.model == rejected, "the user adopted it against the tests"


def test_a_missing_sample_is_said(slicer_runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    from LightMedSegLib.core.errors import InputImageError
    from LightMedSegLib.gui.segment import samples

    def missing(name: str) -> None:
        raise InputImageError("The sample 'head' did not come with this installation.")

    monkeypatch.setattr(samples, "sample_path", missing)
    with slicer_runtime.errors.expected(InputImageError):
        panel.ui.tryItButton.click()
    assert "did not come with this installation" in str(slicer_runtime.dialogs.shown)

"""What the panel warns of before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_factory import make_card
from stated_files import nifti_file


def card(**changes: Any) -> Any:
    from LightMedSegLib.model.card import ModelCard

    return ModelCard.from_json(make_card(**changes))


def volume(low: int, high: int, shape: tuple[int, int, int] = (32, 32, 32), spacing: float = 1.0) -> Any:
    """Random intensities up to high, as of soft tissue where low is below 0; the first planes are air at low."""
    import slicer

    generator = np.random.default_rng(0)
    tissue = generator.normal(20, 40, shape) if low < 0 else generator.integers(low, high, shape)
    array = np.clip(tissue, low, high).astype(np.int16)
    array[:8] = low
    node = slicer.util.addVolumeFromArray(array, name="Scan")
    node.SetSpacing(spacing, spacing, spacing)
    return node


def warnings(node: Any, model: Any, **options: Any) -> str:
    from LightMedSegLib.gui.segment.checks import warnings_before_run

    return "\n".join(warnings_before_run([node], model, **options))


def test_a_fitting_volume_gives_no_warning(slicer_runtime: Any) -> None:
    assert warnings(volume(0, 500), card()) == ""
    assert warnings(volume(-1000, 500), card(modality="CT")) == ""


def test_a_ct_for_an_mr_model_and_the_reverse(slicer_runtime: Any) -> None:
    assert warnings(volume(-1000, 500), card()) == "The volume looks like CT, but the model was trained on MR."
    assert "The volume does not look like CT (no negative values)" in warnings(volume(0, 500), card(modality="CT"))


def test_intensities_that_do_not_tell_give_no_warning(slicer_runtime: Any) -> None:
    """A CT crop without air has values from about -100: MR after some filters has such values too."""
    soft = volume(-100, 300)
    assert warnings(soft, card()) == "" and warnings(soft, card(modality="CT")) == ""


class Database:
    """slicer.dicomDatabase with one series."""

    def __init__(self, **values: str) -> None:
        self._values = {"0008,0060": values.get("modality", ""), "0018,0015": values.get("part", "")}

    def instanceValue(self, uid: str, tag: str) -> str:
        assert uid == "1.2.3"
        return self._values[tag]


@pytest.mark.parametrize(
    ("database", "sentence"),
    [
        (Database(modality="PT"), "looks like PT, but the model was trained on MR"),
        (Database(modality="MR", part="ABDOMEN"), "was recorded as ABDOMEN, but the model is for the region Head"),
        (Database(modality="MR", part="HEAD"), ""),
        (Database(modality="MR"), ""),
    ],
)
def test_dicom_headers_count_more_than_intensities(
    slicer_runtime: Any,
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
    sentence: str,
) -> None:
    import slicer

    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node = volume(-1000, 500)
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    found = warnings(node, card())
    assert (sentence in found) if sentence else found == ""


def test_a_file_that_contradicts_the_scene_is_named_first(slicer_runtime: Any, tmp_path: Path) -> None:
    import slicer

    sform = np.column_stack([np.diag((20.0, 20.0, 20.0)), np.zeros(3)])
    node = slicer.util.loadVolume(str(nifti_file(tmp_path / "Scan.nii", sform=sform, codes=(0, 1))))
    assert warnings(node, card()).startswith("The voxels of 'Scan' are 20 x 20 x 20 mm by its file, but 1 x 1 x 1 mm")


def test_voxels_much_longer_than_the_models(slicer_runtime: Any) -> None:
    assert "up to 3.0 mm long; the model sees 1.0 mm" in warnings(volume(0, 500, spacing=3.0), card())
    assert warnings(volume(0, 500, spacing=1.9), card()) == ""


def test_a_volume_larger_than_the_model_is_made_for(slicer_runtime: Any) -> None:
    import slicer

    model = card(input={"largest_extent_mm": [22, 33, 25]})
    node = volume(0, 500)
    assert "measures 32 x 32 x 32 mm, but the model is made for volumes of up to 22 x 25 x 33 mm" in warnings(
        node, model
    )
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    roi.SetCenter((15, 15, 15))
    roi.SetSize((20, 20, 20))
    assert warnings(node, model, roi=roi) == ""
    assert warnings(node, card(input={"largest_extent_mm": [32, 32, 32]})) == ""


@pytest.mark.parametrize("sample", ["hippocampus", "head"])
def test_the_hippocampus_model_takes_crops_and_whole_heads(slicer_runtime: Any, sample: str) -> None:
    import slicer

    from LightMedSegLib.io.sample_data import sample_path
    from LightMedSegLib.model.store import resolve_model

    node = slicer.util.loadVolume(str(sample_path(sample)))
    assert warnings(node, resolve_model("hippocampus-t1-mr").card) == ""


def test_more_memory_than_there_is(slicer_runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from LightMedSegLib.core.process import available_memory

    monkeypatch.setattr(available_memory, "available_bytes", lambda: 500_000_000)
    assert "needs about 0.6 GB of memory, but only 0.5 GB are free" in warnings(volume(0, 500), card())
    monkeypatch.setattr(available_memory, "available_bytes", lambda: None)
    assert warnings(volume(0, 500), card()) == ""


def test_another_volume_is_shown_than_the_one_to_segment(slicer_runtime: Any) -> None:
    import slicer

    node, other = volume(0, 500), volume(0, 500)
    other.SetName("Other")
    selection = slicer.app.applicationLogic().GetSelectionNode()
    selection.SetActiveVolumeID(other.GetID())
    assert warnings(node, card()) == "'Scan' will be segmented, while the slice views show 'Other'."
    selection.SetActiveVolumeID(node.GetID())
    assert warnings(node, card()) == ""


def test_what_cannot_be_segmented_is_the_only_sentence(slicer_runtime: Any) -> None:
    found = warnings(volume(-1000, 500, shape=(1, 32, 32)), card())
    assert found.startswith("'Scan' is a single slice") and "\n" not in found


def test_a_script_and_the_panel_are_told_the_same(slicer_runtime: Any) -> None:
    from LightMedSegLib.checks.scan_warnings import image_warnings
    from LightMedSegLib.mrml.volumes import snapshot

    node, model = volume(-1000, 500, spacing=3.0), card()
    found = warnings(node, model)
    assert found == "\n".join(image_warnings([snapshot(node).image()], model)) and found.count("\n") == 1


def test_headers_travel_with_a_copy_of_the_volume(slicer_runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    from LightMedSegLib.io.scan_tags import ScanTags, tags_of
    from LightMedSegLib.mrml.volumes import snapshot

    monkeypatch.setattr(slicer, "dicomDatabase", Database(modality="PT", part="LEG"), raising=False)
    node = volume(0, 500)
    assert tags_of(snapshot(node).image()) == ScanTags()
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    assert tags_of(snapshot(node).image()) == ScanTags("PT", "LEG")


def test_changed_voxels_are_looked_at_again(slicer_runtime: Any) -> None:
    import slicer

    node, model = volume(0, 500), card()
    assert warnings(node, model) == ""
    slicer.util.updateVolumeFromArray(node, slicer.util.arrayFromVolume(volume(-1000, 500)).copy())
    assert "looks like CT" in warnings(node, model)

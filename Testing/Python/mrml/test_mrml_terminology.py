"""Terminology entries as DICOM export and Slicer's selector need them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_card
from mrml_nodes import add_volume, new_scene, slicer

from LightMedSegLib.core.labels import Code, Terminology
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.mrml.segmentations.writing import write_result

CYST = Terminology(
    Code("SCT", "49755003", "Morphologically Altered Structure"),
    Code("SCT", "41699000", "Cyst"),
    region=Code("SCT", "10200004", "Liver"),
)
ANTERIOR = Terminology(
    Code("SCT", "123037004", "Anatomical Structure"),
    Code("SCT", "5366008", "Hippocampus"),
    Code("SCT", "255549009", "Anterior"),
)


def understood(text: str) -> Any:
    entry = slicer.vtkSlicerTerminologyEntry()
    assert slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(text, entry)
    return entry


@pytest.mark.parametrize("terminology", [CYST, ANTERIOR])
def test_a_segment_has_all_its_codes_whether_slicers_lists_know_them_or_not(
    terminology: Terminology, volume: sitk.Image
) -> None:
    labels = make_card(labels=1)["labels"]
    labels[0]["terminology"] = terminology.to_json()
    scan = add_volume(new_scene(), volume)
    array = np.ones(volume.GetSize()[::-1], np.uint8)
    node = write_result(scan, array, ModelCard.from_json(make_card(labels=labels)))
    entry = understood(node.GetSegmentation().GetNthSegment(0).GetTerminology())
    objects = (
        entry.GetCategoryObject(),
        entry.GetTypeObject(),
        entry.GetTypeModifierObject(),
        entry.GetRegionObject(),
        entry.GetRegionModifierObject(),
    )
    read = [
        Code(o.GetCodingSchemeDesignator(), o.GetCodeValue(), o.GetCodeMeaning())
        for o in objects
        if o and o.GetCodeValue()
    ]
    wanted = [terminology.category, terminology.type, terminology.modifier, terminology.region]
    assert read == [code for code in wanted if code]


def test_slicer_finds_the_codes_in_a_list_that_the_user_has_loaded(tmp_path: Path) -> None:
    """What Slicer does when somebody opens the selector of codes."""

    def item(code: Code, **more: Any) -> dict[str, Any]:
        return {
            "CodingSchemeDesignator": code.scheme,
            "CodeValue": code.value,
            "CodeMeaning": code.meaning,
            **more,
        }

    assert ANTERIOR.modifier is not None
    kinds = [item(ANTERIOR.type, Modifier=[item(ANTERIOR.modifier)])]
    content = {
        "SegmentationCategoryTypeContextName": "Hospital list",
        "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/segment-context-schema.json#",
        "SegmentationCodes": {"Category": [item(ANTERIOR.category, Type=kinds)]},
    }
    path = tmp_path / "own.term.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    logic, entry = slicer.vtkSlicerTerminologiesModuleLogic(), understood(ANTERIOR.to_slicer())
    assert logic.LoadTerminologyFromFile(str(path)) == "Hospital list"
    assert logic.UpdateEntryFromLoadedTerminologies(entry, [], [])
    assert logic.SerializeTerminologyEntry(entry) == ANTERIOR.to_slicer("Hospital list")
